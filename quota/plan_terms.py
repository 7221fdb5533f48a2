"""What a version of a plan says, as a value: read from a list, compared line by line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import dateformat
from django.utils.translation import gettext as _

from quota.errors import PlanListInvalid
from quota.money import nanousd_from_usd, usd_text
from quota.windows import EPOCH, MAX_LENGTH_SECONDS, MIN_LENGTH_SECONDS, STEPS, Limit, Policy, Rule


@dataclass(frozen=True, slots=True)
class VersionTerms:
    """What a version of the plan `code` says; its price is not quota's."""

    code: str
    name: str
    rank: int
    agents: tuple[int, int]
    agents_enforced: bool
    limits: tuple[Limit, ...]

    def lines(self) -> dict[str, str]:
        """All that it says, each under its label, in the active language. Versions with the same lines allow
        the same.
        """
        agents = _("%(low)s to %(high)s") % {"low": self.agents[0], "high": self.agents[1]}
        if self.agents_enforced:
            agents = _("%(agents)s, more are refused") % {"agents": agents}
        lines = {_("Name"): self.name, _("Order"): str(self.rank), _("Agents at once"): agents}
        for limit in self.limits:
            lines[_("Quota of %(limit)s") % {"limit": limit.name}] = (
                f"{usd_text(limit.nanousd)}, {_window(limit)}"
            )
        return lines


def _window(limit: Limit) -> str:
    words = f"{limit.label} {limit.rule.policy.value}"
    if limit.rule.anchor is None:
        return words
    # The first window from the epoch on: anchors that give the same windows are shown as one.
    begins = EPOCH + (limit.rule.anchor - EPOCH) % timedelta(seconds=limit.rule.length_seconds)
    return _("%(window)s from %(moment)s UTC") % {
        "window": words,
        "moment": dateformat.format(begins, "D Y-m-d H:i:s"),
    }


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that two versions say, side by side; empty where one does not say it."""

    label: str
    before: str
    after: str

    @property
    def differs(self) -> bool:
        return self.before != self.after

    def __str__(self) -> str:
        return f"{self.label}: {self.before or '–'} -> {self.after or '–'}"


def side_by_side(before: Mapping[str, str], after: Mapping[str, str]) -> list[Line]:
    """Every label of either, in the order of the first and then of the second."""
    return [Line(label, before.get(label, ""), after.get(label, "")) for label in {**before, **after}]


def parse_plans(text: str) -> list[VersionTerms]:
    """The plans of a JSON list . Raises PlanListInvalid."""
    try:
        plans = [_read(row) for row in _rows(text)]
    except ValueError as error:
        raise PlanListInvalid(_("The list of plans cannot be read: %(error)s") % {"error": error}) from None
    if len({plan.code for plan in plans}) < len(plans):
        raise PlanListInvalid(_("The list names a plan twice."))
    return plans


def _rows(text: str) -> list[dict[str, Any]]:
    """Raises ValueError with a reason, as `_read` does."""
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise ValueError(_("it is not JSON (%(reason)s)") % {"reason": error}) from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(_("it is not a JSON list with an object for each plan"))
    return rows


def _read(row: dict[str, Any]) -> VersionTerms:
    plan = row.get("name") or row.get("code") or _("a plan")
    try:
        return _terms(row)
    except KeyError as error:
        raise ValueError(_("%(plan)s lacks “%(field)s”") % {"plan": plan, "field": error.args[0]}) from None
    except (AttributeError, TypeError) as error:
        raise ValueError(
            _("%(plan)s has a value of the wrong kind (%(error)s)") % {"plan": plan, "error": error}
        ) from None


def _agents(row: dict[str, Any]) -> tuple[int, int]:
    agents = row["agents"]
    if isinstance(agents, list) and len(agents) == 2:
        low, high = int(agents[0]), int(agents[1])
        if 1 <= low <= high:
            return low, high
    raise ValueError(f"{row['name']} has agents that are no range from 1 up")


def _terms(row: dict[str, Any]) -> VersionTerms:
    limits = tuple(_limit(limit) for limit in row["limits"])
    terms = VersionTerms(
        code=str(row["code"]),
        name=str(row["name"]),
        rank=int(row["rank"]),
        agents=_agents(row),
        agents_enforced=bool(row.get("agents_enforced", False)),
        limits=limits,
    )
    if not limits:
        raise ValueError(f"{terms.name} has no limits")
    if len({limit.name for limit in limits}) < len(limits) or len({x.rule.key for x in limits}) < len(limits):
        raise ValueError(f"{terms.name} has two limits of one name, or of one window rule")
    return terms


def _limit(row: dict[str, Any]) -> Limit:
    """One limit. Raises KeyError, TypeError or ValueError for one that is no limit."""
    anchor = datetime.fromisoformat(row["anchor"]) if row.get("anchor") else None
    rule = Rule(Policy(row["policy"]), int(row["length_seconds"]), anchor)
    if not MIN_LENGTH_SECONDS <= rule.length_seconds <= MAX_LENGTH_SECONDS or rule.length_seconds % STEPS:
        raise ValueError(
            f"a window lasts whole minutes, from an hour to 31 days, not {rule.length_seconds} s"
        )
    if (rule.policy is Policy.FIXED) != (anchor is not None) or (anchor and anchor.tzinfo is None):
        raise ValueError("a fixed window, and no other, has an anchor, with its time zone")
    nanousd = nanousd_from_usd(row["usd"])
    if nanousd < 0:
        raise ValueError("a limit is not negative")
    return Limit(str(row["name"]), rule, nanousd)
