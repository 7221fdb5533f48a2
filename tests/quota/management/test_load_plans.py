"""`manage.py load_plans`: the shipped list, changed ones, and what is refused."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from quota.hot_path.catalog import plan_terms
from quota.models import Plan

pytestmark = pytest.mark.django_db


def said(command: str, *arguments: str) -> list[str]:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue().splitlines()


def refused(command: str, *arguments: str) -> str:
    with pytest.raises(CommandError) as error:
        call_command(command, *arguments)
    return str(error.value)


def test_the_shipped_plans_are_those_of_the_product() -> None:
    assert said("load_plans") == ["Plus v1 is on offer.", "Max v1 is on offer.", "Ultra v1 is on offer."]
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
    assert said("load_plans") == ["All plans of the list are on offer already."]
    assert Plan.objects.count() == 3


def shipped_plans() -> list[dict[str, object]]:
    return list(json.loads(Path("quota/data/plans.json").read_text()))


def written(folder: Path, content: object) -> str:
    file = folder / "list"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(file)


def test_a_changed_plan_is_a_new_version_and_the_others_stay(tmp_path: Path) -> None:
    said("load_plans")
    plans = shipped_plans()
    plans[1]["agents"] = [5, 6]
    assert said("load_plans", written(tmp_path, plans)) == ["Max v2 is on offer."]
    assert list(Plan.objects.sellable().values_list("code", "version")) == [
        ("plus", 1),
        ("max", 2),
        ("ultra", 1),
    ]


def test_a_plan_that_is_not_on_offer_any_more_comes_back_as_a_new_version() -> None:
    said("load_plans")
    Plan.objects.filter(code="plus").update(sellable=False)
    assert said("load_plans") == ["Plus v2 is on offer."]


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
        ({"agents": [4]}, "IndexError"),
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


@pytest.mark.parametrize("content", ["not JSON", "{}x", "[1]", '[{"code": "a"}]'])
def test_what_is_no_list_of_plans_is_refused(tmp_path: Path, content: str) -> None:
    assert "cannot be read" in refused("load_plans", written(tmp_path, content))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for command in ("load_plans", "load_rate_card"):
        assert "No such file" in refused(command, str(tmp_path / "none"))


def test_a_list_that_an_editor_has_saved_is_the_same_list(tmp_path: Path) -> None:
    said("load_plans")
    file = tmp_path / "plans.json"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(shipped_plans(), indent=1).replace("\n", "\r\n").encode())
    assert said("load_plans", str(file)) == ["All plans of the list are on offer already."]
