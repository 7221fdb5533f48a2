"""API keys: made by name, changed, rotated, revoked; which of their texts work, and for whom."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pytest_django.fixtures import Settings

from teams.errors import KeyRootMissing
from teams.keytext import key_id_of
from teams.models import ApiKey, ApiKeyText, AuditEntry, Membership, Role
from teams.services import api_keys, keys
from teams.services.key_roots import missing_roots
from teams.services.memberships import end_membership
from teams.services.teams import delete_team
from tests.helpers.people import NOON, everything, member, team
from tokenplan.kit.errors import InvalidValue, NotFound

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
NONE = timedelta(0)
USD = 1_000_000_000


@pytest.fixture
def owner() -> Membership:
    return team()


def make(
    by: Membership, name: str = "batch", *, cap: int | None = None, lasts: timedelta | None = None
) -> ApiKey:
    return api_keys.create_api_key(
        membership=by,
        name=name,
        month_cap_nanousd=cap,
        expires_at=None if lasts is None else NOON + lasts,
        at=NOON,
        by=by.user,
    )


def rotate(key: ApiKey, by: Membership, overlap: timedelta = NONE, after: timedelta = HOUR) -> ApiKeyText:
    return api_keys.rotate_api_key(key=key, membership=by, overlap=overlap, at=NOON + after, by=by.user)


def text_of(key: ApiKey) -> str:
    return keys.reveal_key(key.texts.get(replaced_at=None))


def works(text: str, after: timedelta = NONE) -> bool:
    return api_keys.recognise_api_key(text=text, at=NOON + after) is not None


def test_a_team_has_as_many_as_it_likes_each_with_a_text_of_its_own(owner: Membership) -> None:
    texts = {text_of(make(owner, name)) for name in ("batch", "batch", "site")}

    assert len(texts) == 3
    assert all(text.startswith("sk-api-") and works(text) for text in texts)
    assert AuditEntry.objects.filter(team=owner.team, action="api_key.created").count() == 3


def test_a_key_is_recognised_with_its_team_and_name(owner: Membership) -> None:
    key = make(owner)
    row = api_keys.recognise_api_key(text=text_of(key), at=NOON)

    assert row is not None
    assert (row.api_key, row.team) == (key, owner.team)


def test_neither_kind_of_key_is_taken_for_the_other(owner: Membership) -> None:
    text = text_of(make(owner))

    assert key_id_of(text) is None
    assert keys.recognise_key(text=text, at=NOON) is None
    assert api_keys.recognise_api_key(text=keys.reveal_key(owner.keys.get()), at=NOON) is None


def test_another_secret_with_the_right_id_is_no_key(owner: Membership) -> None:
    key = make(owner)
    text = text_of(key)
    key.texts.update(salt=b"another salt")

    assert not works(text)


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"name": " "}, "/name"),
        ({"month_cap_nanousd": -1}, "/month_cap_nanousd"),
        ({"month_cap_nanousd": 10**15 + 1}, "/month_cap_nanousd"),
        ({"expires_at": NOON}, "/expires_at"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_made(
    owner: Membership, values: dict[str, object], pointer: str
) -> None:
    before = everything()
    asked: dict[str, object] = {"name": "batch", "month_cap_nanousd": None, "expires_at": None, **values}
    with pytest.raises(InvalidValue) as refused:
        api_keys.create_api_key(membership=owner, at=NOON, by=owner.user, **asked)  # type: ignore[arg-type]

    assert refused.value.pointer == pointer
    assert everything() == before
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("cap", [0, 10**15])
def test_a_cap_is_from_nothing_to_a_million_dollars(owner: Membership, cap: int) -> None:
    assert make(owner, cap=cap).month_cap_nanousd == cap


def test_a_key_works_until_its_end_and_is_not_rotated_after_it(owner: Membership) -> None:
    key = make(owner, lasts=HOUR)
    text = text_of(key)

    assert works(text, HOUR - timedelta(microseconds=1))
    assert not works(text, HOUR)
    with pytest.raises(NotFound):
        rotate(key, owner, after=HOUR)
    assert key.texts.count() == 1


def test_rotating_gives_a_new_text_and_ends_the_old_one_after_the_overlap(owner: Membership) -> None:
    key = make(owner)
    old = text_of(key)
    rotate(key, owner, HOUR)

    assert works(text_of(key), HOUR)
    assert works(old, 2 * HOUR - timedelta(microseconds=1))
    assert not works(old, 2 * HOUR)


def test_rotating_without_overlap_ends_every_earlier_text(owner: Membership) -> None:
    key, other = make(owner), make(owner, "other")
    texts = [text_of(key)]
    rotate(key, owner, 24 * HOUR)
    texts.append(text_of(key))
    rotate(key, owner, NONE, 2 * HOUR)

    assert [works(text, 2 * HOUR) for text in texts] == [False, False]
    assert works(text_of(key), 2 * HOUR)
    assert works(text_of(other), 2 * HOUR)


@pytest.mark.parametrize("overlap", [-timedelta(microseconds=1), timedelta(hours=24, microseconds=1)])
def test_an_overlap_is_from_nothing_to_a_day(owner: Membership, overlap: timedelta) -> None:
    key = make(owner)
    with pytest.raises(InvalidValue):
        rotate(key, owner, overlap)

    assert key.texts.count() == 1


def test_a_revoked_key_is_dead_for_good(owner: Membership) -> None:
    key, other = make(owner), make(owner, "other")
    text = text_of(key)
    rotate(key, owner, 24 * HOUR)

    assert api_keys.revoke_api_key(key=key, at=NOON + HOUR, by=owner.user) == 2
    assert not works(text, HOUR)
    assert works(text_of(other), HOUR)
    for again in (
        lambda: api_keys.revoke_api_key(key=key, at=NOON + HOUR, by=owner.user),
        lambda: rotate(key, owner),
        lambda: api_keys.change_api_key(
            key=key, name="x", month_cap_nanousd=None, at=NOON + HOUR, by=owner.user
        ),
    ):
        with pytest.raises(NotFound):
            again()


def test_a_name_and_a_cap_are_changed_and_the_text_stays(owner: Membership) -> None:
    key = make(owner)
    text = text_of(key)
    changed = api_keys.change_api_key(
        key=key, name="nightly", month_cap_nanousd=5 * USD, at=NOON, by=owner.user
    )

    assert (changed.name, changed.month_cap_nanousd) == ("nightly", 5 * USD)
    assert works(text)
    entry = AuditEntry.objects.get(action="api_key.changed")
    assert (entry.subject, entry.details) == ("nightly", {"before": "batch", "month_cap_nanousd": 5 * USD})


def test_who_leaves_takes_no_text_along_and_a_key_rotated_before_goes_on(owner: Membership) -> None:
    admin = member(owner.team, "admin@acme.example", Role.ADMIN)
    lost, kept, others = make(admin, "lost"), make(admin, "kept"), make(owner, "others")
    seen = [text_of(lost), text_of(kept)]
    rotate(kept, owner, 24 * HOUR)
    end_membership(membership=admin, by=owner.user, at=NOON + HOUR)

    assert [works(text, HOUR) for text in seen] == [False, False]
    assert [works(text_of(key), HOUR) for key in (lost, kept, others)] == [False, True, True]
    assert ApiKey.objects.get(pk=lost.pk).revoked_at is None
    rotate(lost, owner)
    assert works(text_of(lost), HOUR)


def test_a_deleted_team_has_no_key_that_works(owner: Membership) -> None:
    text = text_of(make(owner))
    delete_team(team=owner.team, by=owner.user, at=NOON + HOUR)

    assert not works(text, HOUR)
    assert not ApiKeyText.objects.filter(revoked_at=None).exists()


def test_members_make_keys_only_where_the_team_says_so(owner: Membership) -> None:
    assert not owner.team.members_make_api_keys

    changed = api_keys.set_api_key_policy(team=owner.team, members_make=True, at=NOON, by=owner.user)
    again = api_keys.set_api_key_policy(team=owner.team, members_make=True, at=NOON, by=owner.user)

    assert changed.members_make_api_keys and again.members_make_api_keys
    assert AuditEntry.objects.filter(action="api_key.policy").count() == 1


def test_a_withdrawn_root_ends_the_texts_of_api_keys_too(owner: Membership, settings: Settings) -> None:
    text = text_of(make(owner))
    old = next(iter(settings.KEY_ROOTS))
    settings.KEY_ROOTS = {"new": b"y" * 32, **settings.KEY_ROOTS}

    assert keys.withdraw_root(root=old, at=NOON + HOUR, by=None) == 3
    assert not works(text, HOUR)
    assert not ApiKeyText.objects.filter(root=old, revoked_at=None).exists()


def test_a_root_that_is_gone_is_missed_by_api_keys_too(owner: Membership, settings: Settings) -> None:
    text = text_of(make(owner))
    root = next(iter(settings.KEY_ROOTS))
    owner.keys.model.objects.update(revoked_at=NOON)
    settings.KEY_ROOTS = {"new": b"y" * 32}

    assert missing_roots(at=NOON) == {root: 1}
    with pytest.raises(KeyRootMissing):
        api_keys.recognise_api_key(text=text, at=NOON)
