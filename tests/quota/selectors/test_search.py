"""Whom and what a person finds, and what nobody else does."""

from __future__ import annotations

import pytest

from quota.selectors.search import MOST, Found, find
from teams.models import Membership, Role, Team
from teams.services.keys import reveal_key
from teams.services.memberships import end_membership
from tests.helpers.factories import T0, make_api_key, make_member, make_seat, make_team, make_user, owner_of

pytestmark = pytest.mark.django_db
NOTHING = Found([], [], [], [])


@pytest.fixture
def team() -> Team:
    return make_team("Acme")


@pytest.fixture
def owner(team: Team) -> Membership:
    return owner_of(team)


@pytest.fixture
def mia(team: Team) -> Membership:
    person = make_user("mia@example.com")
    person.name = "Mia Moreau"
    person.save()
    return make_member(team, person)


@pytest.mark.parametrize("text", ["MIA@", "moreau", "a M"])
def test_people_are_found_by_a_part_of_their_name_or_address(
    owner: Membership, mia: Membership, text: str
) -> None:
    assert find(owner.user, text) == Found([mia], [], [], [])


def test_a_member_is_found_by_the_beginning_of_the_key_with_the_seat(
    owner: Membership, mia: Membership
) -> None:
    seat = make_seat(mia.team, holder=mia)
    key = mia.keys.get()
    for text in (key.prefix, key.prefix[:12], f"kh-{key.key_id}", reveal_key(key)):
        found = find(owner.user, text)
        assert found.people == [mia], text
        assert [holding.seat for holding in found.holdings] == [seat]
    assert find(owner.user, key.prefix[1:]) == NOTHING
    assert find(owner.user, key.prefix.swapcase()) == NOTHING
    assert find(owner.user, "sk-cp-") == NOTHING


@pytest.mark.parametrize("text", ["seat 2", "Seat 2", "#2", "席位 2", " seat2"])
def test_a_seat_is_found_by_its_number_also_while_nobody_holds_it(
    owner: Membership, mia: Membership, text: str
) -> None:
    make_seat(mia.team, holder=mia)
    free = make_seat(mia.team)
    make_seat(make_team("Another"))
    assert find(owner.user, text) == Found([], [], [free], [])
    assert find(mia.user, text) == NOTHING  # who sees no members sees no seats
    free.removed_at = T0
    free.save()
    assert find(owner.user, text) == NOTHING


def test_api_keys_are_found_by_their_name_or_the_beginning_of_a_text(owner: Membership) -> None:
    key = make_api_key(owner, "nightly build")
    assert find(owner.user, "NIGHT").api_keys == [key]
    assert find(owner.user, key.texts.get().prefix).api_keys == [key]
    key.revoked_at = T0
    key.save()
    assert find(owner.user, "night") == NOTHING


def test_a_text_of_one_letter_finds_nothing(owner: Membership, mia: Membership) -> None:
    assert find(owner.user, "m") == NOTHING
    assert find(owner.user, "") == NOTHING


def test_what_stands_for_any_letters_elsewhere_is_a_letter_here(owner: Membership, mia: Membership) -> None:
    assert find(owner.user, "%%") == NOTHING
    assert find(owner.user, "__") == NOTHING


def test_nobody_finds_members_or_keys_where_they_may_not_see_them(owner: Membership, mia: Membership) -> None:
    make_api_key(owner, "nightly build")
    for stranger in (mia.user, owner_of(make_team()).user):
        assert find(stranger, "moreau") == NOTHING
        assert find(stranger, "nightly") == NOTHING
    admin = make_member(mia.team, role=Role.ADMIN)
    assert find(admin.user, "moreau").people == [mia]
    end_membership(membership=admin, by=None, at=T0)
    assert find(admin.user, "moreau") == NOTHING


def test_who_has_left_is_not_found(owner: Membership, mia: Membership) -> None:
    end_membership(membership=mia, by=None, at=T0)
    assert find(owner.user, "moreau") == NOTHING


def test_of_many_the_first_are_found(owner: Membership) -> None:
    many = [make_member(owner.team, make_user(f"twin{number}@example.com")) for number in range(MOST + 2)]
    assert find(owner.user, "twin").people == many[:MOST]
