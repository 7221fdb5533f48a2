from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from teams.errors import DefaultTeamIsPersonal, TeamHasLiveSeats
from teams.models import AuditEntry, Mail, Membership, Role, Team, User
from teams.services import invitations, seats
from teams.services.teams import (
    create_team,
    delete_team,
    hand_team_over,
    rename_team,
    transfer_ownership,
)
from tests.helpers.people import NOON, everything, member, person, team
from tests.helpers.races import race
from tokenplan.kit.errors import InvalidValue, NotFound, PermissionRefused, Refusal

pytestmark = pytest.mark.django_db


def test_whoever_creates_a_team_owns_it() -> None:
    ann = person("ann@example.com")
    owner = create_team(name=" Acme  Inc ", by=ann, at=NOON)
    assert (owner.user, owner.role, owner.team.name, owner.team.slug) == (
        ann,
        Role.OWNER,
        "Acme Inc",
        "acme-inc",
    )
    assert not owner.team.is_default
    assert AuditEntry.objects.for_team(owner.team).get().action == "team.created"


def test_a_name_taken_gets_another_slug() -> None:
    first, second = team("Acme", owner=person("a@example.com")), team("Acme", owner=person("b@example.com"))
    assert first.team.slug == "acme"
    assert second.team.slug.startswith("acme-")
    assert len(second.team.slug) == len("acme-") + 6


