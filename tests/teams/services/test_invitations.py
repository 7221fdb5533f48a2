import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core.mail import EmailMessage

from teams.audit_sentences import SENTENCES, Said
from teams.errors import (
    AlreadyMember,
    DefaultTeamIsPersonal,
    InvitationAlreadyOpen,
    InvitationForAnotherAddress,
    InvitationNotUsable,
    InviterMayNotInvite,
)
from teams.invitation_tokens import hash_of, token_of
from teams.models import AuditEntry, Invitation, Mail, Membership, Role, Team
from teams.services import accounts, invitations, mail, memberships, teams
from teams.services.invitations import Promise
from teams.services.locks import lock_team
from teams.services.teams import delete_team
from tests.helpers.factories import CREDIT, make_plan
from tests.helpers.people import NOON, everything, member, person, team
from tests.helpers.races import race
from tokenplan.kit.errors import InvalidValue, NotFound, PermissionRefused

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(hours=1)


def invited(
    owner: Membership, email: str = "bob@example.com", role: str = "member"
) -> tuple[Invitation, str]:
    invitation = invitations.invite(team=owner.team, email=email, role=role, by=owner.user, at=NOON)
    return invitation, token_of(invitation.pk, 1)


def test_the_link_in_the_mail_is_the_only_place_of_the_token(mailoutbox: list[EmailMessage]) -> None:
    owner = team()
    invitation, token = invited(owner)
    assert token not in str(everything())
    assert invitation.token_hash == hash_of(token)
    assert invitation.expires_at == NOON + timedelta(days=7)
    mail.deliver_due(at=NOON)
    [message] = mailoutbox
    assert message.to == ["bob@example.com"]
    assert message.subject == "owner@acme.example invites you to the Team Acme"
    assert re.findall(r"/invitations/(\w+)/", str(message.body)) == [token]
    assert "until 8 June 2026, 12:00 UTC" in message.body
    assert token not in str(everything())


def test_accepting_makes_a_member_with_the_offered_role() -> None:
    owner = team()
    invitation, token = invited(owner, "Bob@Example.com", "admin")
    bob = person("bob@example.com")
    assert invitations.find_open(token=token, at=LATER) == invitation
    joined = invitations.accept_invitation(token=token, by=bob, at=LATER)
    assert (joined.team, joined.user, joined.role, joined.joined_at) == (owner.team, bob, Role.ADMIN, LATER)
    invitation.refresh_from_db()
    assert (invitation.accepted_at, invitation.accepted_by) == (LATER, bob)
    log = AuditEntry.objects.for_team(owner.team).order_by("pk").values_list("action", flat=True)
    assert list(log) == ["team.created", "invitation.sent", "member.joined", "invitation.accepted"]
    with pytest.raises(InvitationNotUsable):
        invitations.accept_invitation(token=token, by=bob, at=LATER)


def test_a_link_opens_its_own_invitation_and_only_while_it_is_open() -> None:
    owner = team()
    (one, first), (two, second) = invited(owner, "one@example.com"), invited(owner, "two@example.com")
    for invitation, token in ((one, first), (two, second)):
        assert invitations.find_open(token=token, at=LATER) == invitation
    invitations.revoke(invitation=two, by=owner.user, at=LATER)
    with pytest.raises(InvitationNotUsable):
        invitations.find_open(token=second, at=LATER)
    assert invitations.accept_invitation(token=first, by=person("one@example.com"), at=LATER)
    with pytest.raises(InvitationNotUsable):
        invitations.find_open(token=first, at=LATER)


def test_an_address_that_a_member_typed_and_never_confirmed_can_be_invited() -> None:
    owner = team()
    bob = member(owner.team, "bob@example.com").user
    EmailAddress.objects.create(user=bob, email="of.another@example.com", verified=False, primary=False)
    assert invited(owner, "of.another@example.com")[0].email == "of.another@example.com"


@pytest.mark.parametrize("days, usable", [(6.999, True), (7, False), (8, False)])
def test_a_link_works_for_seven_days(days: float, usable: bool) -> None:
    _, token = invited(team())
    bob = person("bob@example.com")
    moment = NOON + timedelta(days=days)
    before = everything()
    if usable:
        assert invitations.accept_invitation(token=token, by=bob, at=moment).user == bob
    else:
        with pytest.raises(InvitationNotUsable):
            invitations.accept_invitation(token=token, by=bob, at=moment)
        assert everything() == before


