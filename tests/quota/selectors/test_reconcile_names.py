"""What a check has found is named as people call it, by what can be pasted into the search of support."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from quota.models import CreditMonth, ReconcileFinding
from quota.selectors.reconcile import differences
from quota.selectors.reconcile.difference import rows_of
from quota.selectors.reconcile.names import api_key, key, member, plan, seat, team, text_of_api_key
from quota.services.reconcile import Progress, begin_run, work_on
from teams.models import ApiKeyText, Membership, Team, User
from tests.helpers import citus
from tests.helpers.drift import named, plant
from tests.helpers.factories import (
    T0,
    USD,
    Scene,
    allow_credits,
    give_credits,
    limits,
    make_api_key,
    make_scene,
)
from tests.helpers.staff import staff

pytestmark = pytest.mark.django_db
CENT = USD // 100


@pytest.fixture
def scene() -> Scene:
    return make_scene(limits(CENT, CENT))


def found() -> list[str]:
    return [str(difference) for difference in differences(T0 + timedelta(hours=1))]


def leads_to(text: str) -> str:
    return staff(superuser=True).post(reverse("support-search"), {"q": text}).headers["Location"]


def said(sql: str) -> str:
    ((name,),) = rows_of(f"SELECT {sql}")
    return str(name)


def test_each_name_can_be_pasted_into_the_search_of_support(scene: Scene) -> None:
    credential = make_api_key(scene.owner)
    text = ApiKeyText.objects.get(api_key=credential)
    slug, email, current = scene.team.slug, scene.owner.user.email, scene.owner.keys.get()
    names = {
        said(team(str(scene.team.pk))): f"Team {slug}",
        said(seat(str(scene.seat.pk))): f"seat {scene.seat.number} of Team {slug}",
        said(member(str(scene.owner.pk))): f"{email} in Team {slug}, membership {scene.owner.pk}",
        said(key(str(current.pk))): f"key sk-cp-{current.key_id}",
        said(api_key(str(credential.pk))): f"API key sk-api-{text.key_id} of Team {slug}",
        said(text_of_api_key(str(text.pk))): f"text sk-api-{text.key_id}",
        said(plan(str(scene.plan.pk))): "Max v1",
    }

    assert {name: expected for name, expected in names.items() if name != expected} == {}
    assert leads_to(slug) == reverse("support-team", args=[scene.team.pk])
    assert leads_to(email) == reverse("support-person", args=[scene.owner.user_id])
    assert leads_to(f"sk-cp-{current.key_id}") == reverse("support-person", args=[scene.owner.user_id])
    assert leads_to(f"sk-api-{text.key_id}") == reverse("support-team", args=[scene.team.pk])


def test_what_is_not_there_is_called_by_its_id() -> None:
    assert said(team("7")) == "Team 7"
    assert said(seat("7")) == "seat with the id 7"
    assert said(member("7")) == "membership 7"
    assert said(key("NULL::bigint")) == "None"


@pytest.mark.skipif(citus.is_named(), reason=citus.TEAM_STAYS)
def test_a_call_of_another_member_seat_and_key_says_whose_both_are(scene: Scene) -> None:
    other = make_scene(limits(CENT, CENT))
    event = scene.desk.use(1)
    columns = {
        "team_id": (scene.team.pk, other.team.pk),
        "membership_id": (scene.owner.pk, other.owner.pk),
        "seat_id": (scene.seat.pk, other.seat.pk),
        "key_id": (scene.owner.keys.get().pk, other.owner.keys.get().pk),
        "plan_id": (scene.plan.pk, other.plan.pk),
    }
    for column, (_right, wrong) in columns.items():
        plant(f"UPDATE quota_usageevent SET {column} = %s", wrong)

    lines = set(found())

    for what, expected, there in (
        ("Team", f"Team {scene.team.slug}", f"Team {other.team.slug}"),
        ("member", named(scene.owner), named(other.owner)),
        ("seat", named(scene.seat), named(other.seat)),
        ("key", *(f"key sk-cp-{one.owner.keys.get().key_id}" for one in (scene, other))),
    ):
        assert f"{what} of event {event.pk}: {expected} expected, {there} found" in lines


def test_two_memberships_of_one_person_in_one_team_are_two_findings(scene: Scene) -> None:
    """Names alone would be the same, and a run finds a thing once."""
    again = Membership.objects.create(
        team=scene.team, user=scene.owner.user, role="member", joined_at=T0, ended_at=T0
    )
    for row in (scene.owner, again):
        CreditMonth.objects.create(
            team_id=row.team_id, membership=row, month=T0.date().replace(day=1), used_nanousd=7
        )

    assert found() == [
        f"Credits used by {named(row)} in 2026-06: 0 expected, 7 found" for row in (scene.owner, again)
    ]


@pytest.mark.django_db(transaction=True)
def test_the_longest_names_have_room_in_a_finding() -> None:
    email = f"{'a' * 64}@{'b' * 60}.{'c' * 60}.example.com"
    scene = make_scene(limits(CENT, CENT))
    User.objects.filter(pk=scene.owner.user_id).update(email=email)
    Team.objects.filter(pk=scene.team.pk).update(slug="s" * 60)
    give_credits(scene.team, USD)
    allow_credits(scene.owner)
    scene.desk.use(5)
    plant("UPDATE quota_creditmonth SET used_nanousd = 1")

    run = begin_run(at=T0, everything=True)
    while work_on(run=run, at=T0) is not Progress.ENDED:
        pass

    finding = ReconcileFinding.objects.get()
    owner = Membership.objects.select_related("user", "team").get(pk=scene.owner.pk)
    assert finding.about == f"Credits used by {named(owner)} in 2026-06"
    assert len(finding.about) > 200
