"""The engine's layout: imports go one way, nothing is too big, and only one module knows the private names of Alembic."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.kit import ENGINE, ROOT, TESTS
from tests.kit.source import Import, dotted, imports_in, imports_of_the_engine, modules

# From the top to the bottom. A module imports from its own layer and from those below it.
LAYERS = (
    ("cli",),
    ("scaffold",),
    ("api", "project", "configuration"),
    ("runner",),
    ("adopt",),
    ("schema",),
    ("history",),
    ("url", "types"),
    ("dialects",),
    ("settings", "env_file", "masking", "versions", "alembic_private"),
    ("errors",),
    ("results",),
)
# `migrator/__init__.py` names what is public and loads it when it is asked for: it stands above all of them.
TOP = "migrator"
# Neither database knows the other.
APART = ("migrator.dialects.sqlite", "migrator.dialects.postgresql")
MOST_LINES = 300
MOST_MODULES = 16
FOR_PROJECTS = {"migrator", "migrator.types", "migrator.url"}
PRIVATE = "alembic_private.py"
# Public, whatever they look like: a named tuple's, and a row's as SQLAlchemy documents it.
PUBLIC = {"_replace", "_asdict", "_fields", "_make", "_mapping"}


def layer(module: str) -> int | None:
    """How high a module stands; None for one that has no place in the table."""
    if module == TOP:
        return len(LAYERS)
    part = module.split(".")[1]
    return next((len(LAYERS) - 1 - index for index, names in enumerate(LAYERS) if part in names), None)


def said(found: Import) -> str:
    return f"{found.source}:{found.line} imports {found.target}"


def engine_imports() -> list[Import]:
    """The imports between modules of the engine. The version, a constant of the package itself, may be read from anywhere."""
    return [found for found in imports_of_the_engine() if (found.target, found.name) != (TOP, "__version__")]


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Every group of modules of which each reaches each."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        ahead = [*arrows.get(start, ())]
        while ahead:
            if (one := ahead.pop()) not in seen:
                seen.add(one)
                ahead.extend(arrows.get(one, ()))
        return seen

    reach = {module: reached(module) for module in arrows}
    groups = {frozenset(other for other in reach[one] if one in reach.get(other, ())) for one in arrows}
    return sorted(sorted(group) for group in groups if group)


def private_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The underscored names that a module takes from objects and modules, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.ImportFrom) and not str(node.module).startswith(TOP):
            names = [*str(node.module).split("."), *(alias.name for alias in node.names)]
            yield from ((node.lineno, name) for name in names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "setattr", "hasattr", "delattr"):
            yield from ((node.lineno, each.value) for each in node.args[1:2] if isinstance(each, ast.Constant))


def defined_names(tree: ast.Module) -> Iterator[str]:
    """Every name that a module gives to something of its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            yield node.attr


def test_every_module_has_a_layer() -> None:
    without = [path for path in modules() if layer(dotted(path)) is None]
    assert without == [], "\n".join(without)


def test_imports_go_downwards() -> None:
    upwards = []
    for found in engine_imports():
        here, there = layer(found.source), layer(found.target)
        if here is not None and there is not None and there > here:
            upwards.append(said(found))
    assert upwards == [], "\n".join(dict.fromkeys(upwards))


def test_no_module_imports_itself_by_way_of_others() -> None:
    arrows: dict[str, set[str]] = {dotted(path): set() for path in modules()}
    for found in engine_imports():
        if found.target != found.source:
            arrows[found.source].add(found.target)
    found_circles = circles(arrows)
    assert found_circles == [], "\n".join(" <-> ".join(circle) for circle in found_circles)


def test_neither_database_knows_the_other() -> None:
    one, other = APART
    across = [
        said(found)
        for found in engine_imports()
        for here, there in ((one, other), (other, one))
        if found.source.startswith(here) and found.target.startswith(there)
    ]
    assert across == []


def test_no_file_has_more_than_300_lines() -> None:
    files = [*ENGINE.rglob("*.py"), *TESTS.rglob("*.py")]
    lines = {path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}


def test_no_folder_has_more_than_16_modules() -> None:
    files = [path for top in (ENGINE, TESTS) for path in top.rglob("*.py") if path.name != "__init__.py"]
    counts = Counter(path.parent.relative_to(ROOT).as_posix() for path in files)
    assert {folder: count for folder, count in counts.items() if count > MOST_MODULES} == {}


def test_every_folder_of_tests_is_a_package() -> None:
    projects = {path.parent for path in TESTS.rglob("alembic.ini")}  # which others could have written
    files = [path for path in TESTS.rglob("*.py") if projects.isdisjoint(path.parents)]
    folders = {path.parent for path in files if path.parent.name != "versions"}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_a_project_imports_only_what_is_for_projects() -> None:
    others = []
    for top in ("app", "migrations"):
        for path in sorted((ROOT / top).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found = imports_in(tree, path.relative_to(ROOT).as_posix())
            others += [said(each) for each in found if each.target not in FOR_PROJECTS]
    assert others == []


def test_private_names_of_other_packages_are_used_in_one_module_only() -> None:
    ours = {name for tree in modules().values() for name in defined_names(tree)} | PUBLIC
    files = {Path(path).stem for path in modules()}
    found = {
        f"{path}:{line}: {name}"
        for path, tree in modules().items()
        for line, name in private_names(tree)
        if path != PRIVATE and isinstance(name, str) and name.startswith("_") and not name.startswith("__")
        if name not in ours | files
    }
    assert found == set(), "\n".join(sorted(found))


def test_the_checks_would_notice() -> None:
    tree = ast.parse(
        "from alembic.util import _quiet\nscript._from_path(x)\ngetattr(script, '_rev_path')\nrow._mapping\n"
    )
    assert sorted(set(private_names(tree)) & {(1, "_quiet"), (2, "_from_path"), (3, "_rev_path")}) == [
        (1, "_quiet"),
        (2, "_from_path"),
        (3, "_rev_path"),
    ]
    lazy = ast.parse("def f():\n    from . import lock\n    import_module('migrator.cli')\n")
    found = [each.target for each in imports_in(lazy, "migrator.dialects.sqlite.dialect")]
    assert "migrator.cli" in found
    assert any(target.startswith("migrator.dialects.sqlite") for target in found)
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
