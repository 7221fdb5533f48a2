"""What is kept from one run to the next."""

from __future__ import annotations

from pathlib import Path

from tests.mutants.memory import SAVED_AFTER, Memory


def test_who_noticed_a_fault_is_asked_first_the_next_time(tmp_path: Path) -> None:
    file = tmp_path / "noticed.json"
    first = Memory(["a: b", "c: d", "e: f"], file)
    assert first.test_of("a: b") == ""
    first.note("a: b", "tests/x.py::test_y[1]")
    first.note("c: d", "tests/x.py::test_y[1]")
    first.note("e: f", "tests/x.py::test_z")
    first.note("e: f", "")
    first.save()
    again = Memory(["a: b", "c: d", "e: f"], file)
    found = [again.test_of(name) for name in ("a: b", "c: d", "e: f")]
    assert found == ["tests/x.py::test_y[1]", "tests/x.py::test_y[1]", ""]


def test_a_fault_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "noticed.json"
    first = Memory(["a: b", "c: d"], file)
    first.note("a: b", "tests/x.py::test_y")
    first.note("c: d", "tests/x.py::test_y")
    first.save()
    Memory(["c: d"], file).save()
    again = Memory(["a: b", "c: d"], file)
    assert (again.test_of("a: b"), again.test_of("c: d")) == ("", "tests/x.py::test_y")


def test_a_run_that_is_ended_keeps_what_it_had_found(tmp_path: Path) -> None:
    file = tmp_path / "noticed.json"
    names = [f"fault {number}" for number in range(SAVED_AFTER)]
    memory = Memory(names, file)
    for name in names[:-1]:
        memory.note(name, "tests/x.py::test_y")
    assert not file.exists()
    memory.note(names[-1], "tests/x.py::test_y")
    assert Memory(names, file).test_of(names[0]) == "tests/x.py::test_y"
