"""A fault, whatever language it is in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Fault:
    """One small change of the code. `place` is the file and what in it is changed, `change` says how; the two
    together name it in every run, as long as the code beside it stays as it is.

    `plant` changes the process that calls it. `lines` are those of `file` that a test must reach to notice,
    `near` the files or folders of tests that are to notice.
    """

    place: str
    change: str
    file: str
    lines: frozenset[int]
    plant: Callable[[], None]
    sql: str = ""
    near: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.place}: {self.change}"


def numbered(faults: Iterable[Fault]) -> list[Fault]:
    """The faults, those of one name numbered in the order of the code."""
    seen: Counter[str] = Counter()
    named = []
    for fault in faults:
        seen[fault.name] += 1
        number = seen[fault.name]
        named.append(fault if number == 1 else replace(fault, change=f"{fault.change} ({number})"))
    return named
