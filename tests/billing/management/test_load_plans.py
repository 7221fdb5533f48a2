"""`manage.py load_plans`: fills what is empty, and shows how the list differs from what is on sale."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from billing.management.lists import DATA
from quota.hot_path.catalog import plan_terms
from quota.models import Plan
from quota.services.plans import withdraw_plan
from teams.models import AuditEntry
from tests.helpers.catalog import load_shipped, refused, said, written
from tests.helpers.factories import T0, limits, make_plan

pytestmark = pytest.mark.django_db

SAME = ["All plans are as the list says."]
LEFT = "What differs is left as it is; --draft writes it into drafts."


def shipped_plans() -> list[dict[str, Any]]:
    return list(json.loads((DATA / "plans.json").read_text()))


def rows() -> tuple[int, int]:
    return Plan.objects.count(), AuditEntry.objects.count()


def test_the_shipped_plans_are_those_of_the_product() -> None:
    assert said("load_plans") == [f"{name} is new: it becomes a draft." for name in ("Plus", "Max", "Ultra")]
    assert not Plan.objects.sellable().exists()
    terms = [plan_terms(plan.pk) for plan in Plan.objects.order_by("rank")]
    assert [(t.code, t.agents, t.agents_enforced) for t in terms] == [
        ("plus", (3, 4), False),
        ("max", (4, 5), False),
        ("ultra", (6, 7), False),
    ]
    assert [[limit.nanousd for limit in t.limits] for t in terms] == [
        [3_300_000_000, 33_000_000_000],
        [9_900_000_000, 99_000_000_000],
        [24_750_000_000, 247_500_000_000],
    ]
    assert [limit.rule.key for limit in terms[0].limits] == ["rolling/18000", "fixed/604800@345600"]


def test_plans_loaded_twice_are_loaded_once() -> None:
    said("load_plans")
    assert said("load_plans") == SAME
    load_shipped()
    assert (said("load_plans"), Plan.objects.sellable().count(), Plan.objects.count()) == (SAME, 3, 3)


def test_what_an_operator_changed_is_shown_and_not_put_back() -> None:
    load_shipped()
    make_plan("max", limits(12_500_000_000))
    before = rows()
    assert said("load_plans") == [
        "Max v2 differs from the list (there -> in the list):",
        "  Quota of 5h: $12.50, 5-hour rolling -> $9.90, 5-hour rolling",
        LEFT,
    ]
    assert (rows(), Plan.objects.current("max").version) == (before, 2)


def test_a_dry_run_says_what_would_change_and_writes_nothing(tmp_path: Path) -> None:
    load_shipped()
    plans = shipped_plans()
    plans[1]["agents"] = [5, 6]
    plans.append({**plans[0], "code": "mini", "name": "Mini"})
    before = rows()
    assert said("load_plans", written(tmp_path, plans), "--draft", "--dry-run") == [
        "Max v1 differs from the list (there -> in the list):",
        "  Agents at once: 4 to 5 -> 5 to 6",
        "Mini is new: it becomes a draft.",
        "What differs is written into drafts; publish_plan puts them on sale.",
        "Nothing was written.",
    ]
    assert rows() == before


def test_what_differs_becomes_a_draft_with_the_prices_on_sale_where_that_is_wanted(tmp_path: Path) -> None:
    load_shipped()
    plans = shipped_plans()
    plans[1]["agents"] = [5, 6]
    file = written(tmp_path, plans)
    for _ in range(2):  # what the draft says already is no difference
        said("load_plans", file, "--draft")
    draft = Plan.objects.get(published_at=None)
    assert (str(draft), draft.agents_max, draft.prices.count()) == ("Max v2", 6, 2)
    assert Plan.objects.current("max").version == 1
    plans[1]["agents"] = [5, 7]
    said("load_plans", written(tmp_path, plans), "--draft")
    draft.refresh_from_db()
    assert (draft.agents_max, draft.prices.count(), Plan.objects.count()) == (7, 2, 4)


def test_a_plan_that_was_withdrawn_stays_so() -> None:
    load_shipped()
    withdraw_plan(plan=Plan.objects.current("plus"), at=T0, by=None)
    assert said("load_plans") == [
        "Plus v1 differs from the list (there -> in the list):",
        "  On sale: no -> yes",
        LEFT,
    ]
    assert not Plan.objects.sellable().filter(code="plus").exists()


LIMIT = {"name": "5h", "policy": "rolling", "length_seconds": 18000, "usd": "1"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"limits": []}, "has no limits"),
        ({"limits": [LIMIT, LIMIT]}, "two limits"),
        ({"limits": [{**LIMIT, "length_seconds": 59}]}, "from an hour to 31 days"),
        ({"limits": [{**LIMIT, "policy": "fixed"}]}, "has an anchor"),
        ({"limits": [{**LIMIT, "policy": "fixed", "anchor": "2026-01-05T00:00:00"}]}, "time zone"),
        ({"limits": [{**LIMIT, "policy": "sliding"}]}, "sliding"),
        ({"limits": [{**LIMIT, "usd": "-1"}]}, "not negative"),
        ({"limits": [{**LIMIT, "usd": "a lot"}]}, "not a dollar amount"),
        ({"agents": [4, 3]}, "no range"),
        ({"agents": [4]}, "no range"),
        ({"agents": "4"}, "no range"),
        ({"rank": None}, "Ultra has a value of the wrong kind"),
        ({"limits": 5}, "Ultra has a value of the wrong kind"),
        ({"code": "max"}, "twice"),
    ],
)
def test_a_list_that_is_wrong_anywhere_leaves_nothing(
    tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    plans = shipped_plans()
    plans[2].update(change)
    assert reason in refused("load_plans", written(tmp_path, plans))
    assert not Plan.objects.exists()


NO_LIST = "it is not a JSON list with an object for each plan"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("not JSON", "it is not JSON (Expecting value"),
        ("{}x", "it is not JSON (Extra data"),
        ('{"max": {"month": "50"}}', NO_LIST),
        ("[1]", NO_LIST),
        ('[{"code": "a"}]', "a lacks “limits”"),
    ],
)
def test_what_is_no_list_of_plans_is_refused(tmp_path: Path, content: str, why: str) -> None:
    assert f"The list of plans cannot be read: {why}" in refused("load_plans", written(tmp_path, content))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for command in ("load_plans", "load_prices", "load_rate_card"):
        assert "No such file" in refused(command, str(tmp_path / "none"))


def test_a_list_that_an_editor_has_saved_is_the_same_list(tmp_path: Path) -> None:
    said("load_plans")
    file = tmp_path / "plans.json"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(shipped_plans(), indent=1).replace("\n", "\r\n").encode())
    assert said("load_plans", str(file)) == SAME
