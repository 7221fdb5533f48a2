"""Names are the field's words: a stranger searches for them. No module is a drawer for the rest."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps

from tests.keepers import OURS, files
from tokenplan.runtime.folders import ROOT

DRAWERS = {"base_utils", "common", "helper", "helpers", "misc", "shared", "util", "utils"}
# Words that we once made up, and the field's word for each.
REPLACED = {
    "doorbell": "enqueue, notify",
    "equip": "say what is done",
    "facts": "Stripe snapshot, CallState, SeatUsage",
    "fetches": "sequence",
    "look": "sync, refresh",
    "looked": "synced",
    "looks": "sync",
    "nonsense": "malformed input",
    "ring": "enqueue",
    "rung": "enqueued",
    "standing": "subscription status",
    "telling": "notifications",
    "ticket": "fetch sequence",
    "tickets": "fetch sequence",
    "told": "say what is done",
    "visit": "checkout session",
    "visits": "checkout sessions",
    "wish": "change request",
    "wished": "requested",
    "wishes": "change requests",
}


def words(name: str) -> set[str]:
    """`lookAt_HTTPRing` has the words look, at, http, ring."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def defined_in(file: Path) -> Iterator[tuple[int, str]]:
    """Line and name of each function, class, parameter and variable that a module defines."""
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name


def test_no_module_is_a_drawer() -> None:
    found = [file for file in files(*OURS, suffix=".py") if file.stem in DRAWERS]
    assert found == []


@pytest.mark.parametrize("package", [*OURS, "tests", "templates", "static"])
def test_made_up_words_are_replaced_by_the_words_of_the_field(package: str) -> None:
    found = [
        f"{file.relative_to(ROOT)}: {word} -> {REPLACED[word]}"
        for file in files(package)
        for word in sorted(words(file.stem) & REPLACED.keys())
    ]
    for file in files(package, suffix=".py"):
        for line, name in defined_in(file):
            for word in sorted(words(name) & REPLACED.keys()):
                found.append(f"{file.relative_to(ROOT)}:{line}: {name}, {word} -> {REPLACED[word]}")
    assert found == [], "\n".join(found)


@pytest.mark.parametrize("app", ["teams", "quota", "billing"])
def test_the_name_of_a_constraint_reads_as_a_sentence(app: str) -> None:
    names = [
        constraint.name
        for model in apps.get_app_config(app).get_models()
        for constraint in model._meta.constraints
    ]
    assert names
    assert [name for name in names if len(name.split("_")) < 3] == []
