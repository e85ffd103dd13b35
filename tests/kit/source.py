"""The engine as text: its modules, parsed, and which of them imports which. Nothing is imported here."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.kit import ENGINE


@dataclass(frozen=True)
class Import:
    """One name of the engine that a module imports, wherever in the module the line stands."""

    source: str
    line: int
    target: str
    """The module, by its dotted name."""
    name: str = ""
    """What is taken out of it; empty for the module itself."""


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the engine by its path inside `migrator/`. Files that a package only carries along are none."""
    return {
        path.relative_to(ENGINE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(ENGINE.rglob("*.py"))
        if _in_packages(path.relative_to(ENGINE))
    }


def dotted(path: str) -> str:
    """The name that a module of the engine is imported by: `migrator.cli` for `cli/__init__.py`."""
    return ".".join(("migrator", *Path(path).with_suffix("").parts)).removesuffix(".__init__")


def imports_of_the_engine() -> Iterator[Import]:
    """Every import of one module of the engine by another, those inside functions and for type checkers included."""
    for path, tree in modules().items():
        yield from imports_in(tree, dotted(path), package=path.endswith("__init__.py"))


def imports_in(tree: ast.Module, source: str, *, package: bool = False) -> Iterator[Import]:
    """What a module imports of the engine; `from x import y` is an import of x.y where that is a module."""
    known = {dotted(path) for path in modules()}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, source, package)
            found = [(base, alias.name) for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            found = [(ast.literal_eval(each), "") for each in node.args[:1] if isinstance(each, ast.Constant)]
        else:
            continue
        for target, name in found:
            if f"{target}.{name}" in known:
                yield Import(source, node.lineno, f"{target}.{name}")
            elif target.partition(".")[0] == "migrator":
                yield Import(source, node.lineno, target, name)


def _base(node: ast.ImportFrom, source: str, package: bool) -> str:
    """The absolute name of the module behind `from`."""
    if not node.level:
        return str(node.module)
    parts = source.split(".")
    above = parts[: len(parts) - node.level + package]
    return ".".join((*above, *(node.module or "").split("."))).rstrip(".")


def _in_packages(path: Path) -> bool:
    return all((ENGINE / parent / "__init__.py").exists() for parent in path.parents)
