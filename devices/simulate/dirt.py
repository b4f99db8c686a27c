"""What happens to good messages on their way, and what else arrives: none of it may raise an alarm."""

from collections import Counter
from operator import attrgetter
from random import Random

from devices.simulate.town import Thing
from devices.simulate.wire import Post, topic
from devices.simulate.world import HOUR, Series, World, utc

_LATE, _TWICE = 0.004, 0.005  # shares of the messages
_BROKEN, _UNKNOWN, _READINGS_OF_UNKNOWN = 30, 2, 12
_UNTRUSTED = 5
_NONSENSE = (
    b"\xff\xfe\x00\x17\x80",
    b"online",
    b'{"time":"2026-',
    b'{"volume_total_m3":12.5',
    b"{'time': 0}",
    b'"reboot"',
    b"42",
    b"null",
)


def soil(
    world: World, clean: list[Post], things: dict[str, Thing], series: dict[str, list[Series]]
) -> tuple[list[Post], dict[str, int]]:
    """Give all messages in the order of their sending, and the counts that a lake must agree with."""
    rng = world.rng("dirt")
    late = [_delayed(rng, post) for post in clean]
    again = [_repeated(rng, post) for post in late if rng.random() < _TWICE]
    broken, unknown, untrusted = _broken(world, rng, things), _strangers(world, rng), _without_clock(world, rng, series)
    every = sorted([*late, *again, *broken, *unknown, *untrusted], key=attrgetter("send"))
    stored = Counter({f"stored_{family}": sum(len(one.times) for one in found) for family, found in series.items()})
    stored.update(f"stored_{things[_device(post)].family}" for post in untrusted)
    counts = {
        "messages": len(every),
        "readings": sum(post.readings for post in every),
        "stored": stored.total(),
        "duplicates": sum(post.readings for post in again),
        "duplicate_messages": len(again),
        "undecodable": len(broken),
        "unknown": len(unknown),
        "untrusted": len(untrusted),
        "late": sum(old is not new for old, new in zip(clean, late, strict=True)),
        "arrays": sum(post.payload.startswith(b"[") for post in every),
    }
    return every, counts | dict(stored)


def _device(post: Post) -> str:
    return post.topic.split("/")[2]


def _delayed(rng: Random, post: Post) -> Post:
    """A radio hole: the message comes hours after it was measured, behind younger ones."""
    return post._replace(send=post.send + rng.uniform(1, 10) * HOUR) if rng.random() < _LATE else post


def _repeated(rng: Random, post: Post) -> Post:
    """The acknowledgement was lost, so the device sends the identical message again."""
    return post._replace(send=post.send + rng.uniform(2, 120))


def _broken(world: World, rng: Random, things: dict[str, Thing]) -> list[Post]:
    known = list(things.values())
    found = []
    for n in range(_BROKEN):
        thing, send = rng.choice(known), rng.uniform(world.start, world.end)
        found.append(Post(send, topic(world, thing.family, thing.device_id), _NONSENSE[n % len(_NONSENSE)], 0))
    return found


def _strangers(world: World, rng: Random) -> list[Post]:
    """Devices that nobody registered speak correctly."""
    found = []
    for device_id, family, body in (
        ("wm-000007", "water_meter", '"volume_total_m3":1.5'),
        ("sl-000007", "streetlight", '"lamp_state":true,"power_w":31.0'),
    ):
        for seq in range(_READINGS_OF_UNKNOWN):
            epoch = rng.randint(world.start, world.end - 1)
            text = f'{{"time":{epoch},"seq":{seq},{body}}}'
            found.append(Post(epoch, topic(world, family, device_id), text.encode()))
    return found


def _without_clock(world: World, rng: Random, series: dict[str, list[Series]]) -> list[Post]:
    """Containers whose clock fell back to 1970 with their battery; their last level is true all the same."""
    found = []
    own = series["waste_container"]
    for one in rng.sample(own, min(_UNTRUSTED, len(own))):
        time = f"{utc(rng.randint(60, 86_000)):%Y-%m-%dT%H:%M:%S}Z"
        text = f'{{"time":"{time}","seq":0,"fill_pct":{one.columns["fill_pct"][-1]}}}'
        found.append(Post(world.end - rng.random(), topic(world, one.family, one.device_id), text.encode()))
    return found