def test_only_the_verified_invited_address_may_accept() -> None:
    _, token = invited(team())
    eve, unverified = person("eve@example.com"), person("bob@example.com", verified=False)
    before = everything()
    for user in (eve, unverified):
        with pytest.raises(InvitationForAnotherAddress):
            invitations.accept_invitation(token=token, by=user, at=LATER)
    assert everything() == before


def test_any_verified_address_of_a_person_counts() -> None:
    _, token = invited(team(), "work@example.com")
    bob = person("bob@example.com")
    EmailAddress.objects.create(user=bob, email="work@example.com", verified=True, primary=False)
    assert invitations.accept_invitation(token=token, by=bob, at=LATER).user == bob


def test_sending_again_kills_the_link_before_and_starts_seven_new_days(
    mailoutbox: list[EmailMessage],
) -> None:
    owner = team()
    invitation, old = invited(owner)
    again = invitations.resend(invitation=invitation, by=owner.user, at=NOON + timedelta(days=10))
    assert (again.times_sent, again.expires_at) == (2, NOON + timedelta(days=17))
    moment, bob = NOON + timedelta(days=11), person("bob@example.com")
    with pytest.raises(InvitationNotUsable):
        invitations.accept_invitation(token=old, by=bob, at=moment)
    # The first mail was still waiting: it would carry a dead link, so it is dropped.
    assert mail.deliver_due(at=moment) == 1
    assert token_of(invitation.pk, 2) in mailoutbox[0].body
    assert Mail.objects.count() == 1
    assert invitations.accept_invitation(token=token_of(invitation.pk, 2), by=bob, at=moment).user == bob


def test_a_revoked_invitation_is_dead_and_its_mail_unsent(mailoutbox: list[EmailMessage]) -> None:
    owner = team()
    invitation, token = invited(owner)
    invitations.revoke(invitation=invitation, by=owner.user, at=LATER)
    assert AuditEntry.objects.latest("pk").action == "invitation.revoked"
    bob = person("bob@example.com")
    assert mail.deliver_due(at=LATER) == 0
    assert mailoutbox == []
    before = everything()
    with pytest.raises(InvitationNotUsable):
        invitations.accept_invitation(token=token, by=bob, at=LATER)
    for verb in (invitations.revoke, invitations.resend):
        with pytest.raises(InvitationNotUsable):
            verb(invitation=invitation, by=owner.user, at=LATER)
    assert everything() == before


def test_one_open_invitation_per_address_whatever_its_case() -> None:
    owner = team()
    invitation, _ = invited(owner)
    before = everything()
    with pytest.raises(InvitationAlreadyOpen):
        invited(owner, "BOB@example.com")
    assert everything() == before
    invitations.revoke(invitation=invitation, by=owner.user, at=LATER)
    assert invited(owner, "BOB@example.com")[0].email == "bob@example.com"


def test_what_cannot_be_invited() -> None:
    owner = team()
    member(owner.team, "in@example.com")
    before = everything()
    for email, role, refusal in (
        ("not an address", "member", InvalidValue),
        ("nul\x00@example.com", "member", InvalidValue),
        ("x" * 250 + "@example.com", "member", InvalidValue),
        ("bob@example.com", "owner", InvalidValue),
        ("IN@example.com", "member", AlreadyMember),
    ):
        with pytest.raises(refusal):
            invited(owner, email, role)
    with pytest.raises(DefaultTeamIsPersonal):
        invited(owner.user.default_team.memberships.get())
    assert everything() == before


def test_who_joined_meanwhile_is_not_joined_twice() -> None:
    owner = team()
    _, token = invited(owner)
    bob = member(owner.team, "bob@example.com").user
    before = everything()
    with pytest.raises(AlreadyMember):
        invitations.accept_invitation(token=token, by=bob, at=LATER)
    assert everything() == before


