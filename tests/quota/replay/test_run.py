"""A trace through the real API: every call answered, every nano-dollar accounted for."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Sum
from pytest_django.live_server_helper import LiveServer

from quota.models import CreditLedgerEntry, Reservation, UsageEvent
from quota.selectors.reconcile import differences
from quota.services.gateways import create_gateway
from tests.helpers.factories import (
    T0,
    USD,
    allow_credits,
    give_credits,
    key_of,
    limits,
    make_member,
    make_plan,
    make_seat,
    make_team,
    owner_of,
)

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
TRACE = HEADER + "".join(
    f"2023-11-16 18:17:{3 + number // 10:02d}.{number % 10}799600,{100 + number * 37},{number % 30}\n"
    for number in range(40)
)


@pytest.fixture
def demo(transactional_db: None, live_server: LiveServer, tmp_path: Path) -> Path:
    """Two seats, one small with Credits behind it, and a demo.json that leads to them."""
    call_command("load_rate_card", stdout=StringIO())
    team = make_team("Acme", at=T0)
    owner, member = owner_of(team), make_member(team, at=T0)
    make_seat(team, make_plan("ultra", at=T0), holder=owner, at=T0)
    make_seat(team, make_plan("plus", limits(USD // 500, USD), at=T0), holder=member, at=T0)
    give_credits(team, USD // 500, at=T0, expires_at=T0.replace(year=2100))
    allow_credits(member)
    _, credential = create_gateway(name="replayed", at=T0, by=None)
    file = tmp_path / "demo.json"
    keys = [{"team": team.slug, "key": key_of(holder)} for holder in (owner, member)]
    file.write_text(json.dumps({"url": live_server.url, "gateway_key": credential, "keys": keys}))
    return file


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    file = tmp_path / "trace.csv"
    file.write_text(TRACE)
    return file


def replayed(trace: Path, demo: Path, *arguments: str) -> dict[str, str]:
    """The summary, by the first word of each line."""
    out = StringIO()
    call_command("replay", str(trace), "--demo", str(demo), *arguments, stdout=out)
    rows = (re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in out.getvalue().splitlines())
    return dict(rows)


def refused(*arguments: object) -> str:
    with pytest.raises(CommandError) as error:
        call_command("replay", *map(str, arguments), stdout=StringIO())
    return str(error.value)


def test_every_call_is_answered_and_the_sums_are_exact(trace: Path, demo: Path) -> None:
    said = replayed(trace, demo, "--workers", "4")
    assert said["calls"].startswith("40 of 40 in ")
    events = UsageEvent.objects.all()
    allowed = events.count()
    assert 0 < allowed < 40
    assert said["allowed"] == str(allowed)
    assert said["refused"] == f"{40 - allowed}   quota_exhausted {40 - allowed}"
    assert said["no answer"] == "0"
    # $0.30 and $1.20 a million tokens: 300 and 1,200 nano-dollars each.
    prices = [300 * event.usage["input_tokens"] + 1200 * event.usage["output_tokens"] for event in events]
    assert said["charged"].endswith(f"({sum(prices):,} nano-dollars)")
    assert said["rate card"].endswith(": equal")
    sums = events.aggregate(quota=Sum("from_quota_nanousd"), credits=Sum("from_credits_nanousd"))
    assert sums["quota"] + sums["credits"] == sum(prices)
    assert sums["credits"] > 0
    assert said["to Credits"].endswith(f"({sums['credits'] / 1_000_000:g} Credits)")
    assert said["overrun"] == "$0.00"
    assert -CreditLedgerEntry.objects.filter(kind="use").balance() == sums["credits"]
    assert list(differences(T0)) == []


def test_the_same_batch_again_charges_nothing_again(trace: Path, demo: Path) -> None:
    first = replayed(trace, demo, "--limit", "8", "--batch-id", "b1")
    again = replayed(trace, demo, "--limit", "8", "--batch-id", "b1")
    other = replayed(trace, demo, "--limit", "8")
    assert first["charged"] == again["charged"] == other["charged"]
    assert Reservation.objects.count() == UsageEvent.objects.count() == 16


@pytest.mark.slow
def test_calls_are_dealt_to_keys_in_turn(trace: Path, demo: Path) -> None:
    replayed(trace, demo, "--limit", "10", "--batch-id", "b")
    keys = [entry["key"] for entry in json.loads(demo.read_text())["keys"]]
    dealt = Reservation.objects.select_related("key")
    assert {(row.request_id, row.key and row.key.key_id) for row in dealt} == {
        (f"b-{number}", keys[number % 2].removeprefix("sk-cp-")[:12]) for number in range(10)
    }


def test_what_a_gateway_cannot_know_yet_is_estimated(trace: Path, demo: Path) -> None:
    replayed(trace, demo, "--limit", "1", "--output-estimate", "1000")
    held = Reservation.objects.get()
    assert held.estimate_nanousd == 300 * 100 + 1200 * 1000
    assert UsageEvent.objects.get().usage == {"input_tokens": 100, "output_tokens": 0}


@pytest.mark.slow
def test_recorded_gaps_are_kept_at_speed(trace: Path, demo: Path) -> None:
    said = replayed(trace, demo, "--limit", "11", "--speed", "2")  # a second of trace
    seconds = float(said["calls"].split(" in ")[1].split(" s:")[0])
    assert 0.5 <= seconds < 5


@pytest.mark.slow
def test_keys_may_be_given_by_hand_or_in_files(trace: Path, demo: Path, tmp_path: Path) -> None:
    content = json.loads(demo.read_text())
    keys = [entry["key"] for entry in content["keys"]]
    lines = tmp_path / "keys.txt"
    lines.write_text("\n".join(keys))
    given = ["--limit", "2", "--url", content["url"] + "/", "--gateway-key", content["gateway_key"]]
    for text in (",".join(keys), str(lines), str(demo)):
        out = StringIO()
        call_command("replay", str(trace), "--demo", "nowhere", "--keys", text, *given, stdout=out)
        assert "allowed       2\n" in out.getvalue()


def test_a_revoked_key_is_a_refusal_and_a_wrong_gateway_credential_ends_it(trace: Path, demo: Path) -> None:
    key = "sk-cp-" + "A" * 60
    said = replayed(trace, demo, "--limit", "3", "--keys", key)
    assert said["refused"] == "3   key_invalid 3"
    words = refused(trace, "--demo", demo, "--gateway-key", "gw-malformed")
    assert words.startswith("The gateway's credential is not accepted")


def test_charges_that_are_not_the_rate_cards_fail_the_replay(trace: Path, demo: Path, tmp_path: Path) -> None:
    card = tmp_path / "card.csv"
    card.write_text(
        Path("quota/data/rate_card.csv")
        .read_text()
        .replace(
            "MiniMax-M2.7,language,input_tokens,1000000,0.30",
            "MiniMax-M2.7,language,input_tokens,1000000,0.31",
        )
    )
    words = refused(trace, "--demo", demo, "--limit", 2, "--rate-card", card, "--workers", 1)
    assert "the rate card makes 31000, not 30000" in words
    assert "73670 nano-dollars" not in words
    assert "were charged and the rate card says" in words


def test_what_is_no_trace_or_no_price_list_is_refused_before_any_call(
    trace: Path, demo: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.csv"
    for content, reason in [
        ("a,b\n1,2\n", "The first line must name the columns"),
        (HEADER + "2023-11-16 18:17:03,12,x\n", "Line 2: invalid literal"),
        (HEADER + "yesterday,12,3\n", "Line 2: Invalid isoformat"),
        (HEADER + "2023-11-16 18:17:03,-1,3\n", "Line 2: a number of tokens is not negative"),
        (HEADER + "2023-11-16 18:17:03,1\n", "Line 2: int() argument"),
    ]:
        bad.write_text(content)
        assert reason in refused(bad, "--demo", demo)
    bad.write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in refused(bad, "--demo", demo)
    assert "cannot be read" in refused(tmp_path / "none.csv", "--demo", demo)
    assert "no input_tokens of penny" in refused(trace, "--demo", demo, "--model", "penny")
    assert "cannot be read" in refused(trace, "--demo", demo, "--rate-card", tmp_path / "none")
    assert not Reservation.objects.exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--demo", "nowhere"], "Start `make run` first"),
        (["--demo", "{trace}"], "cannot be read"),
        (["--keys", "nowhere"], "neither keys nor a file of them"),
        (["--keys", "{list}"], "not a file like demo.json"),
        (["--demo", "{list}"], "lacks 'url'"),
        (["--workers", "0"], "not a whole number from 1 up"),
        (["--workers", "many"], "not a whole number from 1 up"),
        (["--speed", "-1"], "not a number from 0 up"),
        (["--speed", "fast"], "not a number from 0 up"),
    ],
)
def test_options_that_lead_nowhere_are_refused(
    trace: Path, tmp_path: Path, options: list[str], reason: str
) -> None:
    demo, empty = tmp_path / "demo.json", tmp_path / "list.json"
    demo.write_text(json.dumps({"url": "http://127.0.0.1:9", "gateway_key": "gw-x", "keys": []}))
    empty.write_text("{}")
    given = [option.format(trace=trace, list=empty) for option in options]
    assert reason in refused(trace, "--demo", demo, *given)
