"""The table of the commands. A command is a row here and a module of this package, which loads when the command is asked for."""

from importlib import import_module

from migrator.cli.command import Command
from migrator.cli.commands.alembic import ALEMBIC_COMMANDS, alembic_command

# In the order of --help: each command and the module that has it as `COMMAND`.
COMMANDS = {
    "upgrade": "upgrade",
    "downgrade": "downgrade",
    "status": "status",
    "current": "current",
    "history": "history",
    "log": "log",
    "adopt": "adopt",
    "baseline": "baseline",
    "stamp": "stamp",
    "scaffold": "scaffold",
}


def load(name: str) -> Command | None:
    """Return the command of that name, one of Alembic's included; None where there is none."""
    if name in ALEMBIC_COMMANDS:
        return alembic_command(name)
    if name not in COMMANDS:
        return None
    command: Command = import_module(f"{__name__}.{COMMANDS[name]}").COMMAND
    return command


def every() -> list[Command]:
    """Return all commands in the order of --help."""
    return [command for name in (*COMMANDS, *ALEMBIC_COMMANDS) if (command := load(name))]
