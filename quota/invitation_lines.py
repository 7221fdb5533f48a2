"""Many invitations as a text: one line a person, `mail, role, plan, Credits a month`, pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _

from quota.money import MAX_NANOUSD, nanousd_from_credits
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.text import clean_email

MOST_LINES = 5_000
_PARTED = re.compile(r"[,;\t]")
_AMOUNT = re.compile(r"[0-9][0-9 _.]*(?:credits)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Line:
    """What one line asks for. `problem` says what is wrong with it; then the rest may be missing.

    `credits`: access to the Team's Credits, up to `month_cap_nanousd` a month (None: no cap).
    """

    number: int
    text: str
    email: str = ""
    role: str = "member"
    plan_code: str = ""
    credits: bool = False
    month_cap_nanousd: int | None = None
    problem: str = ""


def read_lines(text: str, plans: Mapping[str, str]) -> list[Line]:
    """The lines that are not empty, as they are numbered in the text. `plans`: names by code.

    After the address come a role (`admin` or `member`), a plan by code or name, and Credits (an amount a
    month, or `credits` for no cap), each at most once and in any order. Raises InvalidValue for more lines
    than MOST_LINES.
    """
    words = {name.casefold(): code for code, name in plans.items()} | {code: code for code in plans}
    filled = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(filled) > MOST_LINES:
        raise InvalidValue(
            _("These are %(count)s lines; send at most %(most)s at a time.")
            % {"count": len(filled), "most": MOST_LINES},
            pointer="/lines",
        )
    return list(_without_doubles(_line(number, line, words) for number, line in filled))


def _without_doubles(lines: Iterator[Line]) -> Iterator[Line]:
    first: dict[str, int] = {}
    for line in lines:
        if line.problem:
            yield line
        elif line.email in first:
            said = _("This address stands in line %(number)s already.") % {"number": first[line.email]}
            yield replace(line, problem=said)
        else:
            first[line.email] = line.number
            yield line


def _line(number: int, text: str, plans: Mapping[str, str]) -> Line:
    line = Line(number, text)
    email, *parts = (part.strip() for part in _PARTED.split(text))
    try:
        line = replace(line, email=clean_email(email, pointer="/lines"))
        seen: set[str] = set()
        for part in filter(None, parts):
            values = _part(part, plans, seen)
            seen |= values.keys()
            line = replace(line, **values)
    except InvalidValue as refusal:
        return replace(line, problem=refusal.detail)
    return line


def _part(part: str, plans: Mapping[str, str], seen: set[str]) -> dict[str, Any]:
    """The fields that a part sets, none of which is set already. Raises InvalidValue."""
    values = _fields(part, plans)
    if seen & values.keys():
        raise InvalidValue(_("Give a role, a plan and Credits once each; write numbers without commas."))
    return values


def _fields(part: str, plans: Mapping[str, str]) -> dict[str, Any]:
    word = part.casefold()
    if word in ("admin", "member"):
        return {"role": word}
    if word in plans:
        return {"plan_code": plans[word]}
    if word == "credits":
        return {"credits": True}
    if _AMOUNT.fullmatch(part):
        return {"credits": True, "month_cap_nanousd": _cap(part)}
    raise InvalidValue(
        _("“%(part)s” is neither a role (admin, member) nor a plan (%(plans)s) nor a number of Credits.")
        % {"part": part[:50], "plans": ", ".join(dict.fromkeys(plans.values()))}
    )


def _cap(part: str) -> int:
    digits = re.sub(r"[ _]|credits", "", part, flags=re.IGNORECASE)
    try:
        cap = nanousd_from_credits(digits)
    except ValueError:
        raise InvalidValue(
            _("“%(part)s”: give a number of Credits such as 5000, without commas.") % {"part": part[:50]}
        ) from None
    if cap > MAX_NANOUSD:
        raise InvalidValue(_("“%(part)s” is more Credits than there can be.") % {"part": part[:50]})
    return cap
