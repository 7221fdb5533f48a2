"""A transaction is a `with` block or a decorator, nothing else.

One that is opened by hand is not closed when its connection breaks between the two: the thread that it
belongs to answers 500 from then on. The local Stripe keeps its own small database, of SQLite.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator

import pytest

from tests.keepers import files
from tokenplan.runtime.folders import ROOT

BLOCKS = {"atomic", "one_transaction", "refused_by"}
BY_HAND = {
    *("__enter__", "__exit__", "enter_context", "set_autocommit", "autocommit", "commit", "rollback"),
    *("savepoint", "savepoint_commit", "savepoint_rollback", "set_rollback", "clean_savepoints"),
}
# A context of files, in a process that opens no connection.
KNOWN = {("tokenplan/runtime/embedded.py", "enter_context")}
STATEMENTS = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "START TRANSACTION")


def made_by_hand(source: str) -> Iterator[str]:
    """What of a module handles a transaction other than as a block."""
    tree = ast.parse(source)
    blocks = set(uses_as_blocks(tree))
    for node in ast.walk(tree):
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        by_hand = name in BY_HAND and isinstance(node, ast.Attribute)
        if by_hand or (name in BLOCKS and node not in blocks):
            yield name
        if isinstance(node, ast.Call) and is_a_statement(node):
            yield "execute"


def uses_as_blocks(tree: ast.AST) -> Iterator[ast.AST]:
    """`atomic` and its kin where they stand in a `with` or as a decorator, called or not."""
    for node in ast.walk(tree):
        places: list[ast.expr] = []
        if isinstance(node, ast.With):
            places = [item.context_expr for item in node.items]
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            places = node.decorator_list
        for place in places:
            yield place.func if isinstance(place, ast.Call) else place


def is_a_statement(call: ast.Call) -> bool:
    """`cursor.execute("BEGIN")` and the like."""
    executes = isinstance(call.func, ast.Attribute) and call.func.attr == "execute"
    text = call.args[0].value if executes and call.args and isinstance(call.args[0], ast.Constant) else ""
    return isinstance(text, str) and text.lstrip().upper().startswith(STATEMENTS)


@pytest.mark.parametrize("floor", ["teams", "quota", "billing", "tokenplan"])
def test_no_transaction_is_made_by_hand(floor: str) -> None:
    found = [
        (name, what)
        for path in files(floor, suffix=".py")
        if not (name := str(path.relative_to(ROOT))).startswith("tokenplan/local_stripe/")
        for what in made_by_hand(path.read_text())
    ]
    assert [each for each in found if each not in KNOWN] == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("with transaction.atomic(): pass", []),
        ("with transaction.atomic(durable=True), connection.cursor() as cursor: pass", []),
        ("@transaction.atomic\ndef f(): pass", []),
        ("@one_transaction()\ndef f(): pass", []),
        ("self._atomic = transaction.atomic()", ["atomic"]),
        ("guard = one_transaction", ["one_transaction"]),
        ("block.__enter__()", ["__enter__"]),
        ("stack.enter_context(transaction.atomic())", ["enter_context", "atomic"]),
        ("connection.autocommit = False", ["autocommit"]),
        ("transaction.set_autocommit(False)", ["set_autocommit"]),
        ("sid = transaction.savepoint()", ["savepoint"]),
        ("cursor.execute('begin')", ["execute"]),
        ("cursor.execute('SELECT 1')", []),
    ],
)
def test_the_keeper_finds_each_kind(source: str, found: list[str]) -> None:
    assert sorted(made_by_hand(textwrap.dedent(source))) == sorted(found)
