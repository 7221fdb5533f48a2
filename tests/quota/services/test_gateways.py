"""Gateways: made by an operator's command, recognised by their credential, revoked."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command

from quota.hot_path.credentials import recognise_gateway
from quota.models import Gateway, GatewayCredential
from quota.services.gateways import (
    create_gateway,
    end_credential,
    revoke_gateway,
    set_hold_limits,
)
from teams.models import AuditEntry
from tests.helpers.api_client import Caller, make_office
from tests.helpers.factories import T0
from tokenplan.kit.errors import InvalidValue, NotFound

HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture(autouse=True)
def clock(db: None) -> Iterator[None]:
    """Everything here happens at T0."""
    with time_machine.travel(T0, tick=False):
        yield


def run(command: str, *args: str) -> str:
    out = io.StringIO()
    call_command(command, *args, stdout=out)
    return out.getvalue().strip()


def test_the_credential_is_shown_once_and_only_its_hash_is_stored() -> None:
    text = run("create_gateway", "edge")
    gateway = Gateway.objects.get()
    assert text.startswith("gw-") and len(text) == 43
    assert text[3:] not in str(list(Gateway.objects.values()) + list(GatewayCredential.objects.values()))
    assert recognise_gateway(text=text, at=T0) == gateway
    assert recognise_gateway(text=text[:-1] + ("x" if text[-1] != "x" else "y"), at=T0) is None
    entry = AuditEntry.objects.get(action="gateway.created")
    assert (entry.subject, entry.details) == ("edge", {"prefix": text[:8]})


def test_a_name_is_used_once() -> None:
    run("create_gateway", "edge")
    with pytest.raises(CommandError, match="There is a gateway “edge” already"):
        run("create_gateway", "edge")
    with pytest.raises(InvalidValue):
        create_gateway(name=" ", at=T0, by=None)
    assert Gateway.objects.count() == 1


def test_a_revoked_gateway_is_refused_at_once() -> None:
    office = make_office()
    assert office.ask().status == 201
    assert run("revoke_gateway", "edge") == "Revoked: edge"
    answer = office.ask()
    assert (answer.status, answer.code) == (401, "authentication_failed")
    with pytest.raises(CommandError, match="is revoked already"):
        run("revoke_gateway", "edge")
    with pytest.raises(CommandError, match="There is no gateway 'west'"):
        run("revoke_gateway", "west")
    with pytest.raises(NotFound):
        revoke_gateway(gateway=Gateway.objects.get(name="edge"), at=T0, by=None)
    assert AuditEntry.objects.filter(action="gateway.revoked").count() == 1


def test_a_credential_is_replaced_while_calls_are_under_way() -> None:
    office = make_office()
    held = office.ask(1).body["reservation"]
    first = office.gateway.credential or ""
    second = run("rotate_gateway", "edge", "--overlap-hours", "1")
    office.gateway = Caller(second)
    assert office.settle(held, 1).status == 200
    assert Caller(first).get("gateway/rate-card").status == 200
    gateway = Gateway.objects.get(name="edge")
    assert recognise_gateway(text=first, at=T0 + HOUR) is None
    assert recognise_gateway(text=second, at=T0 + 1000 * HOUR) == gateway
    # A second replacement never gives the first credential more time than it had.
    third = run("rotate_gateway", "edge")
    assert recognise_gateway(text=first, at=T0 + HOUR) is None
    ends = [
        recognise_gateway(text=second, at=T0 + 24 * HOUR - MICROSECOND),
        recognise_gateway(text=second, at=T0 + 24 * HOUR),
    ]
    assert ends == [gateway, None]
    # Without an overlap all before it end at once.
    fourth = run("rotate_gateway", "edge", "--overlap-hours", "0")
    assert [recognise_gateway(text=text, at=T0) for text in (first, second, third, fourth)] == [None] * 3 + [
        gateway
    ]
    entry = AuditEntry.objects.filter(action="gateway.credential_added").latest("pk")
    assert entry.details == {"prefix": fourth[:8], "others_work_until": "2026-06-03T10:02:00+00:00"}


@pytest.mark.parametrize("hours", ["-1", "721", "1000000000000"])
def test_an_overlap_that_cannot_be_changes_nothing(hours: str) -> None:
    text = run("create_gateway", "edge")
    with pytest.raises(CommandError):
        run("rotate_gateway", "edge", f"--overlap-hours={hours}")
    assert GatewayCredential.objects.count() == 1
    assert recognise_gateway(text=text, at=T0 + 1000 * HOUR) == Gateway.objects.get()


def test_one_credential_ends_and_the_others_go_on() -> None:
    first = run("create_gateway", "edge")
    second = run("rotate_gateway", "edge")
    other = run("create_gateway", "west")
    end_credential(credential=GatewayCredential.objects.get(prefix=first[:8]), at=T0, by=None)
    assert recognise_gateway(text=first, at=T0) is None
    assert [str(recognise_gateway(text=text, at=T0)) for text in (second, other)] == ["edge", "west"]
    with pytest.raises(NotFound):
        end_credential(credential=GatewayCredential.objects.get(prefix=first[:8]), at=T0, by=None)
    # At once for a server, too, whose clock is behind, and by one whose clock is behind the one that made it.
    assert recognise_gateway(text=first, at=T0 - HOUR) is None
    made = GatewayCredential.objects.get(prefix=other[:8])
    end_credential(credential=made, at=T0 - HOUR, by=None)
    assert recognise_gateway(text=other, at=T0 - 2 * HOUR) is None
    other = run("rotate_gateway", "west")
    run("revoke_gateway", "edge")
    assert [str(recognise_gateway(text=text, at=T0)) for text in (second, other)] == ["None", "west"]
    with pytest.raises(CommandError, match="is revoked already"):
        run("rotate_gateway", "edge")
    with pytest.raises(CommandError, match="There is no gateway 'north'"):
        run("rotate_gateway", "north")


def test_the_hot_path_asks_the_database_little_and_nothing_about_garbage(
    django_assert_num_queries: pytest.FixtureRequest,
) -> None:
    office = make_office()
    office.settle(office.ask(1, request_id="warm").body["reservation"], 1)
    # The gateway; then the state, the gateway once more, and the hold, within a savepoint of the test's own
    # transaction.
    with django_assert_num_queries(6):  # type: ignore[operator]
        assert office.ask(1).status == 201
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert office.ask(key="garbage").status == 401


def test_how_long_holds_live_is_set_for_what_is_asked_from_then_on() -> None:
    gateway, text = create_gateway(name="eu-1", at=T0, by=None)
    for _ in range(2):
        set_hold_limits(
            gateway=gateway, max_lifetime_seconds=60, flush_seconds=0, charge_hold=True, at=T0, by=None
        )
    found = recognise_gateway(text=text, at=T0)
    assert found is not None
    assert (found.max_lifetime_seconds, found.flush_seconds, found.charge_hold) == (60, 0, True)
    assert AuditEntry.objects.get(action="gateway.limits").details == {
        "max_lifetime_seconds": 60,
        "flush_seconds": 0,
        "charge_hold": True,
    }


@pytest.mark.parametrize(
    ("lifetime", "flush", "pointer"),
    [
        *((9, 0, "/max_lifetime_seconds"), (604_801, 0, "/max_lifetime_seconds")),
        *((60, -1, "/flush_seconds"), (60, 3601, "/flush_seconds")),
    ],
)
def test_limits_that_no_gateway_has_are_refused(lifetime: int, flush: int, pointer: str) -> None:
    gateway, _ = create_gateway(name="eu-1", at=T0, by=None)
    with pytest.raises(InvalidValue) as refused:
        set_hold_limits(
            gateway=gateway,
            max_lifetime_seconds=lifetime,
            flush_seconds=flush,
            charge_hold=True,
            at=T0,
            by=None,
        )
    assert refused.value.pointer == pointer
    gateway.refresh_from_db()
    limits = gateway.max_lifetime_seconds, gateway.flush_seconds, gateway.charge_hold
    assert limits == (86_400, 900, False)
