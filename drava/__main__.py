"""Start the command line, from a wheel or from a checkout."""

import os

from drava import rooms

BLAS = ("OPENBLAS_NUM_THREADS", "1")  # our matrices are small: its threads only wait for each other


def main() -> None:
    """Run the command that the shell named."""
    os.environ.setdefault(*BLAS)  # read when numpy is imported, which nobody has yet
    rooms()
    from cli import run  # noqa: PLC0415 - the rooms are importable only now

    run()


if __name__ == "__main__":
    main()
