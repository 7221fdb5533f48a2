"""Each function that locks rows has a race that notices when the lock is gone."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICES = ("teams/services", "quota/services", "quota/hot_path", "billing/services")
LOCK = re.compile(r"select_for_update|_*lock(ed)?(_\w+)?")
RACERS = re.compile(r"tests\.helpers\.(races|locks)")


def trees(*folders: str, of: str = "") -> Iterator[tuple[Path, ast.Module]]:
    """The modules in whose text this is found."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if re.search(of, text := path.read_text()):
                yield path, ast.parse(text)


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def named_in(tree: ast.AST) -> set[str]:
    """Whatever is called, or handed on to be called, or replaced by its name for a control."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=str(name)):
                names.add(name)
    return names


def races() -> set[str]:
    """What tests name that run something beside something else."""
    names: set[str] = set()
    for path, tree in trees("tests", of=RACERS.pattern):
        imported = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and RACERS.fullmatch(node.module or "")
            for alias in node.names
        }
        if path.parent.name == "races":
            names |= named_in(tree)
        elif path.parent.name != "helpers":
            for function in functions(tree):
                here = named_in(function)
                names |= here if here & imported else set()
    return names


def test_whatever_locks_has_a_race() -> None:
    """By itself, or in what a race calls."""
    calls: defaultdict[str, set[str]] = defaultdict(set)
    for _, tree in trees(*SERVICES, "tests/helpers"):
        for function in functions(tree):
            calls[function.name] |= named_in(function)
    raced, new = set(), races()
    while new:
        raced |= new
        new = set().union(*(calls[name] for name in new if name in calls)) - raced
    without = [
        f"{path.relative_to(ROOT)}: {function.name}"
        for path, tree in trees(*SERVICES)
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
        and any(LOCK.fullmatch(name) for name in named_in(function))
        and function.name not in raced
    ]
    assert without == []
