"""Which errors the engine raises, read from its text: the code, the place, and the fields that are handed over."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tests.kit.source import modules

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Site:
    """One place where an error is made. `fields` is None where the text alone does not tell them."""

    place: str
    code: str
    fields: frozenset[str] | None


@cache
def sites() -> tuple[Site, ...]:
    """Every place in the engine that makes an error, which is a call of `migrator.errors.error`."""
    return tuple(site for path, module in modules().items() for site in _sites_in(path, module))


def _sites_in(path: str, module: ast.Module) -> Iterator[Site]:
    names = _names_of_error(module)
    for function, call in _calls(module):
        if getattr(call.func, "id", None) in names and call.args:
            for code in _codes(call.args[0], function):
                yield Site(f"{path}:{call.lineno}", code, _fields(call, function))


def _names_of_error(module: ast.Module) -> set[str]:
    """What a module calls the function."""
    return {
        alias.asname or alias.name
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and node.module == "migrator.errors"
        for alias in node.names
    }


def _calls(module: ast.Module) -> Iterator[tuple[_Function | None, ast.Call]]:
    """Every call with the innermost function that it stands in."""
    inside: dict[int, _Function | None] = {}
    for node in ast.walk(module):  # from the outside to the inside
        holder = node if isinstance(node, _Function) else inside.get(id(node))
        for child in ast.iter_child_nodes(node):
            inside[id(child)] = holder
        if isinstance(node, ast.Call):
            yield inside.get(id(node)), node


def _codes(node: ast.expr, function: _Function | None) -> Iterator[str]:
    """The codes that an expression can be; those of a variable are in what was assigned to it last before."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _codes(node.body, function)
        yield from _codes(node.orelse, function)
    elif isinstance(node, ast.Name):
        before = [value for value in _assigned(node.id, function) if value.lineno <= node.lineno]
        for value in before[-1:]:
            yield from _codes(value, function)


def _assigned(name: str, function: _Function | None) -> list[ast.expr]:
    """What a function assigns to a variable, from its first line to its last."""
    found = [
        node.value
        for node in ast.walk(function or ast.Module([], []))
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in node.targets)
    ]
    return sorted(found, key=lambda value: value.lineno)


def _fields(call: ast.Call, function: _Function | None) -> frozenset[str] | None:
    found: set[str] = set()
    for keyword in call.keywords:
        if keyword.arg is not None:
            found.add(keyword.arg)
        elif (spread := _spread(keyword.value, function)) is not None:
            found |= spread
        else:
            return None
    return frozenset(found)


def _spread(node: ast.expr, function: _Function | None) -> set[str] | None:
    """The names in what stands behind two asterisks, where that is a dictionary that is written out."""
    values = _assigned(node.id, function) if isinstance(node, ast.Name) else [node]
    if len(values) != 1 or not isinstance(values[0], ast.Dict):
        return None
    keys = [key.value if isinstance(key, ast.Constant) else None for key in values[0].keys]
    return {str(key) for key in keys} if None not in keys else None
