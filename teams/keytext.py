"""The text of a key: its kind's prefix (`sk-cp-`, `sk-api-`) + id + secret + checksum. Pure.

The id finds the row; the secret is an HMAC-SHA-256, under a root secret kept outside of the database, of the
id and the row's salt; the checksum lets malformed text be refused without a query, and secret scanners
verify it. All three parts are base 62 and of fixed length.
"""

from __future__ import annotations

import hmac
import re
import secrets
import zlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeyKind:
    """What tells keys of one kind from those of another: the prefix that people see, and the `label` that
    makes another secret of the same root, id and salt.
    """

    prefix: str
    label: bytes


SUBSCRIPTION_KEY = KeyKind("sk-cp-", b"subscription-key")
API_KEY = KeyKind("sk-api-", b"api-key")
KINDS = (SUBSCRIPTION_KEY, API_KEY)
HANDLE_PREFIX = "kh-"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_IN_ALPHABET = re.compile("[0-9A-Za-z]*")
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
ID_LENGTH = 12
SECRET_LENGTH = 40
CHECKSUM_LENGTH = 6
SALT_BYTES = 16
BODY_LENGTH = ID_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH


def _base62(number: int, length: int) -> str:
    """The last `length` digits, an even number of them: two at a time, since every call of a gateway asks."""
    pairs = []
    for _ in range(length // 2):
        number, pair = divmod(number, len(_PAIRS))
        pairs.append(_PAIRS[pair])
    return "".join(reversed(pairs))


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode("ascii")), CHECKSUM_LENGTH)


def new_key_id() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH))


def new_salt() -> bytes:
    return secrets.token_bytes(SALT_BYTES)


def key_text(*, root: bytes, key_id: str, salt: bytes, kind: KeyKind = SUBSCRIPTION_KEY) -> str:
    """The whole text of the key of this kind with this id and salt under this root."""
    mac = hmac.digest(root, kind.label + b"\0" + key_id.encode("ascii") + b"\0" + salt, "sha256")
    body = kind.prefix + key_id + _base62(int.from_bytes(mac), SECRET_LENGTH)
    return body + _checksum(body)


def kind_of(text: str) -> KeyKind | None:
    """The kind that the text begins like; it may be malformed all the same."""
    return next((kind for kind in KINDS if text.startswith(kind.prefix)), None)


def key_id_of(text: str, kind: KeyKind = SUBSCRIPTION_KEY) -> str | None:
    """The id in a well-formed text of this kind, or None for other text. Does not check the secret."""
    if len(text) != len(kind.prefix) + BODY_LENGTH or not text.startswith(kind.prefix):
        return None
    body, checksum = text[:-CHECKSUM_LENGTH], text[-CHECKSUM_LENGTH:]
    signs = body[len(kind.prefix) :]
    if not _IN_ALPHABET.fullmatch(signs) or _checksum(body) != checksum:
        return None
    return signs[:ID_LENGTH]


def handle(key_id: str) -> str:
    """What names the key to a gateway without being a secret: its id. It never authorizes."""
    return HANDLE_PREFIX + key_id


def key_id_of_handle(text: str) -> str | None:
    """The id in a handle, or None for other text."""
    if not text.startswith(HANDLE_PREFIX):
        return None
    key_id = text[len(HANDLE_PREFIX) :]
    return key_id if len(key_id) == ID_LENGTH and _IN_ALPHABET.fullmatch(key_id) else None


def same_text(given: str, expected: str) -> bool:
    """Compares in constant time, so that timing reveals nothing about the expected text."""
    return hmac.compare_digest(given.encode(), expected.encode())
