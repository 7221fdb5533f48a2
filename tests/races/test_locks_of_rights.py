"""Each verb of rights, keys and mails of `teams` that locks, while another is in the middle of what it must
not overlook.

Each race begins by showing that it is one: without locks it is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from teams.models import ApiKeyText, AuditEntry, Mail, Membership, SubscriptionKey, Team
from teams.services import api_keys, keys, mail, memberships, teams
from tests.helpers.factories import T0, make_api_key, make_member, make_team, owner_of
from tests.helpers.locks import Case, is_lost_without_locks_alone
from tokenplan.kit.errors import InvalidValue, NotFound, PermissionRefused

pytestmark = pytest.mark.django_db(transaction=True)

LATER = T0 + timedelta(hours=1)
LOST = "lost"


def gives_billing(member: Membership) -> Callable[[], object]:
    by = owner_of(member.team).user
    return lambda: memberships.set_billing_right(membership=member, allowed=True, by=by, at=LATER)


def transfers(team: Team, to: Membership) -> Callable[[], object]:
    by = owner_of(team).user
    return lambda: teams.transfer_ownership(team=team, to=to, by=by, at=T0)


def has_no_billing_right(member: Membership) -> bool:
    return not Membership.objects.get(pk=member.pk).manages_billing


def billing_right_given_by_who_hands_over_the_team() -> Case:
    team = make_team()
    member, successor = make_member(team), make_member(team)
    return Case(
        transfers(team, successor),
        gives_billing(member),
        lambda: has_no_billing_right(member),
        PermissionRefused,
    )


def billing_right_given_to_who_becomes_the_owner() -> Case:
    team = make_team()
    successor = make_member(team)
    return Case(
        transfers(team, successor),
        lambda: memberships.set_billing_right(membership=successor, allowed=True, by=None, at=LATER),
        lambda: has_no_billing_right(successor),
        InvalidValue,
    )


def billing_right_given_to_who_leaves() -> Case:
    member = make_member(make_team())
    return Case(
        lambda: memberships.end_membership(membership=member, by=None, at=T0),
        gives_billing(member),
        lambda: has_no_billing_right(member),
        NotFound,
    )


def a_policy_of_a_team_that_is_deleted() -> Case:
    team = make_team()
    by, before = owner_of(team).user, team.members_make_api_keys
    return Case(
        lambda: teams.delete_team(team=team, by=None, at=T0),
        lambda: api_keys.set_api_key_policy(team=team, members_make=not before, at=LATER, by=by),
        lambda: Team.objects.get(pk=team.pk).members_make_api_keys is before,
        NotFound,
    )


def a_policy_set_back_while_it_is_set() -> Case:
    team = make_team()
    by, before = owner_of(team).user, team.members_make_api_keys

    def sets(members_make: bool) -> Callable[[], object]:
        return lambda: api_keys.set_api_key_policy(team=team, members_make=members_make, at=LATER, by=by)

    return Case(
        sets(not before), sets(before), lambda: Team.objects.get(pk=team.pk).members_make_api_keys is before
    )


def withdraws() -> object:
    return keys.withdraw_root(root=LOST, at=LATER, by=None)


def revoked_once_at_noon(text: SubscriptionKey | ApiKeyText) -> bool:
    text.refresh_from_db()
    logged = AuditEntry.objects.filter(action="key.revoked", subject=text.prefix)
    return text.revoked_at == T0 and logged.count() == 1


def a_root_withdrawn_while_a_key_of_it_is_revoked() -> Case:
    member = make_member(make_team())
    key = member.keys.get()
    SubscriptionKey.objects.filter(pk=key.pk).update(root=LOST)
    return Case(
        lambda: keys.revoke_keys(membership=member, at=T0, by=None),
        withdraws,
        lambda: revoked_once_at_noon(key),
    )


def a_root_withdrawn_while_an_api_key_of_it_is_revoked() -> Case:
    key = make_api_key(owner_of(make_team()))
    text = key.texts.get()
    ApiKeyText.objects.filter(pk=text.pk).update(root=LOST)
    return Case(
        lambda: api_keys.revoke_api_key(key=key, at=T0, by=None),
        withdraws,
        lambda: revoked_once_at_noon(text),
    )


def a_mail_sent_again_while_it_is_sent() -> Case:
    """Whoever asks for it gets another one, with new links."""
    to = f"{uuid4().hex}@example.com"
    mail.queue(kind="member_removed", to=to, context={"team": "Acme"}, dedupe_key=to, at=T0)
    first = Mail.objects.get(to=to)
    return Case(
        lambda: Mail.objects.filter(pk=first.pk).update(sent_at=T0),
        lambda: mail.send_again(mail=first, reason="Ticket 7", by=None, at=LATER),
        lambda: Mail.objects.filter(to=to).count() == 2,
    )


CASES: list[Callable[[], Case]] = [
    billing_right_given_by_who_hands_over_the_team,
    billing_right_given_to_who_becomes_the_owner,
    billing_right_given_to_who_leaves,
    a_policy_of_a_team_that_is_deleted,
    a_policy_set_back_while_it_is_set,
    a_root_withdrawn_while_a_key_of_it_is_revoked,
    a_root_withdrawn_while_an_api_key_of_it_is_revoked,
    a_mail_sent_again_while_it_is_sent,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_what_was_locked_is_decided_by_what_is_there_after_the_lock(case: Callable[[], Case]) -> None:
    is_lost_without_locks_alone(case)
