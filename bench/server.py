"""A durable private server in a folder of its own, gone afterwards."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.dev.postgres import Server


@contextmanager
def private_server() -> Iterator[Server]:
    """Start a server with production's durability; its data is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="doisoat-bench-") as folder:
        Path(folder).chmod(0o711)  # ours: the server's own user must reach what is in it
        with Server(Path(folder) / "postgres") as server:
            yield server
