"""Load the application once, then fork a server for each port that is asked for.

So that a server can be killed and started twenty times in a test: what is forked is the whole
application behind Granian, as `doisoat serve` runs it in each of its processes.
"""

import asyncio
import gc
import os
import signal
import sys

from granian.constants import Interfaces
from granian.server.embed import Server

from service import serving


async def serve(port: int) -> None:
    """Serve until killed."""
    server = Server(
        serving.make(),
        port=port,
        interface=Interfaces.ASGI,
        websockets=False,
        log_enabled=False,
    )
    await server.serve()


def main() -> None:
    """Fork a server for each port on standard input; print its process id."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            asyncio.run(serve(int(line)))
            os._exit(0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
