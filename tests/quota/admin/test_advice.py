"""Lists of what waits say why, and what to do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from quota.admin.advice import IN_QUARANTINE, REFUSED
from quota.errors import ModelUnknown
from quota.models import QuarantinedRow, RefusedCall
from quota.services.quarantine import RejectedRow, keep_rejected, write_off_row
from quota.services.refusals import remember_refusal
from quota.services.reservations import expire_reservations
from teams.models import ApiKeyText, User
from teams.services.keys import reveal_key
from tests.helpers.admin_urls import change_url
from tests.helpers.factories import T0, Scene, key_of, make_api_key, make_member, make_scene
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
        f"{scene.owner.user.email} r1 The model 'x' is not on the rate card (model_unknown) Their tool names "
        "a model that is not on the rate card: it has to name another one." in page
    )


def test_a_refused_call_names_its_person_whatever_key_it_came_with(scene: Scene, operator: Client) -> None:
    api_key = make_api_key(scene.owner)
    nobodys, theirs = make_member(scene.team, at=T0 - DAY), ApiKeyText.objects.get(api_key=api_key)
    keys = {"r1": scene.desk.key, "r2": reveal_key(theirs), "r3": key_of(nobodys)}
    for number, key in keys.items():
        about = {"gateway": scene.desk.gateway, "key_text": key, "model": "x", "at": T0}
        remember_refusal(request_id=number, refusal=ModelUnknown("No model"), **about)  # type: ignore[arg-type]
    RefusedCall.objects.filter(request_id="r3").update(key_public_id="nobody")
    link = f'<a href="{reverse("support-person", args=[scene.owner.user_id])}">{scene.owner.user.email}</a>'

    listed = operator.get(reverse("admin:quota_refusedcall_changelist")).content.decode()
    rows = [operator.get(change_url(row)).content.decode() for row in RefusedCall.objects.order_by("pk")]

    assert listed.count(link) == 2
    assert [link in row for row in rows] == [True, True, False]
    assert all("it has to name another one." in row for row in rows)


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
