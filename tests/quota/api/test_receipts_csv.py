"""Single calls as CSV: of a Team, a member and an API key, each line once, however many and however read."""

from __future__ import annotations

import csv
from datetime import timedelta
from io import StringIO

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from quota.api import receipts_csv
from quota.models import UsageEvent
from quota.selectors.usage_filter import UsageFilter, charges_of
from quota.services.corrections import correct_charge
from teams.models import User
from teams.services.keys import reveal_key
from tests.helpers import factories
from tests.helpers.api_client import Answer, Caller, Office, make_office, person
from tests.helpers.factories import T0, make_api_key, make_member
from tests.helpers.usage_rows import write_event
from tokenplan.kit import reach

pytestmark = pytest.mark.django_db
CENT = 10_000_000


@pytest.fixture
def office() -> Office:
    return make_office()


def lines(answer: Answer) -> list[dict[str, str]]:
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.DictReader(StringIO(answer.body)))


def test_a_line_says_what_the_receipt_says(office: Office) -> None:
    scene = office.scene
    wrong = scene.desk.use(5, tags=("=night", "web"))
    correct_charge(event=wrong, usage=None, reason="sent twice", at=T0, by=None)
    answer = person(scene.owner.user).get(f"teams/{scene.team.slug}/receipts.csv")
    assert answer.headers["Content-Disposition"] == (
        f'attachment; filename="receipts-{scene.team.slug}-2026-05-05-2026-06-04.csv"'
    )
    undo = UsageEvent.objects.get(is_undo=True)
    of_charge = {
        "occurred_at": "2026-06-03T10:02:00Z",
        "member": scene.owner.user.email,
        "api_key": "",
        "model": "penny",
        "modality": "language",
        "agent": "",
        "tags": '["=night", "web"]',
        "usage": '{"calls": 5}',
        "estimated": "false",
        "unpriced": "false",
        "from_credits_nanousd": "0",
        "from_balance_nanousd": "0",
        "overrun_nanousd": "0",
    }
    amounts = {"amount_nanousd": f"{5 * CENT}", "from_quota_nanousd": f"{5 * CENT}"}
    taken_back = {"amount_nanousd": f"{-5 * CENT}", "from_quota_nanousd": f"{-5 * CENT}"}
    # Both are of the same moment, and ids of one millisecond have no order.
    assert sorted(lines(answer), key=lambda line: line["corrects"], reverse=True) == [
        {"id": str(undo.pk), "recorded_at": "2026-06-03T10:02:00Z", "corrects": str(wrong.pk)}
        | of_charge
        | taken_back,
        {"id": str(wrong.pk), "recorded_at": "2026-06-03T10:02:00.000001Z", "corrects": ""}
        | of_charge
        | amounts,
    ]


def test_each_reads_what_is_theirs(office: Office) -> None:
    team, owner = office.scene.team, office.scene.owner
    mia = make_member(team)
    api_key, another = make_api_key(owner), make_api_key(owner, "night")
    for amount, of in ((1, owner), (2, mia), (3, api_key), (4, another)):
        write_event(of, amount)
    write_event(factories.owner_of(factories.make_team()), 5)

    def read(caller: Caller, path: str) -> list[int]:
        return sorted(int(line["amount_nanousd"]) for line in lines(caller.get(path)))

    path = f"teams/{team.slug}/receipts.csv"
    boss, member = person(owner.user), person(mia.user)
    assert read(boss, path) == [1, 2, 3, 4]
    assert read(boss, f"{path}?member={mia.pk}") == [2]
    assert read(member, f"{path}?member=me") == [2]
    assert member.get(path).status == 403
    assert person(factories.make_user()).get(path).status == 404
    assert read(Caller(reveal_key(api_key.texts.get())), "usage/receipts.csv") == [3]
    assert read(Caller(office.key), "usage/receipts.csv") == [1, 3, 4]
    assert Caller("sk-cp-x").get("usage/receipts.csv").code == "key_invalid"
    (line,) = lines(Caller(reveal_key(another.texts.get())).get("usage/receipts.csv"))
    assert (line["api_key"], line["from_balance_nanousd"], line["overrun_nanousd"]) == ("night", "1", "3")


def test_a_range_has_its_start_in_it_and_not_its_end(office: Office) -> None:
    owner = office.scene.owner
    for day in range(4):
        write_event(owner, day, at=T0 + timedelta(days=day))
    path = f"teams/{office.scene.team.slug}/receipts.csv"
    start, end = (f"{T0 + timedelta(days=day):%Y-%m-%dT%H:%M:%SZ}" for day in (1, 3))
    found = lines(person(owner.user).get(f"{path}?from={start}&to={end}"))
    assert [line["amount_nanousd"] for line in found] == ["2", "1"]
    answer = person(owner.user).get(f"{path}?from=2025-01-01&to=2026-06-01")
    assert (answer.status, answer.body["pointer"]) == (422, "/from")


def test_every_call_is_in_one_line_wherever_a_page_of_the_database_ends(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts_csv, "ROWS_AT_ONCE", 3)
    owner = office.scene.owner
    for number in range(10):
        write_event(owner, number, at=T0 + timedelta(seconds=number // 4))
    caller = person(owner.user)
    with CaptureQueriesContext(connection) as queries:
        found = lines(caller.get(f"teams/{office.scene.team.slug}/receipts.csv"))
    events = UsageEvent.objects.order_by("-occurred_at", "-id").values_list("id", flat=True)
    assert [line["id"] for line in found] == [str(id) for id in events]
    asked = [query["sql"] for query in queries if "quota_usageevent" in query["sql"]]
    assert len(asked) == 4
    assert not any("OFFSET" in sql or "COUNT" in sql for sql in asked)


@pytest.mark.parametrize("at_once", [1, 2, 1000])
def test_a_filter_that_few_match_reads_a_bounded_number_of_calls_at_once(
    office: Office, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(receipts_csv, "ROWS_AT_ONCE", at_once)
    monkeypatch.setattr(reach, "READ_AT_MOST", 5)
    team, owner = office.scene.team, office.scene.owner
    rare = {0, 3, 4, 5, 20, 29}
    for number in range(30):
        at = T0 - timedelta(minutes=number // 3)  # three of each minute
        write_event(owner, number, at=at, model="painter" if number in rare else "penny")
    day = timedelta(days=1)
    wanted = UsageFilter(T0 - 360 * day, T0 + day, model="painter")

    with CaptureQueriesContext(connection) as queries:
        answer = receipts_csv.receipts_csv("x", charges_of(team), wanted)
        before_it_is_sent = len(queries)
        found = list(csv.DictReader(StringIO(answer.getvalue().decode())))

    assert sorted(int(line["amount_nanousd"]) for line in found) == sorted(rare)
    assert [line["occurred_at"] for line in found] == sorted(line["occurred_at"] for line in found)[::-1]
    assert before_it_is_sent == 2  # how far to look, and what is found there
    pages = [query["sql"] for query in queries if '"model" = ' in query["sql"]]
    assert len(pages) >= 30 / 6  # of 5 calls at once, and those of the same moment


def test_an_address_that_a_spreadsheet_would_run_is_text(office: Office) -> None:
    User.objects.filter(pk=office.scene.owner.user_id).update(email="=cmd()@example.com")
    office.scene.desk.use(1)
    (line,) = lines(Caller(office.key).get("usage/receipts.csv"))
    assert line["member"] == "'=cmd()@example.com"
