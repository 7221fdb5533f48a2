"""Keys whose root secret is not here are not called invalid, and whoever runs the installation is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings as live
from pytest_django.fixtures import Settings

from teams.errors import KeyInvalid, KeyRootMissing
from teams.models import AuditEntry, KeyRoot, Membership, SubscriptionKey
from teams.services.key_roots import missing_roots, note_roots, what_to_do
from teams.services.keys import recognise_key, refused_text, reveal_key, rotate_key, withdraw_root
from tests.helpers.factories import T0, make_member, make_team
from tokenplan.kit.errors import InvalidValue

pytestmark = pytest.mark.django_db
OTHER = b"y" * 32
NO_OVERLAP = timedelta(0)


@pytest.fixture
def member() -> Membership:
    return make_member(make_team("Acme"))


@pytest.fixture
def root() -> str:
    return str(next(iter(live.KEY_ROOTS)))


def key_of(member: Membership) -> SubscriptionKey:
    return SubscriptionKey.objects.current().get(membership=member)


def test_nothing_is_missing_where_every_root_is_here(member: Membership, root: str) -> None:
    assert missing_roots(at=T0) == {}
    row = KeyRoot.objects.get()
    assert (row.name, row.withdrawn_at) == (root, None)
    assert len(row.fingerprint) == 64
    assert live.KEY_ROOTS[root].hex() not in row.fingerprint


def test_keys_of_a_root_that_is_gone_are_counted_and_not_called_invalid(
    member: Membership, root: str, settings: Settings
) -> None:
    text = reveal_key(key_of(member))
    keys = SubscriptionKey.objects.count()
    settings.KEY_ROOTS = {"new": OTHER}
    assert missing_roots(at=T0) == {root: keys}
    assert f"{keys} of the keys cannot work: their key root {root}" in what_to_do({root: keys})
    with pytest.raises(KeyRootMissing):
        recognise_key(text=text, at=T0)
    with pytest.raises(KeyRootMissing):
        reveal_key(key_of(member))


def test_another_secret_under_the_same_id_is_not_taken_for_the_root(
    member: Membership, root: str, settings: Settings
) -> None:
    text = reveal_key(key_of(member))
    settings.KEY_ROOTS = {root: OTHER}
    assert missing_roots(at=T0) == {root: SubscriptionKey.objects.count()}
    with pytest.raises(KeyRootMissing):
        recognise_key(text=text, at=T0)
    with pytest.raises(KeyRootMissing):
        rotate_key(membership=member, overlap=NO_OVERLAP, at=T0, by=member.user)


def test_a_forged_secret_is_invalid_where_the_root_is_here(member: Membership, settings: Settings) -> None:
    genuine = reveal_key(key_of(member))
    roots = settings.KEY_ROOTS
    settings.KEY_ROOTS = dict.fromkeys(roots, OTHER)
    forged = reveal_key(key_of(member))
    settings.KEY_ROOTS = roots
    assert forged != genuine
    assert recognise_key(text=forged, at=T0) is None
    assert recognise_key(text=genuine, at=T0) == key_of(member)


def test_a_member_can_make_a_new_key_while_the_old_ones_root_is_gone(
    member: Membership, settings: Settings
) -> None:
    settings.KEY_ROOTS = {"new": OTHER}
    made = rotate_key(membership=member, overlap=NO_OVERLAP, at=T0, by=member.user)
    assert made.root == "new"
    assert recognise_key(text=reveal_key(made), at=T0) == made


def test_a_root_without_live_keys_may_go(member: Membership, settings: Settings) -> None:
    settings.KEY_ROOTS = {"new": OTHER, **settings.KEY_ROOTS}
    SubscriptionKey.objects.exclude(membership=member).update(revoked_at=T0)
    rotate_key(membership=member, overlap=NO_OVERLAP, at=T0, by=member.user)
    settings.KEY_ROOTS = {"new": OTHER}
    assert missing_roots(at=T0) == {}


def test_withdrawing_a_lost_root_kills_its_keys_and_is_on_the_audit(
    member: Membership, root: str, settings: Settings
) -> None:
    text = reveal_key(key_of(member))
    keys = SubscriptionKey.objects.count()
    settings.KEY_ROOTS = {"new": OTHER}
    assert withdraw_root(root=root, at=T0, by=None) == keys
    assert missing_roots(at=T0) == {}
    assert recognise_key(text=text, at=T0) is None
    with pytest.raises(KeyInvalid):
        reveal_key(key_of(member))
    assert SubscriptionKey.objects.filter(revoked_at=T0).count() == keys
    assert AuditEntry.objects.filter(action="key.revoked").count() == keys
    assert withdraw_root(root=root, at=T0 + timedelta(days=1), by=None) == 0
    assert KeyRoot.objects.get(name=root).withdrawn_at == T0


def test_the_root_that_makes_new_keys_is_not_withdrawn(member: Membership, root: str) -> None:
    with pytest.raises(InvalidValue):
        withdraw_root(root=root, at=T0, by=None)
    assert not SubscriptionKey.objects.exclude(revoked_at=None).exists()
    assert KeyRoot.objects.get().withdrawn_at is None


def test_no_key_is_made_under_the_id_of_a_root_that_was_withdrawn(
    member: Membership, root: str, settings: Settings
) -> None:
    settings.KEY_ROOTS = {root: OTHER}
    withdraw_root(root=root, at=T0, by=None)
    before = SubscriptionKey.objects.count()
    with pytest.raises(KeyRootMissing):
        make_member(member.team)
    assert SubscriptionKey.objects.count() == before


def test_keys_from_before_roots_were_written_down_are_noted(
    member: Membership, root: str, settings: Settings
) -> None:
    KeyRoot.objects.all().delete()
    SubscriptionKey.objects.filter(membership=member).update(root="lost")
    note_roots(at=T0)
    assert set(KeyRoot.objects.values_list("name", flat=True)) == {root, "lost"}
    assert missing_roots(at=T0) == {"lost": 1}


def test_a_key_of_a_withdrawn_root_is_invalid_also_where_another_secret_has_its_id(
    member: Membership, root: str, settings: Settings
) -> None:
    settings.KEY_ROOTS = {"new": OTHER, root: OTHER}
    withdraw_root(root=root, at=T0, by=None)
    assert isinstance(refused_text(root), KeyInvalid)


def test_of_two_roots_the_one_that_is_withdrawn_is(member: Membership, root: str, settings: Settings) -> None:
    """The keys of the other one work, are counted, and it is not called withdrawn."""
    settings.KEY_ROOTS = {"new": OTHER, **settings.KEY_ROOTS}
    made = rotate_key(membership=member, overlap=NO_OVERLAP, at=T0, by=member.user)
    withdraw_root(root=root, at=T0, by=None)
    assert list(KeyRoot.objects.exclude(withdrawn_at=None).values_list("name", flat=True)) == [root]
    assert recognise_key(text=reveal_key(made), at=T0) == made
    settings.KEY_ROOTS = {"newer": OTHER}
    assert missing_roots(at=T0) == {"new": 1}
    settings.KEY_ROOTS = {"new": b"z" * 32}
    assert isinstance(refused_text("new"), KeyRootMissing)
    assert missing_roots(at=T0) == {"new": 1}


@pytest.mark.parametrize("dead", [{"revoked_at": T0}, {"replaced_at": T0, "expires_at": T0}])
def test_a_root_whose_keys_are_all_dead_is_not_missing(
    member: Membership, root: str, settings: Settings, dead: dict[str, object]
) -> None:
    settings.KEY_ROOTS = {"new": OTHER, **settings.KEY_ROOTS}
    made = rotate_key(membership=member, overlap=NO_OVERLAP, at=T0, by=member.user)
    rotate_key(membership=member, overlap=timedelta(hours=1), at=T0, by=member.user)
    settings.KEY_ROOTS = {root: settings.KEY_ROOTS[root]}
    assert missing_roots(at=T0) == {"new": 2}
    SubscriptionKey.objects.filter(pk=made.pk).update(**dead)
    assert missing_roots(at=T0) == {"new": 1}
    SubscriptionKey.objects.filter(root="new").update(revoked_at=T0)
    assert missing_roots(at=T0) == {}


def test_a_root_that_only_dead_keys_have_is_not_written_down(member: Membership, root: str) -> None:
    KeyRoot.objects.all().delete()
    SubscriptionKey.objects.filter(membership=member).update(root="lost", revoked_at=T0)
    note_roots(at=T0)
    assert list(KeyRoot.objects.values_list("name", flat=True)) == [root]