def test_a_deleted_team_cannot_be_joined() -> None:
    owner = team()
    invitation, token = invited(owner)
    delete_team(team=owner.team, by=owner.user, at=LATER)
    with pytest.raises(InvitationNotUsable):
        invitations.find_open(token=token, at=LATER)
    with pytest.raises(NotFound):
        invitations.resend(invitation=invitation, by=owner.user, at=LATER)


def test_a_member_who_was_removed_can_be_invited_again() -> None:
    owner = team()
    bob = member(owner.team, "bob@example.com")
    memberships.end_membership(membership=bob, by=owner.user, at=LATER)
    _, token = invited(owner)
    assert invitations.accept_invitation(token=token, by=bob.user, at=LATER).pk != bob.pk


@pytest.mark.django_db(transaction=True)
def test_a_token_works_once_however_many_use_it_at_once() -> None:
    owner = team()
    _, token = invited(owner)
    bob = person("bob@example.com")
    outcomes = race(*[lambda: invitations.accept_invitation(token=token, by=bob, at=LATER).pk] * 8)
    joined = [outcome for outcome in outcomes if isinstance(outcome, int)]
    assert joined == [owner.team.memberships.get(user=bob).pk]
    assert {type(o) for o in outcomes if isinstance(o, Exception)} == {InvitationNotUsable}
    assert AuditEntry.objects.filter(action="invitation.accepted").count() == 1


@pytest.mark.django_db(transaction=True)
def test_accepting_and_sending_again_at_once_never_both_win_on_the_old_link() -> None:
    owner = team()
    invitation, token = invited(owner)
    bob = person("bob@example.com")
    accepted, resent = race(
        lambda: invitations.accept_invitation(token=token, by=bob, at=LATER).pk,
        lambda: invitations.resend(invitation=invitation, by=owner.user, at=LATER).times_sent,
    )
    # One of them was first; the other was told.
    assert [type(outcome) for outcome in (accepted, resent)] in (
        [int, InvitationNotUsable],
        [InvitationNotUsable, int],
    )


def test_a_link_that_is_replaced_while_it_is_being_used_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = team()
    invitation, token = invited(owner)
    bob = person("bob@example.com")

    def lock_after_resending(which: Team) -> Team:
        patch.setattr("teams.services.invitations.lock_team", lock_team)
        invitations.resend(invitation=invitation, by=owner.user, at=LATER)
        return lock_team(which)

    with monkeypatch.context() as patch, pytest.raises(InvitationNotUsable):
        patch.setattr("teams.services.invitations.lock_team", lock_after_resending)
        invitations.accept_invitation(token=token, by=bob, at=LATER)
    assert not owner.team.memberships.filter(user=bob).exists()


def demoted(admin: Membership, owner: Membership) -> None:
    memberships.change_role(membership=admin, role="member", by=owner.user, at=LATER)


def removed(admin: Membership, owner: Membership) -> None:
    memberships.end_membership(membership=admin, by=owner.user, at=LATER)


def left(admin: Membership, owner: Membership) -> None:
    memberships.end_membership(membership=admin, by=admin.user, at=LATER)


LOST: dict[Callable[[Membership, Membership], None], str] = {
    demoted: "Changed the role of ann@example.com from Admin to Member.",
    removed: "Removed ann@example.com from the Team.",
    left: "ann@example.com left the Team.",
}


@pytest.mark.parametrize("lose", LOST)
def test_an_invitation_is_as_good_as_the_right_of_who_sent_it(
    lose: Callable[[Membership, Membership], None],
) -> None:
    owner = team()
    ann = member(owner.team, "ann@example.com", role="admin")
    invitation, token = invited(ann)
    bob = person("bob@example.com")
    lose(ann, owner)

    entry = AuditEntry.objects.latest("pk")
    assert entry.details["invitations"] == 1
    said = SENTENCES[entry.action](Said(entry.subject, entry.details, "", {}))
    assert said == f"{LOST[lose]} 1 open invitation of theirs no longer works."
    before = everything()
    with pytest.raises(InviterMayNotInvite):
        invitations.find_open(token=token, at=LATER)
    with pytest.raises(InviterMayNotInvite):
        invitations.accept_invitation(token=token, by=bob, at=LATER)
    assert everything() == before

    again = invitations.resend(invitation=invitation, by=owner.user, at=LATER)
    assert again.invited_by == owner.user
    joined = invitations.accept_invitation(token=token_of(invitation.pk, 2), by=bob, at=LATER)
    assert (joined.user, joined.role) == (bob, Role.MEMBER)


