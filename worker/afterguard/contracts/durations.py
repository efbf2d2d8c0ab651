"""Lengths of time as a person writes them: `90s`, `30m`, `12h`, `7d`."""

import re
from typing import Final

_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def duration_s(text: str) -> int | None:
    """The seconds that a text names; None when it is no length of time."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    return None if found is None else int(found[1]) * _SECONDS[found[2]]
