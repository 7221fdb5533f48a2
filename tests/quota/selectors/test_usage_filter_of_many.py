"""A filter that few charges match reads a bounded number of a Team's charges for each page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from quota.models import UsageEvent
from teams.models import User
from tests.helpers import citus
from tests.helpers.factories import T0, Scene, make_scene
from tests.helpers.page_fixtures import as_user
from tests.helpers.usage_rows import write_event
from tokenplan.kit import reach

__all__ = ["as_user"]
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(citus.is_named(), reason="Rows are counted by the server that reads them."),
]
AsUser = Callable[[User], Client]
MANY = 4_000
# Of how many seconds ago a charge has the tag: at most one on a page, two of them at a page's border.
RARE = (1, 499, 500, 2_000, MANY)


def fill(scene: Scene) -> None:
    """Many charges, a second apart, of which few have a tag."""
    first = write_event(scene.owner, 3, at=T0)
    columns = [field.column for field in UsageEvent._meta.concrete_fields]
    copied = {
        "id": "overlay(id::text placing lpad(to_hex(n), 8, '0') from 29)::uuid",
        "external_id": "'copy ' || n",
        "occurred_at": "occurred_at - n * interval '1 second'",
        "tags": f"CASE WHEN n IN ({', '.join(map(str, RARE))}) THEN '[\"rare\"]'::jsonb ELSE tags END",
    }
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO quota_usageevent ({', '.join(columns)})"
            f" SELECT {', '.join(copied.get(name, name) for name in columns)}"
            " FROM quota_usageevent, generate_series(1, %s) n WHERE id = %s",
            [MANY, first.pk],
        )
        cursor.execute("ANALYZE quota_usageevent")


@pytest.fixture
def scene() -> Scene:
    made = make_scene(at=T0 - timedelta(days=1))
    fill(made)
    return made


@contextmanager
def rows_read() -> Iterator[list[int]]:
    """How many rows of charges each statement inside reads, whether or not they match."""
    found: list[int] = []
    with CaptureQueriesContext(connection) as queries:
        yield found
    asked = [query["sql"] for query in queries if re.search(r'"occurred_at" DESC', query["sql"])]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")  # as of many more
        for sql in asked:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
            plan = cursor.fetchone()[0]
            found.append(_read((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]))


def _read(node: dict[str, Any]) -> int:
    own = 0
    if str(node.get("Relation Name", "")).startswith("quota_usageevent"):
        loops = int(node["Actual Loops"])
        own = int(node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * loops
    return own + sum(_read(child) for child in node.get("Plans", []))


def ago(answer: Any) -> list[int]:
    """How many seconds ago the receipts of an answer occurred."""
    return [
        int((T0 - datetime.fromisoformat(row["occurred_at"])).total_seconds()) for row in answer["results"]
    ]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(reach, "READ_AT_MOST", 500)
    return reach.READ_AT_MOST


def test_control_without_a_bound_a_rare_filter_reads_all_charges(scene: Scene, as_user: AsUser) -> None:
    assert MANY < reach.READ_AT_MOST
    with rows_read() as found:
        answer = as_user(scene.owner.user).get(f"/api/v1/teams/{scene.team.slug}/receipts?tag=rare").json()
    assert ago(answer) == list(RARE)
    assert (max(found) > MANY, answer["next"]) == (True, None)


@pytest.mark.parametrize("whose", ["", "&member=me"])
def test_each_page_of_the_api_reads_no_more_and_leads_on_to_the_end(
    scene: Scene, as_user: AsUser, few: int, whose: str
) -> None:
    client = as_user(scene.owner.user)
    url: str | None = f"/api/v1/teams/{scene.team.slug}/receipts?tag=rare{whose}"
    pages: list[list[int]] = []
    while url:
        with rows_read() as found:
            answer = client.get(url).json()
        assert max(found) <= few + 10
        pages.append(ago(answer))
        url = answer["next"]
    assert pages == [[1, 499], [500], [], [], [2_000], [], [], [], [MANY]]


def test_without_a_filter_only_what_is_shown_is_read(scene: Scene, as_user: AsUser, few: int) -> None:
    url = f"/api/v1/teams/{scene.team.slug}/receipts?page_size=200"
    with rows_read() as found:
        answer = as_user(scene.owner.user).get(url).json()
    assert (len(answer["results"]), max(found) <= 210) == (200, True)


@pytest.mark.parametrize("page", ["/teams/{slug}/charges/", "/account/usage/{slug}/"])
def test_a_page_says_where_it_ends_and_leads_on(scene: Scene, as_user: AsUser, few: int, page: str) -> None:
    client = as_user(scene.owner.user)
    address = page.format(slug=scene.team.slug)
    range_ = f"start={T0 - timedelta(days=2):%Y-%m-%d}&end={T0:%Y-%m-%d}"
    url: str | None = f"{address}?{range_}&tag=rare"
    rows, said = [], []
    while url:
        with rows_read() as found:
            html = client.get(url).content.decode()
        assert max(found) <= 3 * few
        rows.append(html.count(">Receipt<span"))
        said.append("has not been looked through yet" in html)
        older = re.search(r'href="([^"]*before=[^"]+)"', html)
        url = address + unescape(older[1]) if older else None
    assert rows == [2, 1, 0, 0, 1, 0, 0, 0, 1]
    assert said == [True] * 8 + [False]
