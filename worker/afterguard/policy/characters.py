"""Characters by range, for tables that are kept as sets."""

import re
from typing import Final

_RANGE: Final = re.compile("(.)-(.)|(.)", re.DOTALL)


def letters_of(ranges: str) -> list[str]:
    """Every character of some ranges, which are written as in a pattern's class: `A-Za-z_`."""
    found: list[str] = []
    for first, last, alone in _RANGE.findall(ranges):
        found += [alone] if alone else [chr(code) for code in range(ord(first), ord(last) + 1)]
    return found
