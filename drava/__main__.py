"""Start the command line, from a wheel or from a checkout."""

from drava import rooms


def main() -> None:
    """Run the command that the shell named."""
    rooms()
    from cli import run  # noqa: PLC0415 - the rooms are importable only now

    run()


if __name__ == "__main__":
    main()
