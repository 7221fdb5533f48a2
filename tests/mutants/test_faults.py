"""Which faults are planted, and that a planted one is there."""

from __future__ import annotations

import ast
import sys
from types import ModuleType

import pytest

from tests.mutants.faults import Fault, numbered
from tests.mutants.planting import _into_python
from tests.mutants.python_faults import tree_faults
from tests.mutants.sql_faults import sql_faults

SOURCE = '''
from functools import cached_property

LIMIT = 10
TWICE = LIMIT * 2

class Box:
    """A box."""

    @property
    def is_full(self) -> bool:
        return self.size >= TWICE and not self.open

    @cached_property
    def twice(self) -> int:
        return self.size * 2

    @classmethod
    def of(cls, size: int = 3) -> "Box":
        """With this size."""
        box = cls()
        box.size, box.open = size, False
        return box
'''


@pytest.fixture
def box() -> ModuleType:
    module = ModuleType("tests.a_box")
    module.__file__ = "a_box.py"
    exec(compile(SOURCE, "a_box.py", "exec"), vars(module))
    sys.modules[module.__name__] = module
    return module


def plant(module: ModuleType, change: str) -> None:
    tree = ast.parse(SOURCE)
    (fault,) = [fault for fault in tree_faults(tree) if fault.change == change]
    _into_python(module, tree, fault.function, fault.plant)()


@pytest.mark.parametrize(
    ("change", "full"),
    [
        ("self.size >= TWICE → self.size > TWICE", [False, False, True]),
        ("self.size >= TWICE and (not self.open) → not self.open", [True, True, True]),
        ("10 → 11", [False, False, False]),  # TWICE is made from it
        ("LIMIT * 2 → LIMIT // 2", [True, True, True]),
    ],
)
def test_a_fault_changes_the_module_that_is_loaded(box: ModuleType, change: str, full: list[bool]) -> None:
    assert [box.Box.of(size).is_full for size in (19, 20, 21)] == [False, True, True]
    plant(box, change)
    assert [box.Box.of(size).is_full for size in (19, 20, 21)] == full


def test_a_fault_is_planted_in_a_value_that_is_kept(box: ModuleType) -> None:
    plant(box, "self.size * 2 → self.size // 2")
    assert box.Box.of(20).twice == 10


def test_guards_and_the_names_of_types_are_left_alone() -> None:
    tree = ast.parse('Row = TypeVar("Row")\n\ndef f(a, b):\n    zip(a, b, strict=True)')
    assert [fault.change for fault in tree_faults(tree)] == ["zip(a, b, strict=True) → pass"]


def test_documentation_defaults_annotations_and_texts_are_left_alone() -> None:
    tree = ast.parse('def f(size: int = 3) -> "int":\n    """With 3."""\n    return _("A box of 3")')
    assert [fault.change for fault in tree_faults(tree)] == ["return _('A box of 3') → return None"]


def test_each_named_argument_of_a_call_is_left_out_and_named() -> None:
    tree = ast.parse("def f(a):\n    g(1, one=a, **a)")
    changes = [fault.change for fault in tree_faults(tree)]
    assert [change for change in changes if "without" in change] == ["g(…) without one", "g(…) without a"]


def test_the_terms_the_order_and_the_lock_of_a_query_are_left_out_one_at_a_time() -> None:
    sql = """SELECT a FROM t -- AND this is a comment
        WHERE t.x = 1 AND (t.y IS NULL OR t.y > now()) ORDER BY t.z DESC LIMIT 1 FOR NO KEY UPDATE;"""
    changed = [" ".join(text.split("comment")[1].split()) for _, text in sql_faults(sql)]
    rest = "ORDER BY t.z DESC LIMIT 1 FOR NO KEY UPDATE;"
    assert set(changed) == {
        f"WHERE t.x = 1 {rest}",
        f"WHERE (t.y IS NULL OR t.y > now()) {rest}",
        f"WHERE t.x = 2 AND (t.y IS NULL OR t.y > now()) {rest}",
        f"WHERE t.x = 1 AND (t.y IS NOT NULL OR t.y > now()) {rest}",
        f"WHERE t.x = 1 AND (t.y IS NULL ) {rest}",
        f"WHERE t.x = 1 AND ( t.y > now()) {rest}",
        f"WHERE t.x = 1 AND (t.y IS NULL OR t.y >= now()) {rest}",
        "WHERE t.x = 1 AND (t.y IS NULL OR t.y > now()) LIMIT 1 FOR NO KEY UPDATE;",
        "WHERE t.x = 1 AND (t.y IS NULL OR t.y > now()) ORDER BY t.z LIMIT 1 FOR NO KEY UPDATE;",
        "WHERE t.x = 1 AND (t.y IS NULL OR t.y > now()) ORDER BY t.z DESC LIMIT 1 ;",
    }


def test_the_first_term_of_a_condition_and_its_default_are_left_out() -> None:
    sql = "IF NOT coalesce(v, false) THEN RETURN 0; END IF;"
    assert {text for _, text in sql_faults(sql)} == {
        "IF true THEN RETURN 0; END IF;",
        "IF false THEN RETURN 0; END IF;",
        "IF  coalesce(v, false) THEN RETURN 0; END IF;",
        "IF NOT (v) THEN RETURN 0; END IF;",
        "IF NOT coalesce(v, false) THEN RETURN 1; END IF;",
    }


def test_faults_of_one_name_are_numbered() -> None:
    fault = Fault("a.py::f", "0 → 1", "a.py", frozenset(), lambda: None)
    assert [one.name for one in numbered([fault, fault])] == ["a.py::f: 0 → 1", "a.py::f: 0 → 1 (2)"]
