"""Two who rotate or revoke one member's key at once, over real connections."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import transaction

from teams.models import Membership, SubscriptionKey
from teams.services import keys
from tests.helpers.people import NOON, team
from tests.helpers.races import race, waiting

pytestmark = pytest.mark.django_db(transaction=True)
NONE = timedelta(0)
DAY = timedelta(hours=24)


@pytest.fixture
def owner() -> Membership:
    return team()


def rotate(owner: Membership, overlap: timedelta = NONE) -> SubscriptionKey:
    return keys.rotate_key(membership=owner, overlap=overlap, at=NOON, by=owner.user)


def working(owner: Membership) -> list[SubscriptionKey]:
    return list(SubscriptionKey.objects.working(NOON).filter(membership=owner))


def test_control_without_the_keys_lock_two_rotations_make_two_current_keys(
    owner: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The constraint has the last word, and says it as an error."""
    monkeypatch.setattr(keys, "lock_keys", lambda membership: list(membership.keys.order_by("pk")))

    answers = race(*[lambda: rotate(owner)] * 6)

    errors = [answer for answer in answers if isinstance(answer, Exception)]
    assert errors
    assert {type(error).__name__ for error in errors} == {"IntegrityError"}


def test_of_rotations_at_once_each_sees_the_one_before(owner: Membership) -> None:
    answers = race(*[lambda: rotate(owner)] * 6)

    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert owner.keys.count() == 7
    [current] = working(owner)
    assert current.replaced_at is None


def test_rotations_at_once_with_and_without_an_overlap_leave_one_order(owner: Membership) -> None:
    answers = race(lambda: rotate(owner, DAY), lambda: rotate(owner, NONE))

    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    # Either the one without an overlap came last and ended both, or it came first and its own text lives on.
    assert len(working(owner)) in (1, 2)
    assert owner.keys.order_by("pk").first() not in working(owner)


def test_a_revocation_that_waited_for_a_rotation_ends_the_new_text_too(owner: Membership) -> None:
    rotated = threading.Event()

    def rotation() -> None:
        with transaction.atomic():
            rotate(owner, DAY)
            rotated.set()
            waiting("transactionid", 1)

    def revocation() -> int:
        rotated.wait(5)
        return keys.revoke_keys(membership=owner, at=NOON, by=owner.user)

    answers = race(rotation, revocation)

    assert answers == [None, 2]
    assert working(owner) == []
