"""Subscription Keys: made with the membership, seen again by their owner, rotated, revoked. What is the
same for API keys (`api_keys`) is written here for both.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypedDict

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from teams.errors import KeyInvalid, KeyRootMissing
from teams.keytext import key_id_of, key_text, kind_of, new_key_id, new_salt, same_text
from teams.models import ApiKeyText, KeyText, Membership, SubscriptionKey, User
from teams.services import key_roots
from teams.services.audit import because, record
from teams.services.locks import lock_keys, lock_membership
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.transactions import one_transaction

MAX_OVERLAP = timedelta(hours=24)
# Unless another is chosen: time to put the new text where the old one stands, and not much more.
DEFAULT_OVERLAP = timedelta(hours=1)


def root_secret(root: str) -> bytes:
    """The root with this id. Raises KeyInvalid when it was withdrawn, KeyRootMissing when it is not here."""
    secret: bytes | None = settings.KEY_ROOTS.get(root)
    if secret is None:
        raise KeyInvalid if key_roots.is_withdrawn(root) else KeyRootMissing(root)
    return secret


def refused_text(root: str) -> KeyInvalid | KeyRootMissing:
    """Why a key's text is not what this root makes of it: a wrong text, a root that was withdrawn, or another
    root of that id.
    """
    if key_roots.is_genuine(root) or key_roots.is_withdrawn(root):
        return KeyInvalid()
    return KeyRootMissing(root)


class NewText(TypedDict):
    """What every new text of a key has: the newest root, and an id and a salt of its own."""

    key_id: str
    salt: bytes
    root: str
    created_at: datetime


def new_text(*, at: datetime) -> NewText:
    """The values of a new text's row, in the caller's transaction. Raises KeyRootMissing."""
    root = next(iter(settings.KEY_ROOTS))
    key_roots.use_root(name=root, at=at)
    return {"key_id": new_key_id(), "salt": new_salt(), "root": root, "created_at": at}


def issue_key(*, membership: Membership, at: datetime) -> SubscriptionKey:
    """Make a key for the membership, in the caller's transaction. Raises KeyRootMissing."""
    return SubscriptionKey.objects.create(
        team_id=membership.team_id, membership=membership, **new_text(at=at)
    )


def reveal_key(key: KeyText) -> str:
    """The whole text of a key.

    For its owner alone, who has just re-authenticated: the caller sees to that.
    """
    return key_text(root=root_secret(key.root), key_id=key.key_id, salt=bytes(key.salt), kind=key.KIND)


def recognise_key(*, text: str, at: datetime) -> SubscriptionKey | None:
    """The key with this text that works at `at`, with its membership, user and Team; None for any other text.

    For showing: nothing is locked, so only `authorize` may decide by a key. Raises KeyRootMissing.
    """
    working = SubscriptionKey.objects.working(at).select_related("membership__team", "membership__user")
    key = working.filter(key_id=key_id_of(text)).first()
    return key if key is not None and has_text(key, text) else None


def recognise_keys(*, texts: Iterable[str], at: datetime) -> dict[str, SubscriptionKey]:
    """By its text each key that `recognise_key` would find, with its membership and Team; none whose root is
    not here.
    """
    ids = {text: key_id for text in texts if (key_id := key_id_of(text)) is not None}
    working = SubscriptionKey.objects.working(at).select_related("membership__team")
    keys = {key.key_id: key for key in working.filter(key_id__in=set(ids.values()))}
    found: dict[str, SubscriptionKey] = {}
    for text, key_id in ids.items():
        with suppress(KeyRootMissing):
            if key_id in keys and has_text(keys[key_id], text):
                found[text] = keys[key_id]
    return found


def has_text(key: KeyText, text: str) -> bool:
    """Whether this is the whole text of the key, working or not. Raises KeyRootMissing."""
    try:
        if not same_text(text, reveal_key(key)):
            raise refused_text(key.root)
    except KeyInvalid:
        return False
    return True


