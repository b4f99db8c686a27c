"""The usual Python stack, as people write it: aiomqtt, a pydantic model a message, pyarrow every 5,000 rows. The peer.

python bench/usual_stack.py HOST PORT CLIENT_ID TOPIC COUNT FOLDER
"""

import asyncio
import sys
from datetime import datetime
from pathlib import Path

import aiomqtt
import pyarrow as pa
import pyarrow.parquet as pq
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from pydantic import BaseModel

BATCH = 5_000


class Reading(BaseModel):
    time: datetime
    seq: int | None = None
    volume_total_m3: float | None = None
    flow_m3h: float | None = None
    fill_pct: float | None = None
    power_w: float | None = None
    pressure_kpa: float | None = None
    count: int | None = None
    battery_pct: float | None = None


async def main(host: str, port: int, client_id: str, topic: str, count: int, folder: Path) -> None:
    rows: list[dict[str, object]] = []
    done = files = 0
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 3600
    async with aiomqtt.Client(
        host,
        port,
        identifier=client_id,
        protocol=aiomqtt.ProtocolVersion.V5,
        clean_start=False,
        properties=properties,
        max_queued_incoming_messages=0,
    ) as client:
        await client.subscribe(topic, qos=1)
        if not count:
            return
        async for message in client.messages:
            _, family, device, _ = str(message.topic).split("/")
            rows.append(
                {"family": family, "device_id": device, **Reading.model_validate_json(message.payload).model_dump()}
            )
            done += 1
            if len(rows) >= BATCH or done == count:
                pq.write_table(pa.Table.from_pylist(rows), folder / f"part-{files}.parquet")
                files, rows = files + 1, []
            if done == count:
                return


if __name__ == "__main__":
    place = sys.argv[1:]
    asyncio.run(main(place[0], int(place[1]), place[2], place[3], int(place[4]), Path(place[5])))
