"""The closed list of reasons for which a message or reading is kept in quarantine."""

from enum import StrEnum


class Reason(StrEnum):
    """Why something is not in a family table. Stored as its value; every one is documented."""

    NO_ROUTE = "no_route"
    NOT_JSON = "not_json"
    WRONG_SHAPE = "wrong_shape"
    WRONG_TYPE = "wrong_type"
    WRONG_UNIT = "wrong_unit"
    NO_MEASURE = "no_measure"
    UNKNOWN_DEVICE = "unknown_device"
    WRONG_FAMILY = "wrong_family"
    DEVICE_MISMATCH = "device_mismatch"
    FOREIGN_GATEWAY = "foreign_gateway"
    NO_PROFILE = "no_profile"
    BAD_FRAME = "bad_frame"
    DECODER_FAILED = "decoder_failed"
    IMPOSSIBLE_TIME = "impossible_time"
    STALE_RETAINED = "stale_retained"
    TOO_LARGE = "too_large"


TEXTS: dict[Reason, dict[str, str]] = {
    Reason.NO_ROUTE: {
        "en": "no route leads from this topic to a codec",
        "sl": "za to temo ni poti do dekodirnika",
    },
    Reason.NOT_JSON: {"en": "the payload is not valid JSON", "sl": "vsebina ni veljaven JSON"},
    Reason.WRONG_SHAPE: {
        "en": "the JSON is not an object or an array of objects of the expected form",
        "sl": "JSON ni objekt ali seznam objektov pričakovane oblike",
    },
    Reason.WRONG_TYPE: {
        "en": "a value has another type than its measure",
        "sl": "vrednost ni takšne vrste, kot jo zahteva merjena količina",
    },
    Reason.WRONG_UNIT: {
        "en": "the unit cannot be converted to the measure's unit",
        "sl": "enote ni mogoče pretvoriti v enoto merjene količine",
    },
    Reason.NO_MEASURE: {
        "en": "the message holds no measure of its family",
        "sl": "sporočilo ne vsebuje nobene količine svoje družine",
    },
    Reason.UNKNOWN_DEVICE: {
        "en": "the device is not in the registry",
        "sl": "naprave ni v registru",
    },
    Reason.WRONG_FAMILY: {
        "en": "the device is registered under another family",
        "sl": "naprava je v registru pod drugo družino",
    },
    Reason.DEVICE_MISMATCH: {
        "en": "the payload names another device than the topic",
        "sl": "vsebina navaja drugo napravo kot tema",
    },
    Reason.FOREIGN_GATEWAY: {
        "en": "the gateway speaks for a device that is not registered to it",
        "sl": "prehod govori v imenu naprave, ki mu ni dodeljena",
    },
    Reason.NO_PROFILE: {
        "en": "no profile knows how to read this device type",
        "sl": "za to vrsto naprave ni profila",
    },
    Reason.BAD_FRAME: {
        "en": "the device's binary frame cannot be decoded",
        "sl": "binarnega okvirja naprave ni mogoče dekodirati",
    },
    Reason.DECODER_FAILED: {
        "en": "our own decoder failed on this message: a fault of the program",
        "sl": "naš dekodirnik je pri tem sporočilu odpovedal: napaka programa",
    },
    Reason.IMPOSSIBLE_TIME: {
        "en": "history without a time that can be trusted",
        "sl": "zgodovinski podatek brez zaupanja vrednega časa",
    },
    Reason.STALE_RETAINED: {
        "en": "a retained message without its own time: when it was measured is not known",
        "sl": "zadržano sporočilo brez lastnega časa: čas meritve ni znan",
    },
    Reason.TOO_LARGE: {
        "en": "more readings in one message than are accepted",
        "sl": "preveč odčitkov v enem sporočilu",
    },
}
