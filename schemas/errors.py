"""A wrong world is an exception with a hint; wrong data is a value and never comes here."""


class DravaError(Exception):
    """Something outside is not as it must be. Says what is wrong and what to do about it."""

    def __init__(self, what: str, hint: str = "") -> None:
        """`what` is one line for a person; `hint` is the next thing to do."""
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        """Give both sentences in one line."""
        return f"{self.what}. {self.hint}" if self.hint else self.what
