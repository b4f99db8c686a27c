"""Quality flags (QARTOD primary level) and the bits that say which test set them."""

from enum import IntEnum, IntFlag


class Quality(IntEnum):
    """QARTOD primary flag of a reading; the worst test decides, in the order 9 > 4 > 3 > 2 > 1."""

    GOOD = 1
    NOT_EVALUATED = 2
    SUSPECT = 3
    FAIL = 4
    MISSING = 9


class Test(IntFlag):
    """Bits of `quality_tests`: the tests that were not passed. Positions never change."""

    __test__ = False  # not a test case: keeps pytest from collecting it

    SYNTAX = 1 << 0
    TIME = 1 << 1
    LOCATION = 1 << 2
    GROSS_RANGE = 1 << 3
    SPIKE = 1 << 4
    RATE_OF_CHANGE = 1 << 5
    FLAT_LINE = 1 << 6
    CLIMATOLOGY = 1 << 7
    MONOTONIC = 1 << 8
    CONFLICT = 1 << 9
    SOURCE_ALARM = 1 << 10
    NEIGHBOUR = 1 << 11
    CALIBRATION = 1 << 12
    GAP = 1 << 13
    DECODER_WARNING = 1 << 14
    IMPERSONATION = 1 << 15
