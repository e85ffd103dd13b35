"""Every door to the engine: the two programs, the Python API, and the env.py of a project that Alembic's own templates made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

import sqlalchemy as sa

from migrator import Migrator, MigratorError
from tests.kit.fork_server import Forks, Job, Process
from tests.kit.processes import Result
from tests.kit.projects import alembic_init, miniature, write_revisions

# What an existing project changes: the import, and these lines of its env.py.
THEIRS = {
    "generic": """        context.configure(
            connection=connection, target_metadata=target_metadata
        )

        with context.begin_transaction():
            context.run_migrations()
""",
    "async": """    context.configure(connection=connection, target_metadata=target_metadata)

    with context.begin_transaction():
        context.run_migrations()
""",
}
OURS = {
    "generic": "        migrator.run(connection, target_metadata=target_metadata)\n",
    "async": "    migrator.run(connection, target_metadata=target_metadata)\n",
}
_ASYNC_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}


@dataclass(frozen=True)
class Door:
    """One way in. `start` works on a project that `make` has made; in this process where `program` is empty."""

    make: Callable[..., str]
    program: str = "alembic"

    def start(
        self, forks: Forks, config: str, url: str, *arguments: str, times: int = 1, **environment: str
    ) -> list[Process]:
        """Start the command so many times at once, each in a process of its own."""
        program = self.program or "migrate.py"
        return forks.start(*[Job(arguments, config, url, program=program, environment=environment)] * times)

    def run(self, forks: Forks, config: str, url: str, *arguments: str) -> Result:
        """Run the command to its end; stderr is all that was said, because Alembic writes its errors to stdout."""
        if self.program:
            (process,) = self.start(forks, config, url, *arguments)
            result = process.wait()
            return Result(result.code, result.stdout, result.stdout + result.stderr)
        try:
            getattr(Migrator(config, database_url=url), arguments[0])(*arguments[1:])
        except MigratorError as error:
            return Result(error.exit_code, "", str(error))
        return Result(0, "", "")


def alembic_project(template: str, *, changed: bool = True, before: str = "") -> Callable[..., str]:
    """A project as `alembic init --template` makes it, with the three lines of its env.py changed; `before` is put before them."""

    def make(directory: Path, *bodies: str, url: str) -> str:
        env = alembic_init(directory, _url(template, url), template=template)
        text = env.read_text()
        assert text.count(THEIRS[template]) == 1
        margin = "    " if template == "generic" else ""
        text = text.replace(THEIRS[template], indent(before, margin) + (OURS if changed else THEIRS)[template])
        env.write_text(text.replace("from alembic import context\n", "from alembic import context\nimport migrator\n"))
        write_revisions(directory, bodies)
        return str(directory / "alembic.ini")

    return make


def _url(template: str, url: str) -> str:
    parsed = sa.make_url(url)
    if template == "async":
        parsed = parsed.set(drivername=_ASYNC_DRIVERS[parsed.get_backend_name()])
    return parsed.render_as_string(hide_password=False)


def _own(directory: Path, *bodies: str, url: str) -> str:
    return miniature(directory, *bodies)


DOORS: Mapping[str, Door] = {
    "migrate.py": Door(_own, "migrate.py"),
    "alembic": Door(_own),
    "Migrator": Door(_own, ""),
    "a generic env.py": Door(alembic_project("generic")),
    "an async env.py": Door(alembic_project("async")),
}
