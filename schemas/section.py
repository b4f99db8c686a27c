"""What every section of the settings is."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Unknown settings are mistakes: a typing error must not go unnoticed."""

    model_config = ConfigDict(extra="forbid")
