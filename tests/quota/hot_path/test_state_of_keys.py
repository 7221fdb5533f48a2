"""Whose key a text is, and when it works: a forged text is nobody's, wherever it is shown."""

from dataclasses import replace

import pytest

from quota.hot_path.bulk import record_events
from quota.hot_path.events import ReportedEvent
from quota.models import UsageEvent
from teams.errors import KeyInvalid
from teams.keytext import key_id_of
from tests.helpers.api_client import Caller
from tests.helpers.factories import T0, Scene
from tests.helpers.hot_path import PENNY, counts, forged

pytestmark = pytest.mark.django_db


@pytest.fixture
def text(scene: Scene) -> str:
    """A text with the id of a working key and a right checksum, but not its secret."""
    text = forged(scene.desk.key)
    assert key_id_of(text) == key_id_of(scene.desk.key) != None  # noqa: E711
    assert text != scene.desk.key
    return text


def test_a_forged_secret_is_refused_at_authorize(scene: Scene, text: str) -> None:
    with pytest.raises(KeyInvalid):
        replace(scene.desk, key=text).ask()
    assert counts()[0] == 0
    assert scene.desk.ask().from_quota_nanousd == PENNY


@pytest.mark.parametrize("path", ["usage", "usage/receipts", "usage/series"])
def test_a_forged_secret_is_shown_no_usage(scene: Scene, text: str, path: str) -> None:
    answer = Caller(text).get(path)
    assert (answer.status, answer.code) == (401, "key_invalid")


def test_a_forged_secret_is_shown_nothing_that_remains(text: str) -> None:
    answer = Caller(text).get("/v1/token_plan/remains")
    assert answer.body["base_resp"]["status_code"] == 2049


@pytest.mark.parametrize("with_hold", [False, True])
def test_a_forged_secret_records_no_event(scene: Scene, text: str, with_hold: bool) -> None:
    held = scene.desk.ask().reservation_id if with_hold else None
    event = ReportedEvent("one", text, "penny", {"calls": 1}, T0, reservation_id=held)
    (row,) = record_events(gateway=scene.desk.gateway, events=[event], at=T0)
    assert isinstance(row.refusal, KeyInvalid)
    assert not UsageEvent.objects.exists()
    (row,) = record_events(
        gateway=scene.desk.gateway, events=[replace(event, key_text=scene.desk.key)], at=T0
    )
    assert row.is_new
