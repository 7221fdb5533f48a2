"""What could not be recorded is kept, without any key's text, and replayed once or written off."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from quota.errors import AlreadySettled, ModelUnknown, NotInQuarantine
from quota.hot_path.bulk import record_events
from quota.hot_path.draws import Report, Settlement
from quota.hot_path.events import ReportedEvent
from quota.hot_path.settle import release
from quota.models import Gateway, QuarantinedRow, RefusalCount, UsageEvent
from quota.selectors.reconcile import differences
from quota.services.quarantine import RejectedRow, keep_rejected, replay_row, write_off_row
from teams.models import AuditEntry
from teams.services.keys import revoke_keys
from tests.helpers.factories import T0, Scene, make_desk, make_gateway, make_member, make_scene
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, forged
from tests.helpers.races import race

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
EVENT = QuarantinedRow.Kind.EVENT


def keep(
    scene: Scene,
    row: object,
    code: str = "model_unknown",
    kind: QuarantinedRow.Kind = EVENT,
    gateway: Gateway | None = None,
) -> int:
    rejected = RejectedRow(row, code, "why")
    return keep_rejected(gateway=gateway or scene.desk.gateway, kind=kind, rows=[rejected], at=T0)


def an_event(scene: Scene, **changes: Any) -> dict[str, Any]:
    row = {"id": "e", "key": scene.desk.key, "model": "penny", "usage": {"calls": 3}}
    return row | {"occurred_at": "2026-06-03T10:02:00Z"} | changes


def parsed(scene: Scene, name: str = "e", model: str = "penny", **changes: Any) -> ReportedEvent:
    handle = f"kh-{scene.desk.key[6:18]}"
    return ReportedEvent(name, "", model, {"calls": 3}, T0, key_handle=handle, **changes)


def test_a_row_is_kept_with_the_handle_of_its_key_and_no_text(scene: Scene) -> None:
    assert keep(scene, an_event(scene, agent=f"my key is {scene.desk.key}")) == 1
    row = QuarantinedRow.objects.get()
    assert row.row == {
        "id": "e",
        "key_handle": f"kh-{scene.desk.key[6:18]}",
        "model": "penny",
        "usage": {"calls": 3},
        "occurred_at": "2026-06-03T10:02:00Z",
        "agent": "my key is sk-cp-…",
    }
    assert (row.gateway, row.kind, row.code, row.received_at, row.waits) == (
        *(scene.desk.gateway, "event", "model_unknown", T0),
        True,
    )
    assert scene.desk.key[18:] not in json.dumps(list(QuarantinedRow.objects.values()), default=str)


def test_the_same_row_sent_again_is_counted_and_another_gateways_is_another(scene: Scene) -> None:
    for code in ("model_unknown", "usage_invalid"):
        keep(scene, an_event(scene), code)
    row = QuarantinedRow.objects.get()
    assert (row.times, row.code) == (2, "usage_invalid")
    keep(scene, an_event(scene), gateway=make_gateway())
    keep(scene, an_event(scene), kind=QuarantinedRow.Kind.SETTLEMENT)
    keep(scene, an_event(scene, id="f"))
    assert QuarantinedRow.objects.count() == 4


def test_forged_secrets_are_counted_and_unknown_keys_dropped(scene: Scene) -> None:
    assert keep(scene, an_event(scene, key=forged(scene.desk.key))) == 0
    assert keep(scene, an_event(scene, key="sk-cp-garbage")) == 0
    assert not QuarantinedRow.objects.exists()
    count = RefusalCount.objects.get()
    assert (count.key_public_id, count.code, count.refused) == (scene.desk.key[6:18], "secret_forged", 1)


@pytest.mark.parametrize(
    "row",
    [
        "text",
        "nul \x00 and half \ud800 a pair \U0001f600",
        7,
        None,
        ["a"],
        {"key": 7},
        {"key": None, "x": "gw-" + "a" * 40},
    ],
)
def test_rows_that_nobody_can_read_are_kept_as_they_are(scene: Scene, row: object) -> None:
    kept = keep(scene, row)
    assert kept == (0 if row is None else 1)
    assert "aaaa" not in str(list(QuarantinedRow.objects.values_list("row", flat=True)))


def test_a_row_that_is_too_long_is_cut(scene: Scene) -> None:
    keep(scene, an_event(scene, agent="x" * 20_000))
    assert len(QuarantinedRow.objects.get().row["too_long"]) == 16_384


def test_a_replayed_event_counts_once_at_its_own_moment_however_late(scene: Scene) -> None:
    keep(scene, an_event(scene))
    row = QuarantinedRow.objects.get()
    at = T0 + 30 * DAY
    done = replay_row(row=row, parsed=parsed(scene), at=at, by=None)
    event = UsageEvent.objects.get()
    assert (event.external_id, event.occurred_at, event.amount_nanousd) == ("e", T0, 3 * PENNY)
    assert (done.replayed_at, done.waits) == (at, False)
    assert AuditEntry.objects.get(action="quarantine.replayed").details["code"] == "model_unknown"
    # The gateway sends it again, with the text of the key.
    again = ReportedEvent("e", scene.desk.key, "penny", {"calls": 3}, T0)
    (result,) = record_events(gateway=scene.desk.gateway, events=[again], at=T0 + HOUR)
    assert (result.is_new, result.refusal) == (False, None)
    with pytest.raises(NotInQuarantine):
        replay_row(row=row, parsed=parsed(scene), at=at, by=None)
    with pytest.raises(NotInQuarantine):
        write_off_row(row=row, reason="x", at=at, by=None)
    assert (UsageEvent.objects.count(), list(differences(at))) == (1, [])


def test_what_still_cannot_be_recorded_goes_on_waiting(scene: Scene) -> None:
    keep(scene, an_event(scene, model="whisper"))
    row = QuarantinedRow.objects.get()
    with pytest.raises(ModelUnknown):
        replay_row(row=row, parsed=parsed(scene, model="whisper"), at=T0, by=None)
    row.refresh_from_db()
    assert (row.waits, UsageEvent.objects.count()) == (True, 0)


def test_usage_of_before_a_revocation_is_replayed_after_it(scene: Scene) -> None:
    keep(scene, an_event(scene))
    revoke_keys(membership=scene.owner, at=T0 + MINUTE, by=None)
    replay_row(row=QuarantinedRow.objects.get(), parsed=parsed(scene), at=T0 + DAY, by=None)
    assert UsageEvent.objects.get().amount_nanousd == 3 * PENNY


def test_a_draw_of_a_closed_hold_is_replayed_and_a_second_settle_is_not(scene: Scene) -> None:
    held = scene.desk.lease(10 * PENNY)
    scene.desk.report(held, {"calls": 1}, model="penny")
    keep(scene, {"reservation": str(held.reservation_id)}, kind=QuarantinedRow.Kind.SETTLEMENT)
    row = QuarantinedRow.objects.get()
    late = T0 + 100 * DAY
    settled = Report(usage={"calls": 2}, model="penny")
    with pytest.raises(AlreadySettled):
        replay_row(row=row, parsed=Settlement(held.reservation_id, settled), at=late, by=None)
    drawn = Report(usage={"calls": 2}, model="penny", draw_id="late", occurred_at=T0 + MINUTE)
    replay_row(row=row, parsed=Settlement(held.reservation_id, drawn, closes=False), at=late, by=None)
    assert sum(UsageEvent.objects.values_list("amount_nanousd", flat=True)) == 3 * PENNY
    assert not list(differences(late))


def test_a_row_is_written_off_with_a_reason(scene: Scene) -> None:
    keep(scene, an_event(scene))
    row = write_off_row(row=QuarantinedRow.objects.get(), reason="our fault", at=T0 + DAY, by=None)
    assert (row.written_off_at, row.reason, row.waits) == (T0 + DAY, "our fault", False)
    entry = AuditEntry.objects.get(action="quarantine.written_off")
    assert entry.details == {"gateway": row.gateway.name, "code": "model_unknown", "reason": "our fault"}
    assert not QuarantinedRow.objects.waiting().exists()


TEXTS = ["a\\u0000b", "\x00", "\ud800", "\\", '"', "\\ud800", "a\tb"]


@pytest.mark.parametrize("text", TEXTS)
def test_whatever_a_text_holds_its_row_is_kept(scene: Scene, text: str) -> None:
    nested: Any = text
    for _ in range(900):
        nested = [nested]
    for row in ({"id": text}, {text: 1}, [text], nested):
        assert keep(scene, row) == 1
    kept = list(QuarantinedRow.objects.order_by("pk").values_list("row", flat=True))
    storable = text.replace("\x00", "\ufffd").replace("\ud800", "\ufffd")
    assert kept[:3] == [{"id": storable}, {storable: 1}, [storable]]


def test_no_text_of_a_key_is_kept_whatever_stands_before_it(scene: Scene) -> None:
    key = scene.desk.key
    for text in (key, f"7_{key}", f"x{key}", f"a\t{key}", f"a\n{key} b", f"[{key}]"):
        keep(scene, {"id": text, text: [text]})
        rejected = RejectedRow({"id": "e"}, "model_unknown", f"The model {text!r} is not on the rate card")
        keep_rejected(gateway=scene.desk.gateway, kind=EVENT, rows=[rejected], at=T0)
        assert key not in str(list(QuarantinedRow.objects.values_list("row", "detail")))
    keep(scene, {"id": "compat-mode", "model": "night-gw-v1", "x": "gw-" + "s" * 40, "y": "pat-" + "x" * 40})
    last = QuarantinedRow.objects.order_by("pk").last()
    assert last
    assert last.row == {"id": "compat-mode", "model": "night-gw-v1", "x": "gw-…", "y": "pat-…"}


def test_a_draw_that_named_no_moment_is_replayed_at_the_one_at_which_it_came(scene: Scene) -> None:
    held = scene.desk.lease(5 * PENNY, seconds=36_000)
    release(reservation_id=held.reservation_id, at=T0 + MINUTE)
    kind = QuarantinedRow.Kind.SETTLEMENT
    rejected = RejectedRow({"reservation": str(held.reservation_id)}, "reservation_released", "why")
    keep_rejected(gateway=scene.desk.gateway, kind=kind, rows=[rejected], at=T0 + HOUR)
    row = Settlement(
        held.reservation_id, Report(usage={"calls": 3}, model="penny", draw_id="d"), closes=False
    )
    replay_row(row=QuarantinedRow.objects.get(), parsed=row, at=T0 + 7 * HOUR, by=None)
    assert UsageEvent.objects.get().occurred_at == T0 + HOUR


@pytest.mark.django_db(transaction=True)
def test_batches_with_the_same_rows_in_another_order_are_both_kept() -> None:
    scene = make_scene()
    other = make_desk(make_member(scene.team))
    forgeries = [{"id": str(n), "key": forged(desk.key)} for n, desk in enumerate((scene.desk, other))]
    same = [RejectedRow({"id": str(n)}, "invalid", "x") for n in range(300)]

    def batch(name: str, backwards: bool) -> Callable[[], int]:
        rows = [*same, *(RejectedRow(row, "key_invalid", "x") for row in forgeries)]
        rows = [*(rows[::-1] if backwards else rows), RejectedRow({"id": name}, "invalid", "x")]
        return partial(keep_rejected, gateway=scene.desk.gateway, kind=EVENT, rows=rows, at=T0)

    assert race(batch("a", False), batch("b", True), batch("c", False), batch("d", True)) == [301] * 4
    assert QuarantinedRow.objects.count() == 304
