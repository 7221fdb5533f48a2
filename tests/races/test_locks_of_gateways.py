"""Each verb of gateways, and of the rows that they report, while another is in the middle of what it must not
overlook.

Each race begins by showing that it is one: without locks it is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from quota.errors import NotInQuarantine
from quota.hot_path.events import ReportedEvent
from quota.models import Gateway, GatewayCredential, QuarantinedRow, UsageEvent
from quota.services import gateways
from quota.services.quarantine import RejectedRow, keep_rejected, replay_row, write_off_row
from teams.models import AuditEntry
from tests.helpers.factories import T0, make_gateway, make_scene
from tests.helpers.locks import Case, is_lost_without_locks_alone
from tokenplan.kit.errors import InvalidValue, NotFound

pytestmark = pytest.mark.django_db(transaction=True)

LATER = T0 + timedelta(hours=1)
DAY = timedelta(days=1)


def revokes(gateway: Gateway) -> Callable[[], object]:
    return lambda: gateways.revoke_gateway(gateway=gateway, at=T0, by=None)


def replaces(
    gateway: Gateway, overlap: timedelta = timedelta(0), request: object = None
) -> Callable[[], object]:
    return lambda: gateways.replace_credentials(
        gateway=gateway,
        overlap=overlap,
        request=request,  # type: ignore[arg-type]
        at=LATER,
        by=None,
    )


def limits_holds(gateway: Gateway, seconds: int) -> Callable[[], object]:
    return lambda: gateways.set_hold_limits(
        gateway=gateway, max_lifetime_seconds=seconds, flush_seconds=60, charge_hold=False, at=LATER, by=None
    )


def with_a_credential() -> Gateway:
    return gateways.create_gateway(name=f"Gateway {uuid4().hex[:8]}", at=T0, by=None)[0]


def working_of(gateway: Gateway) -> int:
    return GatewayCredential.objects.working(LATER).filter(gateway=gateway).count()


def a_credential_for_a_gateway_that_is_revoked() -> Case:
    gateway = with_a_credential()
    return Case(revokes(gateway), replaces(gateway, DAY), lambda: gateway.credentials.count() == 1, NotFound)


def credentials_replaced_twice() -> Case:
    """The second ends the one that the first has made."""
    gateway = with_a_credential()
    return Case(replaces(gateway), replaces(gateway), lambda: working_of(gateway) == 1)


def credentials_replaced_by_one_form_twice() -> Case:
    gateway, request = with_a_credential(), uuid4()
    again = replaces(gateway, DAY, request)
    return Case(again, again, lambda: gateway.credentials.count() == 2, InvalidValue)


def a_credential_ended_while_its_gateway_is_revoked() -> Case:
    gateway = with_a_credential()
    credential = gateway.credentials.get()
    return Case(
        revokes(gateway),
        lambda: gateways.end_credential(credential=credential, at=LATER, by=None),
        lambda: gateway.credentials.get().ended_at is None,
        NotFound,
    )


def limits_of_a_gateway_that_is_revoked() -> Case:
    gateway = make_gateway()
    logged = AuditEntry.objects.filter(action="gateway.limits", subject=gateway.name)
    return Case(revokes(gateway), limits_holds(gateway, 600), lambda: not logged.exists(), NotFound)


def limits_set_back_while_they_are_set() -> Case:
    gateway = make_gateway()
    limits_holds(gateway, 600)()
    return Case(
        limits_holds(gateway, 900),
        limits_holds(gateway, 600),
        lambda: Gateway.objects.get(pk=gateway.pk).max_lifetime_seconds == 600,
    )


class Quarantine:
    """A row about a model that was unknown when it came."""

    def __init__(self) -> None:
        scene = make_scene()
        self.team, handle = scene.team, f"kh-{scene.desk.key[6:18]}"
        self.event = ReportedEvent("e", "", "penny", {"calls": 3}, T0, key_handle=handle)
        rejected = RejectedRow({"id": "e", "key_handle": handle}, "model_unknown", "why")
        keep_rejected(gateway=scene.desk.gateway, kind=QuarantinedRow.Kind.EVENT, rows=[rejected], at=T0)
        self.row = QuarantinedRow.objects.get(gateway=scene.desk.gateway)

    def replay(self) -> QuarantinedRow:
        return replay_row(row=self.row, parsed=self.event, at=LATER, by=None)

    def write_off(self) -> QuarantinedRow:
        return write_off_row(row=self.row, reason="a test of ours", at=LATER, by=None)

    def became(self) -> tuple[bool, bool, int]:
        """Whether it was replayed, whether it was written off, and how much usage it made."""
        row = QuarantinedRow.objects.get(pk=self.row.pk)
        events = UsageEvent.objects.filter(team=self.team).count()
        return row.replayed_at is not None, row.written_off_at is not None, events


def a_row_replayed_while_it_is_written_off() -> Case:
    kept = Quarantine()
    return Case(kept.write_off, kept.replay, lambda: kept.became() == (False, True, 0), NotInQuarantine)


def a_row_written_off_while_it_is_replayed() -> Case:
    kept = Quarantine()
    return Case(kept.replay, kept.write_off, lambda: kept.became() == (True, False, 1), NotInQuarantine)


CASES: list[Callable[[], Case]] = [
    a_credential_for_a_gateway_that_is_revoked,
    credentials_replaced_twice,
    credentials_replaced_by_one_form_twice,
    a_credential_ended_while_its_gateway_is_revoked,
    limits_of_a_gateway_that_is_revoked,
    limits_set_back_while_they_are_set,
    a_row_replayed_while_it_is_written_off,
    a_row_written_off_while_it_is_replayed,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_what_was_locked_is_decided_by_what_is_there_after_the_lock(case: Callable[[], Case]) -> None:
    is_lost_without_locks_alone(case)
