"""Gateways: made by an operator's command, recognised by their credential, revoked."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
import time_machine
from django.core.management import CommandError, call_command

from quota.models import Gateway
from quota.services.gateways import create_gateway, recognise_gateway, revoke_gateway
from teams.models import AuditEntry
from tests.helpers.api_client import make_office
from tests.helpers.factories import T0
from tokenplan.kit.errors import InvalidValue, NotFound


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
    assert text[3:] not in str(Gateway.objects.values())
    assert recognise_gateway(text) == gateway
    assert recognise_gateway(text[:-1] + ("x" if text[-1] != "x" else "y")) is None
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


def test_the_hot_path_asks_the_database_little_and_nothing_about_garbage(
    django_assert_num_queries: pytest.FixtureRequest,
) -> None:
    office = make_office()
    office.settle(office.ask(1, request_id="warm").body["reservation"], 1)
    # The gateway; then the state and the hold, within a savepoint of the test's own transaction.
    with django_assert_num_queries(5):  # type: ignore[operator]
        assert office.ask(1).status == 201
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert office.ask(key="garbage").status == 401
