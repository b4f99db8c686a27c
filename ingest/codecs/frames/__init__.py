"""Frames that arrive undecoded: from a device's bytes to its own fields, one file a vendor."""

from collections.abc import Mapping

from ingest.codecs.frames import (
    axioma,
    bosch,
    cayenne,
    decentlab,
    dragino,
    kamstrup,
    milesight_models,
    nas,
    netvox,
    nwave,
    parametric,
    yobiiq,
)
from ingest.codecs.frames.frame import Decoder

DECODERS: Mapping[str, Decoder] = {
    "axioma_qalcosonic_w1": axioma.decode,
    "bosch_tps110": bosch.decode,
    "cayenne_lpp": cayenne.decode,
    "dragino_ldds75": dragino.decode,
    "kamstrup_flowiq": kamstrup.decode,
    "nas_ul20xx": nas.decode,
    "netvox_r72624": netvox.decode,
    "nwave_g4": nwave.decode,
    "parametric_pcr2": parametric.decode,
    "yobiiq_em4301": yobiiq.decode,
    **milesight_models.DECODERS,
    **decentlab.DECODERS,
}
"""By the name that a profile calls them."""
