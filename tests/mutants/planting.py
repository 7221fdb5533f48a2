"""Puts one fault into the running process: into a function, a constant, or the database."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from types import CodeType, FunctionType, ModuleType
from typing import Any

from django.db import connection

from tests.mutants.faults import Fault, numbered
from tests.mutants.python_faults import tree_faults
from tests.mutants.sql_faults import sql_faults
from tokenplan.runtime.folders import ROOT

# Only these are told when a constant changes: nobody else has imported one of ours.
OURS = ("teams", "quota", "billing", "tokenplan", "tests")


def faults_of_module(name: str, statements: tuple[str, ...] = ()) -> list[Fault]:
    """Every fault of a module's functions and constants, and of the SQL in its constants `statements`."""
    module = importlib.import_module(name)
    path = str(inspect.getsourcefile(module))
    tree = ast.parse(inspect.getsource(module))
    file = path.removeprefix(f"{ROOT}/")
    found = [
        Fault(
            place=f"{file}::{of_tree.function.removeprefix('.')}",
            change=of_tree.change,
            file=path,
            lines=of_tree.lines or _users(tree, of_tree.function.removeprefix(".")),
            plant=_into_python(module, tree, of_tree.function, of_tree.plant),
        )
        for of_tree in tree_faults(tree)
    ]
    for constant in statements:
        for change, text in sql_faults(getattr(module, constant)):
            plant = _into_constant(module, constant, text)
            found.append(Fault(f"{file}::{constant}", change, path, _users(tree, constant), plant))
    return numbered(found)


def _users(tree: ast.Module, constant: str) -> frozenset[int]:
    """The lines of the module's functions that use the constant; none where it is used elsewhere alone."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    using = [
        function
        for function in functions
        if any(isinstance(node, ast.Name) and node.id == constant for node in ast.walk(function))
    ]
    return frozenset(
        line for function in using for line in range(function.body[0].lineno, (function.end_lineno or 0) + 1)
    )


def _into_python(
    module: ModuleType, tree: ast.Module, function: str, change: Callable[[], None]
) -> Callable[[], None]:
    def plant() -> None:
        change()
        code = compile(ast.fix_missing_locations(tree), str(module.__file__), "exec", dont_inherit=True)
        if function.startswith("."):
            _assign_again(module, tree, function.removeprefix("."))
        else:
            live = live_function(module, function)
            live.__code__ = _code_of(code, function)

    return plant


def _code_of(module: CodeType, function: str) -> CodeType:
    """The code of a function in the code of its module, by its qualified name."""
    code = module
    for name in function.split("."):
        code = next(
            inner for inner in code.co_consts if isinstance(inner, CodeType) and inner.co_name == name
        )
    return code


def live_function(module: ModuleType, name: str) -> FunctionType:
    """The function that runs when this qualified name is called, under whatever decorates it."""
    owner: Any = module
    for part in name.split("."):
        owner = vars(owner)[part]
    if isinstance(owner, property):
        owner = owner.fget
    if isinstance(owner, cached_property):
        owner = owner.func
    owner = getattr(owner, "__func__", owner)
    if clear := getattr(owner, "cache_clear", None):
        clear()
    owner = inspect.unwrap(owner)
    assert isinstance(owner, FunctionType)
    return owner


def _assign_again(module: ModuleType, tree: ast.Module, first: str) -> None:
    """Run the module's assignments from this one on again, so that constants made from others change too."""
    reached = False
    for statement in tree.body:
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
            continue
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        reached = reached or ast.unparse(target) == first
        if reached:
            expression = compile(ast.Expression(statement.value), str(module.__file__), "eval")
            value = eval(expression, vars(module))
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            values = value if isinstance(target, ast.Tuple) else [value]
            for name, one in zip(names, values, strict=True):
                _set_everywhere(module, ast.unparse(name), one)


def _set_everywhere(module: ModuleType, name: str, value: object) -> None:
    """Also where other modules have imported the name."""
    old = vars(module)[name]
    for other in [module for key, module in sys.modules.items() if key.partition(".")[0] in OURS]:
        if vars(other).get(name) is old:
            setattr(other, name, value)
    setattr(module, name, value)


def _into_constant(module: ModuleType, name: str, text: str) -> Callable[[], None]:
    return lambda: _set_everywhere(module, name, text)


def database_functions(migration: str) -> dict[str, str]:
    """The SQL that makes each function of a migration, by name; not that which undoes it."""
    module = importlib.import_module(migration)
    sql = "".join(
        value
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str) and not name.endswith(("BEFORE", "BACK", "DROP"))
    )
    found = re.findall(r"CREATE (?:OR REPLACE )?FUNCTION (\w+)(.*?\$\$.*?\$\$)", sql, re.S)
    return {name: f"CREATE OR REPLACE FUNCTION {name}{body}" for name, body in found}


def functions_in_force(migrations: Sequence[str]) -> dict[str, dict[str, str]]:
    """Of each of these migrations, in their order, the functions that none of the later ones makes anew."""
    made = {migration: database_functions(migration) for migration in migrations}
    last = {name: migration for migration, functions in made.items() for name in functions}
    return {
        migration: {name: sql for name, sql in functions.items() if last[name] == migration}
        for migration, functions in made.items()
    }


def faults_of_database(
    migration: str, functions: dict[str, str], lines: dict[str, tuple[str, frozenset[int]]]
) -> Iterator[Fault]:
    """Every fault of these functions of a migration. `lines`: the file and lines that call each."""
    file = str(importlib.import_module(migration).__file__).removeprefix(f"{ROOT}/")
    for name, sql in functions.items():
        faults = [
            Fault(f"{file}::{name}", change, lines[name][0], lines[name][1], _into_database(text), text)
            for change, text in sql_faults(sql)
        ]
        yield from numbered(faults)


def _into_database(sql: str) -> Callable[[], None]:
    def plant() -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql)

    return plant
