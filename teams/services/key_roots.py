"""Which root secrets the keys in this database were made with, and whether they are all here.

Whoever starts with other secrets than the keys were made with would otherwise call every key invalid.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext

from teams.errors import KeyRootMissing
from teams.models import ApiKeyText, KeyRoot, SubscriptionKey
from tokenplan.kit.transactions import one_transaction

# Roots that live keys were made with and that are not configured, or with another secret, and how many keys.
MISSING_ROOTS = """
WITH live AS (
    SELECT root FROM teams_subscriptionkey WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at >
    %(at)s) UNION ALL SELECT root FROM teams_apikeytext WHERE revoked_at IS NULL AND (expires_at IS NULL OR
    expires_at > %(at)s) ) SELECT r.name, count(*) AS keys FROM teams_keyroot r JOIN live k ON k.root =
    r.name WHERE r.withdrawn_at IS NULL AND NOT EXISTS ( SELECT FROM unnest(%(names)s::text[],
    %(fingerprints)s::text[]) c (name, fingerprint) WHERE c.name = r.name AND c.fingerprint = r.fingerprint
    ) GROUP BY r.name ORDER BY r.name
    """

# What this process has compared with the database: a fingerprint there never changes.
_genuine: set[tuple[str, str]] = set()


def fingerprint(secret: bytes) -> str:
    """What may be stored of a root: it tells one from another, and nothing else."""
    return hashlib.sha256(b"key-root\0" + secret).hexdigest()


def configured() -> dict[str, str]:
    """The fingerprints of the roots that this process has, by their ids."""
    return {name: fingerprint(secret) for name, secret in settings.KEY_ROOTS.items()}


def missing_roots_parameters(*, at: datetime) -> dict[str, Any]:
    """What MISSING_ROOTS is asked with."""
    roots = configured()
    return {"names": list(roots), "fingerprints": list(roots.values()), "at": at}


def missing_roots(*, at: datetime) -> dict[str, int]:
    """The roots that live keys need and this process does not have, with the number of those keys."""
    with connection.cursor() as cursor:
        cursor.execute(MISSING_ROOTS, missing_roots_parameters(at=at))
        return dict(cursor.fetchall())


def what_to_do(missing: dict[str, int]) -> str:
    """What helps whoever starts an installation without the secrets of its keys."""
    return gettext(
        "%(keys)d of the keys cannot work: their key root %(roots)s is not here, or is another"
        " secret of that name. Restore secrets.json from the backup of this data, or set TOKENPLAN_KEY_ROOTS"
        " as it was. Only if the root is lost for good: `manage.py key_roots --withdraw NAME` kills its keys,"
        " and each member makes a new one on the Home page."
    ) % {"keys": sum(missing.values()), "roots": ", ".join(missing)}


def is_withdrawn(name: str) -> bool:
    """Whether all keys of the root are dead for good."""
    return KeyRoot.objects.filter(name=name).exclude(withdrawn_at=None).exists()


def is_genuine(name: str) -> bool:
    """Whether the root configured under this id is the one that its keys were made with."""
    ours = configured()[name]
    if (name, ours) in _genuine:
        return True
    stored = KeyRoot.objects.filter(name=name).values_list("fingerprint", flat=True).first()
    if stored not in (None, ours):
        return False
    if stored:
        _genuine.add((name, ours))
    return True


def use_root(*, name: str, at: datetime) -> None:
    """Notes, in the caller's transaction, that a key is made with it. Raises KeyRootMissing.

    An id never names a second secret, nor one that was withdrawn.
    """
    ours = configured()[name]
    row, _ = KeyRoot.objects.get_or_create(name=name, defaults={"fingerprint": ours, "created_at": at})
    if row.fingerprint != ours or row.withdrawn_at is not None:
        raise KeyRootMissing(name)


@one_transaction()
def note_roots(*, at: datetime) -> None:
    """Writes down the roots of keys that were made before roots were written down."""
    known = set(KeyRoot.objects.values_list("name", flat=True))
    ours = configured()
    for name in _roots_in_use() - known:
        KeyRoot.objects.create(name=name, fingerprint=ours.get(name, ""), created_at=at)


def _roots_in_use() -> set[str]:
    of_members = SubscriptionKey.objects.filter(revoked_at=None).values_list("root", flat=True)
    of_teams = ApiKeyText.objects.filter(revoked_at=None).values_list("root", flat=True)
    return {*of_members.distinct(), *of_teams.distinct()}


def mark_withdrawn(*, name: str, at: datetime) -> None:
    """Notes, in the caller's transaction, that no key of it works any more."""
    KeyRoot.objects.get_or_create(name=name, defaults={"fingerprint": "", "created_at": at})
    KeyRoot.objects.filter(name=name, withdrawn_at=None).update(withdrawn_at=at)
