"""The schema as one readable file: a normalised `pg_dump` of a migrated database.

`python -m service.dev.schema` (or `make schema`) writes service/schema.sql; a test holds it equal
to what the migrations make. It is for reading and reviewing: nothing is ever installed from it.
"""

import asyncio
import re
import sys
import tempfile
from pathlib import Path
from typing import Final

from service.dev.postgres import DATABASE, OWNER, Server
from service.migrations import run

FILE: Final = Path(__file__).parent.parent / "schema.sql"
NOISE: Final = re.compile(
    r"^(?:--$|-- Dumped |-- PostgreSQL database dump|\\(?:un)?restrict ).*\n?", re.MULTILINE
)
BLANKS: Final = re.compile(r"\n{3,}")
OPTIONS: Final = ("--schema-only", "--no-owner")


def dump(server: Server, database: str) -> str:
    """Give the schema of a database as SQL; equal schemas give equal text."""
    done = server.binaries.run(
        "pg_dump", [*OPTIONS, server.dsn(OWNER, database)], cwd=server.cluster.socket_folder
    )
    if done.returncode != 0:
        raise RuntimeError(f"pg_dump failed: {done.stderr.strip()}")
    return BLANKS.sub("\n\n", NOISE.sub("", done.stdout)).strip() + "\n"


def main() -> None:
    """Write the schema file from a database made for the purpose."""
    with tempfile.TemporaryDirectory(prefix="doisoat-schema-") as place:
        folder = Path(place)
        folder.chmod(0o711)  # ours; where we are root, the server's user must pass
        with Server(folder / "postgres", durable=False) as server:
            asyncio.run(run.upgrade(server.dsn(OWNER)))
            FILE.write_text(dump(server, DATABASE), encoding="utf-8")
    sys.stdout.write(f"wrote {FILE}\n")


if __name__ == "__main__":
    main()
