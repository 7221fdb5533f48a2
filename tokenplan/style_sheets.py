"""What of a style sheet is used: pure."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

# At-rules that hold rules, each used or not.
HOLDERS = ("@media", "@supports", "@layer", "@container")
CLASS = re.compile(r"\.((?:[\w-]|\\.)+)")
# What is in brackets is no demand: `.btn:not(.active)` is about buttons, whether or not one is ever active.
IN_BRACKETS = re.compile(r"\[[^\]]*\]|\([^()]*\)")
# A comma that parts selectors, and not one between brackets.
COMMA = re.compile(r",(?![^(]*\))")
# What ends a prelude, nests or leaves a block, or may hide such signs.
SIGN = re.compile(r"""/\*.*?\*/|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[;{}]""", re.S)


def pruned(sheet: str, used: Container[str]) -> str:
    """The sheet without the rules of classes that are not `used`. All else stays: rules of elements and ids,
    variables, animations, fonts.
    """
    kept = []
    for prelude, body in _items(sheet):
        if body is None:
            kept.append(f"{prelude};")
        elif prelude.startswith(HOLDERS):
            inner = pruned(body, used)
            kept.append(f"{prelude}{{{inner}}}" if inner else "")
        elif prelude.startswith("@"):
            kept.append(f"{prelude}{{{body}}}")
        else:
            selectors = [one for one in COMMA.split(prelude) if all(name in used for name in classes_of(one))]
            kept.append(f"{','.join(selectors)}{{{body}}}" if selectors else "")
    return "".join(kept)


def classes_of(selector: str) -> set[str]:
    """The classes that an element, or those around it, must have for the selector to match."""
    while (plain := IN_BRACKETS.sub("", selector)) != selector:
        selector = plain
    return {name.replace("\\", "") for name in CLASS.findall(selector)}


def _items(sheet: str) -> Iterator[tuple[str, str | None]]:
    """Each rule as what stands before its block and what is in it; a statement without a block has None."""
    begins = opened = depth = 0
    prelude = ""
    for sign in SIGN.finditer(sheet):
        match sign[0]:
            case "{":
                depth += 1
                if depth == 1:
                    prelude, opened = _plain(sheet[begins : sign.start()]), sign.end()
            case "}":
                depth -= 1
                if depth == 0:
                    yield prelude, sheet[opened : sign.start()]
                    begins = sign.end()
            case ";" if depth == 0:
                yield _plain(sheet[begins : sign.start()]), None
                begins = sign.end()


def _plain(prelude: str) -> str:
    """Without comments."""
    return re.sub(r"/\*.*?\*/", "", prelude, flags=re.S).strip()
