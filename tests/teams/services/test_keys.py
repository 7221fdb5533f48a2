"""Rotating and revoking: which texts of a key still work, and until when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from teams.keytext import key_id_of
from teams.models import AuditEntry, Membership, SubscriptionKey
from teams.services.keys import recognise_key, recognise_keys, reveal_key, revoke_keys, rotate_key
from tests.helpers.factories import forged_key_of
from tests.helpers.people import NOON, team
from tokenplan.kit.errors import InvalidValue

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
NONE = timedelta(0)


@pytest.fixture
def owner() -> Membership:
    return team()


def rotate(owner: Membership, overlap: timedelta, after: timedelta = NONE) -> SubscriptionKey:
    return rotate_key(membership=owner, overlap=overlap, at=NOON + after, by=owner.user)


def ends(owner: Membership) -> list[timedelta | None]:
    """When each text ends, oldest first, counted from noon."""
    keys = owner.keys.order_by("pk").values_list("expires_at", flat=True)
    return [None if end is None else end - NOON for end in keys]


def test_rotating_with_no_overlap_ends_every_earlier_text(owner: Membership) -> None:
    rotate(owner, 24 * HOUR)
    rotate(owner, NONE, HOUR)

    assert ends(owner) == [HOUR, HOUR, None]
    assert SubscriptionKey.objects.working(NOON + HOUR).filter(membership=owner).count() == 1


def test_a_shorter_overlap_caps_what_an_earlier_rotation_had_given(owner: Membership) -> None:
    rotate(owner, 24 * HOUR)
    rotate(owner, 2 * HOUR, HOUR)

    assert ends(owner) == [3 * HOUR, 3 * HOUR, None]


def test_a_longer_overlap_lengthens_no_earlier_text(owner: Membership) -> None:
    rotate(owner, HOUR)
    rotate(owner, 24 * HOUR, HOUR / 2)

    assert ends(owner) == [HOUR, 24.5 * HOUR, None]


def test_a_text_that_has_ended_stays_as_it_was(owner: Membership) -> None:
    rotate(owner, HOUR)
    rotate(owner, NONE, 2 * HOUR)

    assert ends(owner) == [HOUR, 2 * HOUR, None]


def test_a_server_whose_clock_is_behind_ends_earlier_texts_all_the_same(owner: Membership) -> None:
    rotate(owner, HOUR)
    rotate(owner, NONE, timedelta(seconds=-1))

    assert SubscriptionKey.objects.working(NOON - timedelta(seconds=1)).filter(membership=owner).count() == 1


def test_the_rotation_of_one_member_leaves_the_keys_of_others(owner: Membership) -> None:
    other = team("Globex")
    rotate(other, 24 * HOUR)
    before = ends(other)
    rotate(owner, NONE, HOUR)

    assert ends(other) == before


@pytest.mark.parametrize("overlap", [-timedelta(microseconds=1), timedelta(hours=24, microseconds=1)])
def test_an_overlap_is_from_nothing_to_a_day(owner: Membership, overlap: timedelta) -> None:
    with pytest.raises(InvalidValue):
        rotate(owner, overlap)

    assert ends(owner) == [None]


def test_revoking_ends_every_text_that_works(owner: Membership) -> None:
    rotate(owner, 24 * HOUR)
    rotate(owner, 24 * HOUR)

    assert revoke_keys(membership=owner, at=NOON + HOUR, by=owner.user) == 3
    assert not SubscriptionKey.objects.working(NOON + HOUR).filter(membership=owner).exists()
    assert AuditEntry.objects.filter(action="key.revoked").count() == 3


def test_a_text_with_the_right_id_and_checksum_and_another_secret_is_no_key(owner: Membership) -> None:
    right, forged = reveal_key(owner.keys.get()), forged_key_of(owner)

    assert key_id_of(forged) == key_id_of(right)
    assert recognise_key(text=forged, at=NOON) is None
    assert recognise_key(text=right, at=NOON) == owner.keys.get()


def test_many_texts_are_recognised_as_each_of_them_is_alone(
    owner: Membership, django_assert_num_queries: Any
) -> None:
    old, other, dead = owner.keys.get(), team("Globex").keys.get(), team("Initech")
    rotate(owner, HOUR)
    texts = [reveal_key(key) for key in (old, other, owner.keys.get(replaced_at=None), dead.keys.get())]
    texts += [forged_key_of(owner), "sk-cp-", ""]
    revoke_keys(membership=dead, at=NOON, by=None)
    for at in (NOON, NOON + HOUR):
        alone = {text: key for text in texts if (key := recognise_key(text=text, at=at))}
        with django_assert_num_queries(1):
            together = recognise_keys(texts=texts, at=at)
            assert [key.membership.team.slug for key in together.values()]
        assert together == alone
    assert len(alone) == 2


def test_each_text_is_another(owner: Membership) -> None:
    first = owner.keys.get()

    assert reveal_key(first) != reveal_key(rotate(owner, NONE))