def test_when_no_slug_is_free_nothing_is_created(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("teams.services.teams.secrets", SimpleNamespace(choice=lambda signs: "x"))
    for number in range(2):
        team("Acme", owner=person(f"p{number}@example.com"))
    late = person("late@example.com")
    before = everything()
    with pytest.raises(InvalidValue):
        create_team(name="Acme", by=late, at=NOON)
    assert everything() == before


def test_words_that_pages_use_are_no_slugs() -> None:
    assert team("New").team.slug.startswith("new-")


@pytest.mark.parametrize("name", ["", "   ", "two\nlines", "nul\x00", "right\u202eleft", "x" * 101])
def test_a_name_is_visible_text_on_one_line(name: str) -> None:
    ann = person("ann@example.com")
    before = everything()
    with pytest.raises(InvalidValue) as refused:
        create_team(name=name, by=ann, at=NOON)
    assert refused.value.pointer == "/name"
    assert everything() == before


def test_a_new_name_keeps_the_slug_and_is_audited_once() -> None:
    owner = team("Acme")
    renamed = rename_team(team=owner.team, name="Apex", by=owner.user, at=NOON)
    assert (renamed.name, renamed.slug) == ("Apex", "acme")
    entry = AuditEntry.objects.get(action="team.renamed")
    assert (entry.subject, entry.details) == ("Apex", {"before": "Acme"})
    before = everything()
    rename_team(team=owner.team, name="Apex", by=owner.user, at=NOON)
    assert everything() == before


def test_a_transfer_swaps_owner_and_admin_and_tells_both() -> None:
    owner = team()
    bob = member(owner.team, "bob@example.com")
    after = transfer_ownership(team=owner.team, to=bob, by=owner.user, at=NOON)
    assert (after.pk, after.role) == (bob.pk, Role.OWNER)
    owner.refresh_from_db()
    assert owner.role == Role.ADMIN
    entry = AuditEntry.objects.get(action="ownership.transferred")
    assert entry.details == {"before": "owner@acme.example", "after": "bob@example.com"}
    mails = Mail.objects.filter(kind="ownership_transferred")
    assert {mail.to for mail in mails} == {"owner@acme.example", "bob@example.com"}


def test_only_the_owner_transfers_and_only_to_another_member() -> None:
    owner = team()
    bob, eve = member(owner.team, "bob@example.com", Role.ADMIN), team("Evil")
    closed = member(owner.team, "closed@example.com")
    User.objects.filter(pk=closed.user_id).update(is_active=False, deactivated_at=NOON)
    before = everything()
    for to, by, refusal, why in (
        (bob, bob.user, PermissionRefused, "Only the Owner transfers ownership."),
        (eve, owner.user, NotFound, "This person is not a member of the Team."),
        (owner, owner.user, InvalidValue, "This member already owns the Team."),
        (closed, owner.user, InvalidValue, "The account of this person is closed."),
    ):
        with pytest.raises(refusal) as refused:
            transfer_ownership(team=owner.team, to=to, by=by, at=NOON)
        assert refused.value.detail == why
    default = owner.user.default_team
    with pytest.raises(DefaultTeamIsPersonal):
        transfer_ownership(team=default, to=bob, by=owner.user, at=NOON)
    assert everything() == before


def operator() -> User:
    user = person("operator@example.com")
    User.objects.filter(pk=user.pk).update(is_staff=True)
    user.refresh_from_db()
    return user


def hand_over(owner: Membership, email: str, **other: Any) -> Membership:
    values = {"reason": "Ticket 7: the Owner has left", "by": operator(), "at": NOON, **other}
    return hand_team_over(team=owner.team, email=email, **values)


def test_an_operator_hands_a_team_over_with_a_reason_and_both_get_a_mail() -> None:
    """Also where the Owner's account is closed: that is what it is for."""
    owner = team()
    bob = member(owner.team, "bob@example.com")
    User.objects.filter(pk=owner.user_id).update(is_active=False, deactivated_at=NOON)

    after = hand_over(owner, "BOB@example.com")

    owner.refresh_from_db()
    assert (after.pk, after.role, owner.role) == (bob.pk, Role.OWNER, Role.ADMIN)
    entry = AuditEntry.objects.get(action="ownership.handed_over")
    assert (entry.team, str(entry.by), entry.subject) == (
        owner.team,
        "operator@example.com",
        "bob@example.com",
    )
    assert entry.details == {
        "before": "owner@acme.example",
        "after": "bob@example.com",
        "reason": "Ticket 7: the Owner has left",
    }
    mails = Mail.objects.filter(kind="team_handed_over")
    assert {mail.to for mail in mails} == {"owner@acme.example", "bob@example.com"}
    assert {mail.context["reason"] for mail in mails} == {"Ticket 7: the Owner has left"}
    assert not Mail.objects.filter(kind="ownership_transferred").exists()


def test_who_is_no_member_yet_becomes_one_with_a_key() -> None:
    owner = team()
    person("new@example.com")
    after = hand_over(owner, "new@example.com")
    assert (after.role, after.team, after.keys.count()) == (Role.OWNER, owner.team, 1)
    assert owner.team.memberships.live().count() == 2
    assert list(AuditEntry.objects.for_team(owner.team).order_by("pk").values_list("action", flat=True)) == [
        "team.created",
        "member.joined",
        "ownership.handed_over",
    ]


def test_a_team_is_handed_over_by_an_operator_alone_to_an_account_that_works() -> None:
    owner = team()
    bob = member(owner.team, "bob@example.com", Role.ADMIN)
    closed, unverified = person("closed@example.com"), person("unverified@example.com", verified=False)
    User.objects.filter(pk=closed.pk).update(is_active=False, deactivated_at=NOON)
    default = Membership.objects.get(team__default_for=owner.user)
    staff = operator()
    before = everything()
    refused: list[tuple[Membership, dict[str, Any], type[Refusal], str | None]] = [
        (owner, {"email": "bob@example.com", "by": bob.user}, PermissionRefused, None),
        (owner, {"email": "bob@example.com", "by": owner.user}, PermissionRefused, None),
        (owner, {"email": "bob@example.com", "reason": " "}, InvalidValue, "/reason"),
        (owner, {"email": owner.user.email}, InvalidValue, "/email"),
        (owner, {"email": closed.email}, InvalidValue, "/email"),
        (owner, {"email": unverified.email}, InvalidValue, "/email"),
        (owner, {"email": "nobody@example.com"}, InvalidValue, "/email"),
        (default, {"email": "bob@example.com"}, DefaultTeamIsPersonal, None),
    ]
    for of, about, refusal, pointer in refused:
        with pytest.raises(refusal) as raised:
            hand_team_over(**{"team": of.team, "reason": "gone", "by": staff, "at": NOON, **about})
        assert raised.value.pointer == pointer, about
    assert everything() == before


@pytest.mark.django_db(transaction=True)
def test_two_transfers_at_once_leave_one_owner() -> None:
    owner = team()
    members = [member(owner.team, f"{name}@example.com") for name in ("ann", "bob")]

    def give(to: Membership) -> int:
        return transfer_ownership(team=owner.team, to=to, by=owner.user, at=NOON).pk

    outcomes = race(*[lambda to=to: give(to) for to in members])
    won = [outcome for outcome in outcomes if isinstance(outcome, int)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert won == list(owner.team.memberships.filter(role=Role.OWNER).values_list("pk", flat=True))
    assert [type(error) for error in refused] == [PermissionRefused]


def test_a_deleted_team_is_gone_for_all_and_stays_as_history() -> None:
    owner = team()
    bob = member(owner.team, "bob@example.com")
    invitation = invitations.invite(
        team=owner.team, email="eve@example.com", role="member", by=owner.user, at=NOON
    )
    later = NOON + timedelta(hours=1)
    delete_team(team=owner.team, by=owner.user, at=later)
    assert list(Team.objects.of(owner.user)) == [owner.user.default_team]
    for row in (owner, bob, invitation):
        row.refresh_from_db()
    assert (owner.ended_at, bob.ended_at, invitation.revoked_at) == (later, later, later)
    assert AuditEntry.objects.for_team(owner.team).latest("pk").action == "team.deleted"
    with pytest.raises(NotFound):
        rename_team(team=owner.team, name="Again", by=owner.user, at=later)


def test_neither_a_default_team_nor_one_with_seats_is_deleted() -> None:
    owner = team()
    seat = seats.add_seat(team=owner.team, by=None, at=NOON)
    before = everything()
    refusals: list[tuple[Team, type[Refusal]]] = [
        (owner.team, TeamHasLiveSeats),
        (owner.user.default_team, DefaultTeamIsPersonal),
    ]
    for which, refusal in refusals:
        with pytest.raises(refusal):
            delete_team(team=which, by=owner.user, at=NOON)
    assert everything() == before
    seats.remove_seat(seat=seat, by=None, at=NOON)
    assert delete_team(team=owner.team, by=owner.user, at=NOON).deleted_at == NOON
