"""What can be wrong with a file that people import: one closed list, with the reason and the mend in both languages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, tzinfo
from enum import StrEnum

from schemas.settings import Lang
from schemas.vocabulary import Text

SHOWN = 60  # characters of a wrong value that are shown


class Fault(StrEnum):
    """A kind of mistake. Stored and printed as its value."""

    FILE_TOO_LARGE = "file_too_large"
    FILE_EMPTY = "file_empty"
    ENCODING = "encoding"
    NUL = "nul"
    LONG_LINE = "long_line"
    QUOTES = "quotes"
    TOO_MANY_CELLS = "too_many_cells"
    UNPRINTABLE = "unprintable"
    EXCEL_ERROR = "excel_error"
    COLUMN_MISSING = "column_missing"
    COLUMN_TWICE = "column_twice"
    COLUMN_UNNAMED = "column_unnamed"
    COLUMN_NAME = "column_name"
    COLUMN_UNKNOWN = "column_unknown"
    COLUMN_MISSPELT = "column_misspelt"
    PERSON_COLUMN = "person_column"
    PERSON_VALUE = "person_value"
    REQUIRED = "required"
    ID_SHAPE = "id_shape"
    ID_NUMBER = "id_number"
    FAMILY_UNKNOWN = "family_unknown"
    KIND_UNKNOWN = "kind_unknown"
    NOT_NUMBER = "not_number"
    AMBIGUOUS_NUMBER = "ambiguous_number"
    OUT_OF_RANGE = "out_of_range"
    POSITION_HALF = "position_half"
    FILL_DISTANCES = "fill_distances"
    TOO_LONG = "too_long"
    NOT_YES_NO = "not_yes_no"
    NOT_TIME = "not_time"
    FAR_TIME = "far_time"
    CLOCK_CHANGE = "clock_change"
    ENDS_BEFORE_START = "ends_before_start"
    ROW_TWICE = "row_twice"
    AREA_TWICE = "area_twice"
    DEVICE_FAMILY = "device_family"
    THING_FAMILY = "thing_family"
    DEVICE_ELSEWHERE = "device_elsewhere"
    THING_OCCUPIED = "thing_occupied"
    PARENT_UNKNOWN = "parent_unknown"
    PARENT_CYCLE = "parent_cycle"


def _texts(en: str, mend_en: str, sl: str, mend_sl: str) -> tuple[Text, Text]:
    return Text(en=en, sl=sl), Text(en=mend_en, sl=mend_sl)


_END_EN = (
    "End that assignment with a row with device_id {device}, thing_id {thing}, valid_from {start} and its valid_to"
    " (or, where it was a mistake, with withdrawn = yes)"
)
_END_SL = (
    "Zaključite tisto dodelitev z vrstico z device_id {device}, thing_id {thing}, valid_from {start} in njenim valid_to"
    " (če je bila pomota, pa z withdrawn = da)"
)

TEXTS: dict[Fault, tuple[Text, Text]] = {
    Fault.FILE_TOO_LARGE: _texts(
        "the file is larger than {limit} MB",
        "Split it into several files",
        "datoteka je večja od {limit} MB",
        "Razdelite jo na več datotek",
    ),
    Fault.FILE_EMPTY: _texts(
        "the file holds no rows",
        "Start from the file that the command template prints",
        "datoteka nima vrstic s podatki",
        "Začnite z datoteko, ki jo izpiše ukaz template",
    ),
    Fault.ENCODING: _texts(
        "the text is neither UTF-8 nor Windows-1250",
        "Save the file as CSV UTF-8",
        "besedilo ni niti UTF-8 niti Windows-1250",
        "Datoteko shranite kot CSV UTF-8",
    ),
    Fault.NUL: _texts(
        "the line holds NUL bytes: this is not a text file, or it is damaged",
        "Export the file again as CSV UTF-8",
        "vrstica vsebuje ničelne bajte: to ni besedilna datoteka ali pa je poškodovana",
        "Datoteko znova izvozite kot CSV UTF-8",
    ),
    Fault.LONG_LINE: _texts(
        "the line is longer than {limit} characters",
        "Look for a missing line end or a quote that is not closed",
        "vrstica je daljša od {limit} znakov",
        "Poiščite manjkajoči konec vrstice ali nezaključen narekovaj",
    ),
    Fault.QUOTES: _texts(
        "a quoted cell that begins here is not closed, or has text after its closing quote",
        'Close it with ", and write a quote inside a cell twice ("")',
        "celica v narekovajih, ki se začne tukaj, ni zaključena ali pa ima za narekovajem še besedilo",
        'Zaključite jo z ", narekovaj v celici pa zapišite dvakrat ("")',
    ),
    Fault.TOO_MANY_CELLS: _texts(
        "the row has {found} cells, the header has {expected}",
        'Put a value that contains the separator into quotes ("…")',
        "vrstica ima {found} celic, glava pa {expected}",
        'Vrednost, ki vsebuje ločilo, dajte v narekovaje ("…")',
    ),
    Fault.UNPRINTABLE: _texts(
        "the value holds a line break or an invisible control character",
        "Type the value again by hand",
        "vrednost vsebuje prelom vrstice ali neviden krmilni znak",
        "Vrednost znova vtipkajte",
    ),
    Fault.EXCEL_ERROR: _texts(
        "Excel has put an error, or a column that was too narrow, in place of the value",
        "Correct the formula or widen the column, and save the file again",
        "Excel je namesto vrednosti zapisal napako ali preozek stolpec",
        "Popravite formulo ali razširite stolpec in datoteko znova shranite",
    ),
    Fault.COLUMN_MISSING: _texts(
        "the required column is not in the header",
        "Add it; the header found is: {header}",
        "obveznega stolpca ni v glavi",
        "Dodajte ga; prebrana glava je: {header}",
    ),
    Fault.COLUMN_TWICE: _texts(
        "the column stands in the header twice",
        "Remove or rename one of them",
        "stolpec je v glavi dvakrat",
        "Enega odstranite ali preimenujte",
    ),
    Fault.COLUMN_UNNAMED: _texts(
        "the value stands in a column without a name",
        "Name the column in the header, or clear it",
        "vrednost je v stolpcu brez imena",
        "Stolpec poimenujte v glavi ali ga izpraznite",
    ),
    Fault.COLUMN_NAME: _texts(
        "a column's name begins with a letter and has only letters, digits and _, at most 64",
        "Rename the column",
        "ime stolpca se začne s črko in ima le črke, števke in _, največ 64",
        "Stolpec preimenujte",
    ),
    Fault.COLUMN_UNKNOWN: _texts(
        "the column is not known here",
        "Remove it; known columns are: {known}",
        "stolpec tukaj ni znan",
        "Odstranite ga; znani stolpci so: {known}",
    ),
    Fault.COLUMN_MISSPELT: _texts(
        "the column is not known, but looks like {known}",
        "Write {known}, or give the attribute a clearly different name",
        "stolpec ni znan, podoben pa je stolpcu {known}",
        "Zapišite {known} ali pa lastnosti dajte jasno drugačno ime",
    ),
    Fault.PERSON_COLUMN: _texts(
        "the column looks like a person's name, number or contact; the registry keeps no personal names",
        "Remove the column; title is the place for a description of the thing",
        "stolpec je videti kot ime, številka ali stik osebe; register ne hrani osebnih imen",
        "Stolpec odstranite; za opis objekta je stolpec title",
    ),
    Fault.PERSON_VALUE: _texts(
        "the value holds an e-mail address; the registry keeps no contacts of persons",
        "Remove it",
        "vrednost vsebuje e-poštni naslov; register ne hrani stikov oseb",
        "Odstranite ga",
    ),
    Fault.REQUIRED: _texts(
        "a required cell is empty",
        "Fill it in",
        "obvezna celica je prazna",
        "Izpolnite jo",
    ),
    Fault.ID_SHAPE: _texts(
        "an identifier has 1 to 128 bytes of visible text without / + # and does not begin with $",
        "Write the identifier as it stands in the topic of the messages",
        "oznaka ima od 1 do 128 bajtov vidnega besedila brez / + # in se ne začne z $",
        "Oznako zapišite tako, kot stoji v temi sporočil",
    ),
    Fault.ID_NUMBER: _texts(
        "Excel has turned this identifier into a number and lost digits",
        "Format the column as Text and enter the identifier again",
        "Excel je to oznako spremenil v število in izgubil števke",
        "Stolpec oblikujte kot Besedilo in oznako vnesite znova",
    ),
    Fault.FAMILY_UNKNOWN: _texts(
        "there is no such family of devices",
        "Write one of: {known}",
        "take družine naprav ni",
        "Zapišite eno od: {known}",
    ),
    Fault.KIND_UNKNOWN: _texts(
        "there is no such kind of area",
        "Write one of: {known}",
        "takšne vrste območja ni",
        "Zapišite eno od: {known}",
    ),
    Fault.NOT_NUMBER: _texts(
        "this is not a number",
        "Write it like 1234,5 or 1234.5, without a unit",
        "to ni število",
        "Zapišite ga kot 1234,5 ali 1234.5, brez enote",
    ),
    Fault.AMBIGUOUS_NUMBER: _texts(
        "the number can be read in two ways, and no other number of its column decides between them: {readings}",
        "Write it without a thousands mark, or with another number of decimals",
        "število je mogoče brati na dva načina in nobeno drugo število v stolpcu ne odloči med njima: {readings}",
        "Zapišite ga brez ločila tisočic ali z drugačnim številom decimalk",
    ),
    Fault.OUT_OF_RANGE: _texts(
        "the number is outside of {range}",
        "Look at its unit and decimal mark (a position is in WGS 84 degrees, not D96/TM metres)",
        "število je zunaj {range}",
        "Preverite enoto in decimalno ločilo (lega je v stopinjah WGS 84, ne v metrih D96/TM)",
    ),
    Fault.POSITION_HALF: _texts(
        "a position needs both lat and lon",
        "Fill in the other one, or clear both",
        "za lego sta potrebna lat in lon",
        "Izpolnite še drugega ali pa izpraznite oba",
    ),
    Fault.FILL_DISTANCES: _texts(
        "the distance to the bottom of an empty container must be longer than the distance when it is full",
        "Correct empty_distance_mm and full_distance_mm",
        "razdalja do dna praznega zabojnika mora biti daljša od razdalje pri polnem",
        "Popravite empty_distance_mm in full_distance_mm",
    ),
    Fault.TOO_LONG: _texts(
        "the text is longer than {limit} characters",
        "Shorten it",
        "besedilo je daljše od {limit} znakov",
        "Skrajšajte ga",
    ),
    Fault.NOT_YES_NO: _texts(
        "this is neither yes nor no",
        "Write yes or no, or leave the cell empty",
        "to ni niti da niti ne",
        "Zapišite da ali ne ali pa pustite celico prazno",
    ),
    Fault.NOT_TIME: _texts(
        "this is not a date or time",
        "Write it like 1. 3. 2025, 2025-03-01 or 2025-03-01T08:30:00+01:00",
        "to ni datum ali čas",
        "Zapišite ga kot 1. 3. 2025, 2025-03-01 ali 2025-03-01T08:30:00+01:00",
    ),
    Fault.FAR_TIME: _texts(
        "the year is outside of 1900 to 2199",
        "Correct it; where no end is known yet, leave valid_to empty",
        "leto je zunaj obdobja od 1900 do 2199",
        "Popravite ga; če konec še ni znan, pustite valid_to prazen",
    ),
    Fault.CLOCK_CHANGE: _texts(
        "this local time happens twice or never, because the clocks change on that day",
        "Write it with its offset, like 2025-10-26T02:30:00+02:00",
        "ta krajevni čas nastopi dvakrat ali nikoli, ker se ta dan premakne ura",
        "Zapišite ga z odmikom, na primer 2025-10-26T02:30:00+02:00",
    ),
    Fault.ENDS_BEFORE_START: _texts(
        "valid_to is not after valid_from",
        "Correct one of the two",
        "valid_to ni po valid_from",
        "Popravite enega od obeh",
    ),
    Fault.ROW_TWICE: _texts(
        "the same device, thing and valid_from stand in line {line} with other values",
        "Keep one of the two rows",
        "ista naprava, objekt in valid_from so v vrstici {line} z drugimi vrednostmi",
        "Obdržite eno od obeh vrstic",
    ),
    Fault.AREA_TWICE: _texts(
        "the same area stands in line {line} with other values",
        "Keep one of the two rows",
        "isto območje je v vrstici {line} z drugimi vrednostmi",
        "Obdržite eno od obeh vrstic",
    ),
    Fault.DEVICE_FAMILY: _texts(
        "the device {device} is of the family {family} and keeps it",
        "Correct the family, or give the other device its own device_id",
        "naprava {device} je iz družine {family} in v njej ostane",
        "Popravite družino ali pa drugi napravi dajte svoj device_id",
    ),
    Fault.THING_FAMILY: _texts(
        "the thing {thing} is of the family {family} and keeps it",
        "Give what stands at the same place but is of another family its own thing_id",
        "objekt {thing} je iz družine {family} in v njej ostane",
        "Objektu druge družine na istem mestu dajte svoj thing_id",
    ),
    Fault.DEVICE_ELSEWHERE: _texts(
        "the device {device} is at {thing} from {start} to {end}: it cannot be in two places",
        _END_EN,
        "naprava {device} je na objektu {thing} od {start} do {end}: ne more biti na dveh mestih",
        _END_SL,
    ),
    Fault.THING_OCCUPIED: _texts(
        "the device {device} is at {thing} from {start} to {end}: there can be one at a time",
        _END_EN,
        "na objektu {thing} je od {start} do {end} naprava {device}: hkrati je lahko le ena",
        _END_SL,
    ),
    Fault.PARENT_UNKNOWN: _texts(
        "the parent area is neither in this file nor in the registry",
        "Add a row for it, or correct parent_id",
        "nadrejenega območja ni niti v tej datoteki niti v registru",
        "Dodajte vrstico zanj ali popravite parent_id",
    ),
    Fault.PARENT_CYCLE: _texts(
        "the area would lie inside itself",
        "Correct parent_id",
        "območje bi ležalo samo v sebi",
        "Popravite parent_id",
    ),
}

_LINE = {"en": "line {line}", "sl": "vrstica {line}"}


@dataclass(frozen=True)
class Problem:
    """One mistake: where it stands (line 1 is the first; column may be empty), what was found, what to do."""

    line: int
    column: str
    value: str
    fault: Fault
    detail: Mapping[str, object] = field(default_factory=dict)

    def reason(self, lang: Lang, zone: tzinfo = UTC) -> str:
        """Say what is wrong."""
        return TEXTS[self.fault][0].to(lang).format_map(self._told(zone))

    def mend(self, lang: Lang, zone: tzinfo = UTC) -> str:
        """Say what to do about it."""
        return TEXTS[self.fault][1].to(lang).format_map(self._told(zone))

    def text(self, lang: Lang, zone: tzinfo = UTC) -> str:
        """Give the whole problem as one line for people; times are those of `zone`."""
        shown = self.value if len(self.value) <= SHOWN else self.value[: SHOWN - 1] + "…"
        found = f" {shown!r}" if shown else ""
        column = f", {self.column}" if self.column else ""
        place = _LINE[lang].format(line=self.line)
        told = f"{place}{column}{found}: {self.reason(lang, zone)}. {self.mend(lang, zone)}."
        return "".join(char if char.isprintable() else "?" for char in told)  # a hostile header must not reach a screen

    def _told(self, zone: tzinfo) -> dict[str, object]:
        return {k: _time(v, zone) if isinstance(v, datetime) else v for k, v in self.detail.items()}

    def record(self) -> dict[str, object]:
        """Give the problem for machines, both languages included."""
        return {
            "line": self.line,
            "column": self.column,
            "value": self.value[: SHOWN * 4],
            "fault": self.fault.value,
            **{f"reason_{lang}": self.reason(lang) for lang in ("en", "sl")},
            **{f"mend_{lang}": self.mend(lang) for lang in ("en", "sl")},
        }


def _time(moment: datetime, zone: tzinfo) -> str:
    """Write a time so that it can be pasted into the file: the day alone where it begins there."""
    local = moment.astimezone(zone)
    return local.date().isoformat() if local.time() == time() else local.isoformat()
