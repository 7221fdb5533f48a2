"""Charges and receipts: who paid, at what price, and what it did to the windows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from quota.ids import first_id_at
from quota.models import KeptCalls, UsageEvent
from quota.services.corrections import correct_charge
from quota.services.reservations import charge_lapsed_holds
from teams.models import User
from tests.helpers.factories import (
    CREDIT,
    T0,
    USD,
    allow_credits,
    give_credits,
    limits,
    make_desk,
    make_member,
    make_scene,
    make_user,
)
from tests.helpers.hot_path import charging
from tests.helpers.reading import lines, read
from tests.helpers.usage_rows import write_event

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]


def test_a_receipt_says_prices_parts_and_windows_before_and_after(as_user: AsUser) -> None:
    scene = make_scene(limits(five_hours=USD, week=10 * USD))
    give_credits(scene.team, 5000 * CREDIT)
    allow_credits(scene.owner)
    scene.desk.use(90)
    event = scene.desk.use(25)

    page = read(as_user(scene.owner.user), f"/account/usage/{scene.team.slug}/{event.pk}/")

    assert f"Seat and plan Seat {scene.seat.number}, Max Model penny (language)" in page
    assert "Price $0.25 From quota $0.10 From Credits 150 Credits ($0.15) Quota overrun $0.00" in page
    assert "calls 25 $0.01 per 1" in page
    assert "5-hour until 3 Jun, 15:00 UTC $0.90 90% $1.00 100% $1.00" in page
    assert "Weekly until 8 Jun, 00:00 UTC $0.90 9% $1.00 10% $10.00" in page


def test_a_receipt_says_its_tags_and_what_is_estimated_or_corrected(as_user: AsUser) -> None:
    scene = make_scene()
    client, folder = as_user(scene.owner.user), f"/account/usage/{scene.team.slug}"
    event = scene.desk.use(5, tags=("night", "web"))
    page = read(client, f"{folder}/{event.pk}/")
    assert "Tags night, web Price" in page
    assert "Estimated" not in page
    done = correct_charge(event=event, usage={"calls": 2}, reason="x", at=T0, by=None)
    assert done.right is not None
    page = read(client, f"{folder}/{done.undo.pk}/")
    assert "Correction On 3 Jun 2026, 10:02 UTC it took back another charge." in page
    page = read(client, f"{folder}/{done.right.pk}/")
    assert "Correction On 3 Jun 2026, 10:02 UTC it took the place of another charge." in page
    html = client.get(f"{folder}/{event.pk}/").content.decode()
    assert f"{folder}/{done.undo.pk}/" in html
    listed = read(client, f"{folder}/")
    assert ("penny taken back" in listed, "penny corrected" in listed) == (True, True)

    charging(scene)
    scene.desk.lease(USD, at=T0)
    charge_lapsed_holds(at=T0 + timedelta(hours=1))
    lapsed = UsageEvent.objects.get(model="lease")
    page = read(client, f"{folder}/{lapsed.pk}/")
    assert "Prices used" not in page
    assert "Model lease Estimated Nobody reported the usage in time, so what was set aside for it is" in page


def test_quantities_and_tiers_are_written_out(as_user: AsUser) -> None:
    scene = make_scene()
    held = scene.desk.ask(1)
    event = scene.desk.settle(held, 1234)

    page = read(as_user(scene.owner.user), f"/account/usage/{scene.team.slug}/{event.pk}/")

    assert "calls 1,234 $0.01 per 1" in page
    assert "Quota overrun $2.44" in page


@pytest.mark.parametrize("page", ["/account/usage/{team}/{charge}/", "/teams/{team}/charges/{charge}/"])
def test_a_meter_without_a_price_has_its_line(as_user: AsUser, page: str) -> None:
    scene = make_scene()
    held = scene.desk.ask(1)
    usage = {"calls": 2, "songs": 1234}
    event = scene.desk.report(held, usage)

    shown = read(as_user(scene.owner.user), page.format(team=scene.team.slug, charge=event.pk))

    assert "calls 2 $0.01 per 1 songs 1,234 Not priced" in shown


def test_charges_are_listed_newest_first_in_pages(as_user: AsUser) -> None:
    scene = make_scene()
    for minute in range(52):
        scene.desk.use(1, at=T0 + timedelta(minutes=minute))
    client = as_user(scene.owner.user)
    url = f"/account/usage/{scene.team.slug}/"

    first = client.get(url).content.decode()
    older = first.partition('href="?before=')[2].partition('"')[0]
    second = client.get(f"{url}?before={older}").content.decode()

    assert first.count("Receipt<span") == 50
    assert second.count("Receipt<span") == 2
    assert "3 Jun 2026, 10:03:00" in second
    assert "3 Jun 2026, 10:04:00" in first
    assert "3 Jun 2026, 10:04:00" not in second
    assert "Older" not in second


@pytest.mark.parametrize("before", ["x", "2026-06-03~1", "2026-06-03T10:00:00~x", "%00", "~", "9999"])
def test_a_page_that_makes_no_sense_is_the_first(as_user: AsUser, before: str) -> None:
    scene = make_scene()
    scene.desk.use(1)

    page = read(as_user(scene.owner.user), f"/account/usage/{scene.team.slug}/?before={before}")

    assert "penny" in page


def test_a_receipt_of_somebody_else_is_not_there_unless_one_manages_the_team(as_user: AsUser) -> None:
    scene = make_scene()
    event = scene.desk.use(3)
    member = make_member(scene.team)
    own = f"/account/usage/{scene.team.slug}/{event.pk}/"
    of_team = f"/teams/{scene.team.slug}/charges/{event.pk}/"

    assert as_user(member.user).get(own).status_code == 404
    assert as_user(member.user).get(of_team).status_code == 403
    assert "Price $0.03" in read(as_user(scene.owner.user), of_team)


def test_managers_see_everyones_charges(as_user: AsUser) -> None:
    scene = make_scene()
    member = make_member(scene.team, credits=True)
    give_credits(scene.team, 5000 * CREDIT)
    make_desk(member).use(5)
    scene.desk.use(3)

    page = read(as_user(scene.owner.user), f"/teams/{scene.team.slug}/charges/")

    assert f"{member.user.email} penny $0.05 $0.00 50 $0.00" in page
    assert f"{scene.owner.user.email} penny $0.03 $0.03 0 $0.00" in page
    assert UsageEvent.objects.count() == 2


def test_charges_are_filtered_and_every_page_and_the_csv_keep_the_filter(as_user: AsUser) -> None:
    scene = make_scene()
    give_credits(scene.team, 5000 * CREDIT)
    mia = make_member(scene.team, make_user("mia@example.com"), credits=True)
    desk = make_desk(mia)
    for minute in range(52):
        desk.use(1, at=T0 + timedelta(minutes=minute))
    scene.desk.use(3)
    write_event(scene.owner, 7_000_000, model="painter", modality="image", tags=["night"])
    scene.desk.use(4, at=T0 - timedelta(days=31))
    client, url = as_user(scene.owner.user), f"/teams/{scene.team.slug}/charges/"

    def listed(query: str) -> str:
        return read(client, f"{url}?{query}").partition("Overrun Receipt ")[2]

    owner = scene.owner.user.email
    assert listed("member=person").count("Receipt") == 2
    assert listed("model=painter") == listed("tag=night") == listed("modality=image")
    assert f"{owner} painter" in listed("tag=night")
    assert "penny" not in listed("tag=night")
    assert owner not in listed("payer=credits")
    assert listed("payer=overrun").count("Receipt") == 1
    assert f"{owner} penny $0.04" in listed("start=2026-05-01&end=2026-05-31")

    first = client.get(f"{url}?member=mia@example.com").content.decode()
    older = first.partition('href="?member=mia%40example.com&amp;before=')[2].partition('"')[0]
    assert first.count("Receipt<span") == 50
    assert listed(f"member=mia@example.com&before={older}").count("Receipt") == 2
    link = "?member=mia%40example.com&amp;format=csv"
    assert f'href="{link}"' in first
    found = lines(client, url + link.replace("&amp;", "&"))
    assert len(found) == 53
    assert all(",mia@example.com," in line for line in found[1:])
    assert client.get(f"{url}?start=2026-06-03&end=2026-06-01").status_code == 422


def test_the_csv_of_charges_is_for_people(as_user: AsUser) -> None:
    scene = make_scene()
    event = scene.desk.use(5, tags=("night", "web"))
    done = correct_charge(event=event, usage={"calls": 2}, reason="x", at=T0, by=None)
    assert done.right is not None

    client = as_user(scene.owner.user)
    file = f"receipts-{scene.team.slug}-2026-05-05-2026-06-04.csv"
    heading, *found = lines(client, f"/teams/{scene.team.slug}/charges/?format=csv", file)

    assert heading == (
        "When (UTC),Name,E-mail address,API key,Model,Modality,Agent,Tags,Used,Price (USD),From quota (USD),"
        "From Credits (USD),From the API balance (USD),Overrun (USD),Estimated,Not priced,Recorded (UTC),"
        "Receipt,Corrects"
    )
    at, begins = "2026-06-03 10:02:00", f"2026-06-03 10:02:00,,{scene.owner.user.email},,penny,Language,,"
    assert sorted(found) == sorted(
        [
            f'{begins}"night, web",calls 5,0.05,0.05,0.00,0.00,0.00,No,No,{at},{event.pk},',
            f'{begins}"night, web",calls 5,-0.05,-0.05,0.00,0.00,0.00,No,No,{at},{done.undo.pk},{event.pk}',
            f'{begins}"night, web",calls 2,0.02,0.02,0.00,0.00,0.00,No,No,{at},{done.right.pk},{event.pk}',
        ]
    )


@pytest.mark.parametrize("address", ["/account/usage/{}/", "/teams/{}/charges/"])
def test_where_calls_were_dropped_the_list_says_since_when_they_are_kept(
    as_user: AsUser, address: str
) -> None:
    scene = make_scene()
    url = address.format(scene.team.slug)
    client = as_user(scene.owner.user)
    assert "no longer kept" not in read(client, f"{url}?start=2026-05-20&end=2026-06-03")
    KeptCalls.objects.create(events_from=first_id_at(datetime(2026, 6, 1, tzinfo=UTC)))
    said = "Single calls of before 1 Jun 2026 are no longer kept. What they came to is still in the sums."
    assert said in read(client, f"{url}?start=2026-05-20&end=2026-06-03")
    assert "no longer kept" not in read(client, f"{url}?start=2026-06-01&end=2026-06-03")


def test_nothing_used_says_so(as_user: AsUser) -> None:
    scene = make_scene()

    assert "Nothing was used in these days. Set up a tool" in read(
        as_user(scene.owner.user), f"/account/usage/{scene.team.slug}/"
    )
