"""The version of Roost, in one place. Pure."""

from typing import Final

VERSION: Final = "0.1.0"
