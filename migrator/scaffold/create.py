"""`create(folder)`: a new project with an example model, its revision, tests and a copy of the engine.

The files are those under `project/`. A name that ends in `.template` loses that (so that no tool takes the file for one of the
engine's modules), and a leading `dot-` becomes a dot (so that git does not obey the file here).
"""

import shutil
from pathlib import Path

from migrator.errors import error

_ENGINE = Path(__file__).resolve().parent.parent
_PROJECT = Path(__file__).resolve().parent / "project"
_CACHES = shutil.ignore_patterns("__pycache__", "*.py[cod]")


def create(target: Path) -> tuple[Path, ...]:
    """Write a new project into `target` and return its files, sorted; opens no database.

    `target` must be empty or not exist; its missing parents are made. Where anything fails, everything written is removed again.
    Raises SettingsError.
    """
    target = target.absolute()
    try:
        if target.exists() and (found := sorted(path.name for path in target.iterdir())):
            raise error("scaffold-not-empty", path=target, found=_first(found))
        made = _make_folder(target)
        try:
            _fill(target)
        except BaseException:  # an interrupted one leaves nothing either
            _remove(target, made)
            raise
    except OSError as raised:
        raise error("file-unusable", path=raised.filename or target, reason=raised.strerror) from raised
    return tuple(sorted(path for path in target.rglob("*") if path.is_file()))


def target_of(source: Path) -> Path:
    """Return where a file of `project/` goes, relative to the new project."""
    name = source.name.removesuffix(".template")
    return source.relative_to(_PROJECT).with_name(f".{name.removeprefix('dot-')}" if name.startswith("dot-") else name)


def templates() -> dict[Path, Path]:
    """Return the files under `project/`, by where they go."""
    return {target_of(path): path for path in sorted(_PROJECT.rglob("*")) if path.is_file() and not _is_cache(path)}


def _fill(target: Path) -> None:
    for where, source in templates().items():
        (target / where).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target / where)
    shutil.copytree(_ENGINE, target / "migrator", ignore=_CACHES, copy_function=shutil.copyfile)


def _is_cache(path: Path) -> bool:
    return bool(_CACHES(str(path.parent), [path.name])) or "__pycache__" in path.parts


def _make_folder(target: Path) -> list[Path]:
    """Make the folder and return every folder that was made for it, the innermost first."""
    missing = [folder for folder in (target, *target.parents) if not folder.exists()]
    target.mkdir(parents=True, exist_ok=True)
    return missing


def _remove(target: Path, made: list[Path]) -> None:
    for path in target.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for folder in made:
        folder.rmdir()


def _first(names: list[str]) -> tuple[str, ...]:
    return (*names[:3], f"{len(names) - 3} more") if len(names) > 3 else tuple(names)
