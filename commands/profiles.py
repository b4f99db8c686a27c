"""`drava devices check`, `models`: the profiles of device types; a new one is checked before it is in force."""

from pathlib import Path
from typing import Annotated

import typer

from commands.context import PROBLEM, Context, Json, context, show_json, show_rows
from devices.mistakes import Mistake
from devices.profiles import Profiles, brought, in_force, read
from devices.words import Profile
from ingest.codecs.frames import DECODERS
from ingest.example import differences
from schemas.errors import DravaError
from schemas.settings import Lang

_TRUE = {"en": "example {title!r}: comes true", "sl": "primer {title!r}: drži"}
_GOOD = {
    "en": "{id}: {fields} fields of {family}, {examples} examples come true",
    "sl": "{id}: polj za {family}: {fields}, vsi primeri ({examples}) držijo",
}
_ELSEWHERE = {
    "en": "model {model!r} is read by {id} too: in this home, yours goes before it",
    "sl": "model {model!r} bere tudi {id}: v tem domu ima vaš profil prednost",
}


def mount(devices: typer.Typer) -> None:
    """Put the commands below `drava devices`."""
    devices.command("check")(check)
    devices.command("models")(models)


def check(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Profiles to check.")],
    as_json: Json = False,
) -> None:
    """Check profiles: each mistake with its line and what to do, and whether the examples come true."""
    run = context(ctx)
    lang: Lang = run.home.settings.lang if run.path else "en"
    found = {str(file): _checked(file) for file in files}
    if as_json:
        show_json({name: {"mistakes": [vars(m) for m in result[1]]} for name, result in found.items()})
    else:
        for name, (profile, mistakes) in found.items():
            _tell(name, profile, mistakes, lang)
    if any(mistakes for _, mistakes in found.values()):
        raise typer.Exit(PROBLEM)


def _checked(file: Path) -> tuple[Profile | None, list[Mistake]]:
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise DravaError(f"{file} cannot be read: {error.strerror}", "Name a profile") from None
    except UnicodeDecodeError:
        return None, [Mistake(1, "the file is not UTF-8", "Save it as UTF-8")]
    profile = read(file.name, text)
    if not isinstance(profile, Profile):
        return None, profile
    return profile, [*_unknown_decoder(profile, text), *_untrue(profile, text)]


def _unknown_decoder(profile: Profile, text: str) -> list[Mistake]:
    if profile.decoder is None or profile.decoder in DECODERS:
        return []
    line = _line(text, "decoder")
    return [Mistake(line, f"there is no decoder {profile.decoder!r}", f"Choose one of: {', '.join(sorted(DECODERS))}")]


def _untrue(profile: Profile, text: str) -> list[Mistake]:
    starts = [number for number, line in enumerate(text.splitlines(), 1) if line.strip().startswith("[[example]]")]
    starts += [1] * len(profile.example)  # written in another way
    return [
        Mistake(line, f"example {example.title!r}: {what}", "Correct the field or the example")
        for line, example in zip(starts, profile.example, strict=False)
        for what in differences(profile, example)
    ]


def _line(text: str, key: str) -> int:
    lines = enumerate(text.splitlines(), 1)
    return next((number for number, line in lines if line.split("=")[0].strip() == key), 1)


def _tell(name: str, profile: Profile | None, mistakes: list[Mistake], lang: Lang) -> None:
    for mistake in mistakes:
        typer.echo(f"{name}:{mistake.line}: {mistake.what}. {mistake.remedy}")
    if profile is None or mistakes:
        return
    for example in profile.example:
        typer.echo(_TRUE[lang].format(title=example.title))
    for model in profile.recognise.models:
        other = brought().by_model(model)
        if other is not None and other.id != profile.id:
            typer.echo(_ELSEWHERE[lang].format(model=model, id=other.id))
    counts = {"fields": len(profile.fields), "examples": len(profile.example), "family": ", ".join(profile.families)}
    typer.echo(_GOOD[lang].format(id=profile.id, **counts))


def models(ctx: typer.Context, as_json: Json = False) -> None:
    """List the device types that can be read: Drava's profiles and this home's own."""
    run = context(ctx)
    lang: Lang = run.home.settings.lang if run.path else "en"
    found = _in_force(run)
    rows = [
        {
            "profile": profile.id,
            "family": ", ".join(profile.families),
            "title": profile.title.to(lang),
            "models": ", ".join(profile.recognise.models),
            "from": "drava" if brought().by_id.get(profile.id) is profile else "home",
        }
        for profile in sorted(found.by_id.values(), key=lambda profile: profile.id)
    ]
    show_rows(rows, as_json=as_json)
    if found.broken:
        for what in found.broken.values():
            typer.echo(what, err=True)
        raise typer.Exit(PROBLEM)


def _in_force(run: Context) -> Profiles:
    return in_force(run.home.profiles) if run.path else brought()