def test_an_inviter_whose_account_is_closed_invites_nobody() -> None:
    owner = team()
    ann = member(owner.team, "ann@example.com", role="admin")
    _, token = invited(ann)
    accounts.deactivate(user=ann.user, by=None, at=LATER)
    with pytest.raises(InviterMayNotInvite):
        invitations.accept_invitation(token=token, by=person("bob@example.com"), at=LATER)


def test_the_right_is_asked_for_under_the_lock_when_it_is_lost_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner = team()
    ann = member(owner.team, "ann@example.com", role="admin")
    _, token = invited(ann)

    def lock_after_losing(which: Team) -> Team:
        monkeypatch.undo()
        demoted(ann, owner)
        return lock_team(which)

    monkeypatch.setattr("teams.services.invitations.lock_team", lock_after_losing)
    bob = person("bob@example.com")
    with pytest.raises(InviterMayNotInvite):
        invitations.accept_invitation(token=token, by=bob, at=LATER)
    assert not owner.team.memberships.filter(user=bob).exists()


def test_only_the_owner_invites_an_admin() -> None:
    owner = team()
    ann = member(owner.team, "ann@example.com", role="admin")
    ben = member(owner.team, "ben@example.com")
    invitation, token = invited(owner, role="admin")
    before = everything()
    said = "To invite somebody as Admin, you need to be Owner of this Team. Ask owner@acme.example."
    for admin_of in (
        lambda: invited(ann, "eve@example.com", role="admin"),
        lambda: invitations.resend(invitation=invitation, by=ann.user, at=LATER),
        lambda: invited(ben, "eve@example.com", role="admin"),
    ):
        with pytest.raises(PermissionRefused) as refused:
            admin_of()
        assert refused.value.detail == said
    with pytest.raises(PermissionRefused, match="To invite people"):
        invited(ben, "eve@example.com")
    assert everything() == before
    # Who hands the Team over is an Admin then, and no longer makes Admins.
    teams.transfer_ownership(team=owner.team, to=ann, by=owner.user, at=LATER)
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.details["invitations"]) == ("ownership.transferred", 1)
    with pytest.raises(InviterMayNotInvite):
        invitations.accept_invitation(token=token, by=person("bob@example.com"), at=LATER)


def test_an_operator_sends_again_for_who_invited() -> None:
    owner = team()
    ann = member(owner.team, "ann@example.com", role="admin")
    invitation, _ = invited(ann)
    operator = person("operator@example.com")
    sent = invitations.resend(invitation=invitation, by=operator, at=LATER, for_inviter=True)
    assert (sent.invited_by, sent.times_sent) == (ann.user, 2)
    demoted(ann, owner)
    with pytest.raises(InviterMayNotInvite):
        invitations.resend(invitation=invitation, by=operator, at=LATER, for_inviter=True)
    assert Mail.objects.filter(kind="invitation").count() == 2


def test_the_mail_names_what_is_promised(mailoutbox: list[EmailMessage]) -> None:
    owner = team()
    make_plan("max")
    promises = {
        "bob": Promise("max", gives_credits=True, month_cap_nanousd=5000 * CREDIT),
        "eve": Promise(gives_credits=True),
        "ann": Promise(),
    }
    for name, promise in promises.items():
        email = f"{name}@example.com"
        invitations.invite(
            team=owner.team, email=email, role="member", by=owner.user, at=NOON, promise=promise
        )
    mail.deliver_due(at=NOON)
    bodies = {message.to[0]: str(message.body) for message in mailoutbox}
    assert (
        "\n\nOn joining you get:\n\n"
        "- a Max seat; if none is free then, we ask the Team for one\n"
        "- the Team's Credits, up to 5,000 a month\n\nTo accept" in bodies["bob@example.com"]
    )
    assert (
        "\n\nOn joining you get:\n\n- the Team's Credits, without a cap\n\nTo accept"
        in (bodies["eve@example.com"])
    )
    assert "as Member.\n\nTo accept" in bodies["ann@example.com"]
