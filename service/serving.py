"""What each server process calls to get its application; reads the environment."""

from litestar import Litestar

from service import settings as settings_
from service.app import create_app
from service.observe import logs


def make() -> Litestar:
    """The application for the settings in the environment, with logging set up."""
    settings = settings_.load()
    logs.configure(settings.log, settings.log_level)
    return create_app(settings)