def named_in(text: str) -> KeyText | None:
    """The row whose id a well-formed text carries, of either kind, whether or not the text is genuine."""
    kind = kind_of(text)
    key_id = key_id_of(text, kind) if kind else None
    if key_id is None:
        return None
    model = ApiKeyText if kind == ApiKeyText.KIND else SubscriptionKey
    return model.objects.filter(key_id=key_id).first()


def texts_of_same_key(key: KeyText) -> QuerySet[SubscriptionKey] | QuerySet[ApiKeyText]:
    """Every text that the key has had: of a Subscription Key, all of the member's."""
    if isinstance(key, ApiKeyText):
        return ApiKeyText.objects.filter(api_key=key.api_key_id)
    return SubscriptionKey.objects.filter(membership__keys=key.pk)


def check_overlap(overlap: timedelta) -> None:
    """Raises InvalidValue for one that no rotation has."""
    if not timedelta(0) <= overlap <= MAX_OVERLAP:
        raise InvalidValue(_("The overlap is from 0 to 24 hours."), pointer="/overlap_seconds")


@one_transaction()
def rotate_key(*, membership: Membership, overlap: timedelta, at: datetime, by: User) -> SubscriptionKey:
    """Give the member a new text at once; every earlier one works for `overlap` more (0 to 24 hours) at most.

    An earlier rotation may have given a text less: it is never given more. Of two rotations at once the
    second one sees the first. Usage, quota and Credits are untouched: they hang on seat and membership.
    Rotating a revoked key gives a working one only to a live member. Raises InvalidValue, NotFound.
    """
    check_overlap(overlap)
    # The keys before the membership: the order in which a removal takes them.
    earlier = lock_keys(membership)
    membership = lock_membership(membership)
    for key in earlier:
        end_text(key=key, end=at + overlap, at=at)
    old = earlier[-1] if earlier else None
    key = issue_key(membership=membership, at=at)
    details = {"from": old.prefix if old else None, "overlap_seconds": int(overlap.total_seconds())}
    record(team=membership.team, by=by, action="key.rotated", subject=key.prefix, details=details, at=at)
    return key


def end_text(*, key: KeyText, end: datetime, at: datetime) -> None:
    """The text is replaced, and ends at that moment unless it ends before."""
    if key.replaced_at is None:
        key.replaced_at = at
    elif key.expires_at is not None and key.expires_at <= end:
        return
    # Clocks of two servers may differ by a little; a text never ends before it was replaced.
    key.expires_at = max(end, key.replaced_at)
    key.save(update_fields=["replaced_at", "expires_at"])


@one_transaction()
def revoke_keys(*, membership: Membership, reason: str = "", at: datetime, by: User | None) -> int:
    """Kill every working text of a member at once. Returns how many there were."""
    return revoke_texts(keys=lock_keys(membership), reason=reason, at=at, by=by)


@one_transaction()
def withdraw_root(*, root: str, at: datetime, by: User | None) -> int:
    """Kill every key of a root that is lost or known to others, for good. Returns how many there were.

    Raises InvalidValue for the root that makes new keys: another one must take its place first.
    """
    if root == next(iter(settings.KEY_ROOTS)) and key_roots.is_genuine(root):
        raise InvalidValue(_("This root makes the new keys. Put another one before it first."))
    key_roots.mark_withdrawn(name=root, at=at)
    of_members = SubscriptionKey.objects.filter(root=root).select_related("team").order_by("pk")
    of_teams = ApiKeyText.objects.filter(root=root).select_related("team").order_by("pk")
    count = revoke_texts(keys=of_members.select_for_update(no_key=True, of=("self",)), at=at, by=by)
    return count + revoke_texts(keys=of_teams.select_for_update(no_key=True, of=("self",)), at=at, by=by)


def revoke_texts(*, keys: Iterable[KeyText], reason: str = "", at: datetime, by: User | None) -> int:
    """Of these keys, which are locked, those that still work."""
    live = [key for key in keys if key.revoked_at is None]
    dead = [key for key in live if key.expires_at is None or key.expires_at > at]
    for key in dead:
        key.revoked_at = at
        key.save(update_fields=["revoked_at"])
        details = because(reason)
        record(team=key.team, by=by, action="key.revoked", subject=key.prefix, details=details, at=at)
    return len(dead)
