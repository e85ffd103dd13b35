"""Alembic's `Config`, for a project in any folder."""

from configparser import ConfigParser

from alembic.config import Config
from alembic.util import memoized_property


class Configuration(Config):
    """A `Config` of Alembic's whose `%(here)s` may hold a `%`, as in the folder that a CI server names `job%2Fbranch`.

    ConfigParser interpolates the value of `here` once more, as it does every other, and takes a `%` in it for the start of a name.
    Alembic's own program makes its own `Config`, and fails there; migrate.py has all of its commands.
    """

    @memoized_property
    def file_config(self) -> ConfigParser:
        """The parsed alembic.ini, as Alembic reads it, with the folder's name taken literally."""
        parser: ConfigParser = super().file_config
        parser.set(parser.default_section, "here", parser.defaults()["here"].replace("%", "%%"))
        return parser
