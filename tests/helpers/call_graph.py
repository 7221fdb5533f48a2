"""Which functions of our modules use which others, read from the source."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from types import ModuleType

Named = ast.Name | ast.Attribute


class Part:
    """A function, a method, or a statement beside them in a module or a class; each item of a list there."""

    def __init__(self, module: ModuleType, of: type | None, name: str, node: ast.AST) -> None:
        self.module = module
        self.of = of
        self.name = name
        self._named = [one for one in ast.walk(node) if isinstance(one, Named)]
        self._local = {one.id for one in self._named if isinstance(one, ast.Name) and _is_set(one)}
        self._local |= {one.arg for one in ast.walk(node) if isinstance(one, ast.arg)}

    def __str__(self) -> str:
        return ".".join([self.module.__name__, *([self.of.__name__] if self.of else []), self.name])

    @cached_property
    def names(self) -> set[str]:
        """Whatever is named in it."""
        return {one.id if isinstance(one, ast.Name) else one.attr for one in self._named}

    @cached_property
    def uses(self) -> set[int]:
        """What the names mean in the module, whatever it was imported as: `id` of each."""
        return {id(meant) for one in self._named if (meant := self._meant(one)) is not None}

    def is_used_by(self, other: Part) -> bool:
        if other is self:
            return False
        if self.of is not None:
            return other.of is self.of and self.name in other.names
        function = getattr(self.module, self.name, None)
        return function is not None and id(function) in other.uses

    def _meant(self, node: ast.expr) -> object:
        if isinstance(node, ast.Name):
            return None if node.id in self._local else getattr(self.module, node.id, None)
        if isinstance(node, ast.Attribute):
            return getattr(self._meant(node.value), node.attr, None)
        return None


def used_without(
    guarded: Collection[object], *, guards: Callable[[Part], bool], modules: Sequence[ModuleType]
) -> set[str]:
    """The parts of these modules that come to one of these functions, by whatever way, and no guard on it."""
    parts = [part for module in modules for part in parts_of(module)]
    wanted = {id(one) for one in guarded}
    unguarded: set[str] = set()
    seen: set[Part] = set()
    following = [part for part in parts if wanted & part.uses]
    while following:
        part = following.pop()
        if part in seen or guards(part):
            continue
        seen.add(part)
        users = [other for other in parts if part.is_used_by(other)]
        if not users:
            unguarded.add(str(part))
        following += users
    return unguarded


def parts_of(module: ModuleType) -> Iterator[Part]:
    """All parts of the module."""
    yield from _parts(ast.parse(inspect.getsource(module)).body, module, None)


def _parts(body: Sequence[ast.stmt], module: ModuleType, of: type | None) -> Iterator[Part]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Part(module, of, node.name, node)
        elif isinstance(node, ast.ClassDef):
            yield from _parts(node.body, module, getattr(module, node.name))
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple | ast.List):
            for item in node.value.elts:
                yield Part(module, of, f"line {item.lineno}", item)
        else:
            yield Part(module, of, f"line {node.lineno}", node)


def _is_set(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)
