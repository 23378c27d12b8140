"""How often a data folder was started: each start's number keeps its dossier codes apart."""

import fcntl
import os
from pathlib import Path
from typing import Final

NAME: Final = "demo-starts"
BYTES_MAX: Final = 20


def take(data_dir: Path) -> int:
    """The number of this start, 0 for the first one; no other process is given the same."""
    handle = os.open(data_dir / NAME, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(handle, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        number = int(file.read(BYTES_MAX) or b"0")
        file.seek(0)
        file.write(b"%d" % (number + 1))
    return number
