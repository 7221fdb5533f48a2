"""Lists of what waits say why, and what to do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from quota.admin.advice import IN_QUARANTINE, REFUSED
from quota.errors import ModelUnknown
from quota.models import QuarantinedRow
from quota.services.quarantine import RejectedRow, keep_rejected, write_off_row
from quota.services.refusals import remember_refusal
from quota.services.reservations import expire_reservations
from teams.models import User
from tests.helpers.factories import T0, Scene, make_scene
from tests.helpers.reading import read
from tests.keepers.test_docs import answered

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def scene() -> Scene:
    return make_scene(at=T0 - 9 * DAY)


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", "x"))
    return client


def test_what_is_said_is_about_codes_that_there_are() -> None:
    assert {*REFUSED, *IN_QUARANTINE} - answered().keys() == set()


def test_a_refused_call_says_why_and_what_to_do(scene: Scene, operator: Client) -> None:
    refusal = ModelUnknown("The model 'x' is not on the rate card")
    about = {"gateway": scene.desk.gateway, "key_text": scene.desk.key, "model": "x", "at": T0}
    remember_refusal(request_id="r1", refusal=refusal, **about)  # type: ignore[arg-type]

    page = read(operator, reverse("admin:quota_refusedcall_changelist"))

    assert (
        "r1 The model 'x' is not on the rate card (model_unknown) Their tool names a model that is not on "
        "the rate card: it has to name another one." in page
    )


def test_a_row_in_quarantine_says_what_to_do_until_that_is_done(scene: Scene, operator: Client) -> None:
    url = reverse("admin:quota_quarantinedrow_changelist")
    row = RejectedRow({"id": "e1"}, "reported_too_late", "Too late")
    keep_rejected(gateway=scene.desk.gateway, kind=QuarantinedRow.Kind.EVENT, rows=[row], at=T0)

    advice = "Too late (reported_too_late) It came after 60 days: replay to charge it all the same"
    assert advice in read(operator, f"{url}?state=waiting")
    write_off_row(row=QuarantinedRow.objects.get(), reason="x", at=T0, by=None)

    assert "0 rows in quarantine" in read(operator, f"{url}?state=waiting")
    assert "0 rows in quarantine" in read(operator, f"{url}?state=replayed")
    assert "Too late (reported_too_late) Nothing." in read(operator, f"{url}?state=written-off")


def test_lapsed_holds_are_those_of_the_last_day_or_week(scene: Scene, operator: Client) -> None:
    url = reverse("admin:quota_reservation_changelist")
    for days in (0, 3, 8):
        scene.desk.ask(1, at=T0 - days * DAY - HOUR)
    scene.desk.use(1, at=T0 - HOUR)
    scene.desk.ask(1, at=T0)
    assert expire_reservations(at=T0) == 3

    day, week, every = (read(operator, f"{url}{query}") for query in ("?lapsed=day", "?lapsed=week", ""))

    said = (
        "lapsed It holds nothing any more. If its gateway reports the usage within 60 days, that is charged."
    )
    assert [page.count(said) for page in (day, week, every)] == [1, 2, 3]
