"""A gateway is revoked, or its credential ends, while its request waits for a lock: nothing comes of it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections, transaction

from quota.hot_path import authorize as authorizing
from quota.hot_path import bulk, events, extend, settle
from quota.hot_path.credentials import CredentialEnded, recognise_gateway
from quota.hot_path.draws import Report, Settlement
from quota.hot_path.events import ReportedEvent
from quota.hot_path.extend import Extension
from quota.hot_path.holds import AuthorizeRequest
from quota.models import Gateway, QuarantinedRow, Reservation, UsageEvent
from quota.services import gateways
from tests.helpers.api_client import gateway_caller
from tests.helpers.factories import USD, Scene
from tests.helpers.hot_path import database_clock
from tests.helpers.races import waiting
from tests.quota.hot_path.test_state_by_the_clock import ONE, ask, scene_of_now

pytestmark = pytest.mark.django_db(transaction=True)

Road = Callable[[Scene, Gateway], Callable[[], object]]


def asked(scene: Scene, gateway: Gateway) -> Callable[[], object]:
    request = AuthorizeRequest(key_text=scene.desk.key, request_id="r", model="penny", estimate=ONE)
    return lambda: authorizing.authorize(gateway=gateway, request=request)


def settled(scene: Scene, gateway: Gateway) -> Callable[[], object]:
    call = ask(scene, "call")
    return lambda: settle.settle(gateway=gateway, reservation_id=call.pk, report=Report(usage=ONE))


def drawn(scene: Scene, gateway: Gateway) -> Callable[[], object]:
    lease, report = ask(scene, "lease", hold=USD), Report(usage=ONE, model="penny", draw_id="d")
    return lambda: settle.draw(gateway=gateway, reservation_id=lease.pk, report=report)


def released(scene: Scene, gateway: Gateway) -> Callable[[], object]:
    call = ask(scene, "call")
    return lambda: settle.release(reservation_id=call.pk, gateway=gateway)


def lengthened(scene: Scene, gateway: Gateway) -> Callable[[], object]:
    call, by = ask(scene, "call"), Extension(lifetime_seconds=7200)
    return lambda: extend.extend(reservation_id=call.pk, extension=by, gateway=gateway)


def settled_in_bulk(scene: Scene, gateway: Gateway) -> Callable[[], object]:
    row = Settlement(ask(scene, "call").pk, Report(usage=ONE))
    return lambda: bulk.settle_many(gateway=gateway, settlements=[row])


def reported(scene: Scene, gateway: Gateway) -> Callable[[], object]:
    row = ReportedEvent("e", scene.desk.key, "penny", ONE, database_clock())
    return lambda: bulk.record_events(gateway=gateway, events=[row])


def reported_alone(scene: Scene, gateway: Gateway) -> Callable[[], object]:
    # More than the windows have room for is for the road for one.
    row = ReportedEvent("e", scene.desk.key, "penny", {"calls": 2000}, database_clock())
    return lambda: bulk.record_events(gateway=gateway, events=[row])


def reported_of_a_hold(scene: Scene, gateway: Gateway) -> Callable[[], object]:
    call, key = ask(scene, "call"), scene.desk.key
    row = ReportedEvent("e", key, "penny", ONE, database_clock(), reservation_id=call.pk)
    return lambda: bulk.record_events(gateway=gateway, events=[row])


ROADS = [
    asked,
    settled,
    drawn,
    released,
    lengthened,
    settled_in_bulk,
    reported,
    reported_alone,
    reported_of_a_hold,
]


def revoked(gateway: Gateway) -> None:
    gateways.revoke_gateway(gateway=gateway, at=database_clock(), by=None)


def replaced(gateway: Gateway) -> None:
    """At once, so that the old credential has no time left."""
    now = database_clock()
    gateways.end_credential(credential=gateway.credentials.get(), at=now, by=None)


def rows() -> list[object]:
    holds = Reservation.objects.order_by("pk").values_list("pk", "state", "expires_at", "left_quota_nanousd")
    return [*holds, UsageEvent.objects.count(), QuarantinedRow.objects.count()]


def while_it_waits(road: Road, end: Callable[[Gateway], None]) -> bool:
    """Whether it is refused, and nothing is written, where its gateway ends while it waits for a seat."""
    scene = scene_of_now()
    gateway = recognise_gateway(text=gateway_caller().credential or "")
    assert gateway
    work = road(scene, gateway)
    before = rows()

    def by_another() -> object:
        try:
            return work()
        except CredentialEnded as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=1) as another:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM teams_seat FOR UPDATE")
            answer = another.submit(by_another)
            waiting("", 1)
            end(gateway)
        refused = isinstance(answer.result(), CredentialEnded)
    assert refused is (rows() == before)
    return refused


@pytest.mark.parametrize("road", ROADS)
def test_a_gateway_that_is_revoked_while_its_request_waits_gets_nothing(road: Road) -> None:
    assert while_it_waits(road, revoked)


def test_a_credential_that_ends_while_its_request_waits_gets_nothing() -> None:
    assert while_it_waits(asked, replaced)


@pytest.mark.parametrize(
    ("road", "module"), [(asked, authorizing), (settled, settle), (reported_alone, events)]
)
def test_control_what_asks_no_more_once_all_is_locked_gets_it(
    road: Road, module: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "check_recognised", lambda gateway, at: None)
    monkeypatch.setattr(bulk, "check_recognised", lambda gateway, at: None)
    assert not while_it_waits(road, revoked)


def test_over_http_it_is_401_and_no_row_of_its_report_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(gateway: Gateway, at: object) -> None:
        raise CredentialEnded

    scene, caller = scene_of_now(), gateway_caller()
    call = ask(scene, "call")
    for module in (settle, bulk):
        monkeypatch.setattr(module, "check_recognised", ended)
    draw = {"id": "d", "usage": ONE}
    report = {"settlements": [{"reservation": str(call.pk), "usage": ONE}]}
    asks = [(f"reservations/{call.pk}/draw", draw), (f"reservations/{call.pk}/release", None)]
    for path, body in [*asks, ("settlements", report)]:
        answer = caller.post(f"gateway/{path}", body)
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="gateway"'), answer
    assert not UsageEvent.objects.exists()
    assert not QuarantinedRow.objects.exists()
