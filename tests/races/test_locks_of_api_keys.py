"""Each verb of API keys that locks, while another is in the middle of what it must not overlook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from teams.models import ApiKey, ApiKeyText, Membership, Team
from teams.services import api_keys, memberships
from tests.helpers.factories import T0 as NOON
from tests.helpers.factories import make_member, make_team, owner_of
from tests.helpers.locks import Case, is_lost_without_locks_alone
from tokenplan.kit.errors import NotFound

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

LATER = NOON + timedelta(hours=1)


@dataclass
class People:
    """A Team with an Owner and a member."""

    team: Team = field(default_factory=make_team)

    def __post_init__(self) -> None:
        self.owner, self.bob = owner_of(self.team), make_member(self.team)

    def leave(self) -> Membership:
        return memberships.end_membership(membership=self.bob, by=None, at=NOON)

    def api_key(self, who: Membership | None = None) -> ApiKey:
        who = who or self.owner
        return api_keys.create_api_key(
            membership=who,
            name="CI",
            month_cap_nanousd=None,
            expires_at=None,
            at=NOON,
            by=who.user,
        )

    def rotate(self, key: ApiKey, who: Membership) -> ApiKeyText:
        return api_keys.rotate_api_key(
            key=key, membership=who, overlap=timedelta(hours=24), at=LATER, by=who.user
        )


def an_api_key_revoked_while_it_is_rotated() -> Case:
    we = People()
    key = we.api_key()
    return Case(
        lambda: we.rotate(key, we.owner),
        lambda: api_keys.revoke_api_key(key=key, at=LATER, by=None),
        lambda: not key.texts.filter(revoked_at=None).exists(),
    )


def an_api_key_rotated_while_it_is_revoked() -> Case:
    we = People()
    key = we.api_key()
    return Case(
        lambda: api_keys.revoke_api_key(key=key, at=NOON, by=None),
        lambda: we.rotate(key, we.owner),
        lambda: key.texts.count() == 1,
        NotFound,
    )


def an_api_key_rotated_by_who_leaves() -> Case:
    we = People()
    key = we.api_key()
    return Case(
        lambda: we.leave(),
        lambda: we.rotate(key, we.bob),
        lambda: key.texts.filter(revoked_at=None, membership=we.owner).count() == key.texts.count() == 1,
        NotFound,
    )


def an_api_key_changed_while_it_is_revoked() -> Case:
    we = People()
    key = we.api_key()
    return Case(
        lambda: api_keys.revoke_api_key(key=key, at=NOON, by=None),
        lambda: api_keys.change_api_key(
            key=key, name="Other", month_cap_nanousd=None, at=LATER, by=we.owner.user
        ),
        lambda: ApiKey.objects.get(pk=key.pk).name == "CI",
        NotFound,
    )


def an_api_key_made_by_who_leaves() -> Case:
    we = People()
    return Case(
        lambda: we.leave(),
        lambda: we.api_key(we.bob),
        lambda: not ApiKey.objects.filter(team=we.team).exists(),
        NotFound,
    )


CASES: list[Callable[[], Case]] = [
    an_api_key_revoked_while_it_is_rotated,
    an_api_key_rotated_while_it_is_revoked,
    an_api_key_rotated_by_who_leaves,
    an_api_key_changed_while_it_is_revoked,
    an_api_key_made_by_who_leaves,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_what_was_locked_is_decided_by_what_is_there_after_the_lock(case: Callable[[], Case]) -> None:
    is_lost_without_locks_alone(case)
