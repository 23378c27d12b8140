"""What each server process calls to get its application; reads the environment."""

import gc
import multiprocessing
import os
import signal
import threading

from litestar import Litestar

from service import settings as settings_
from service.app import create_app
from service.observe import logs


def make() -> Litestar:
    """The application for the settings in the environment, with logging set up."""
    settings = settings_.load()
    logs.configure(settings.log, settings.log_level)
    threading.Thread(target=_end_with_the_server, name="end-with-the-server", daemon=True).start()
    app = create_app(settings)
    app.on_startup.append(_set_apart)
    return app


def _set_apart() -> None:
    """Keep the garbage collector off what lives as long as the process.

    Looking through the modules, routes and tables again and again stops every request for a tenth
    of a second each time, and the more calls come, the more often.
    """
    gc.collect()
    gc.freeze()


def _end_with_the_server() -> None:
    """A worker whose server was killed must not go on serving: nobody could stop it any more."""
    server = multiprocessing.parent_process()
    if server is not None:
        server.join()
        os.kill(os.getpid(), signal.SIGKILL)
