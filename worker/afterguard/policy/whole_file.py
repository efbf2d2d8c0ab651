"""Files that others may be reading: there whole, or as they were."""

import os
from pathlib import Path
from uuid import uuid4


def write_whole(path: Path, content: bytes) -> None:
    """Put this in the place of what a file holds, at once.

    Raises:
        OSError: It cannot be written; what was there stays.
    """
    new = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
