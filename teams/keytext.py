"""The text of a Subscription Key: `sk-cp-` + id + secret + checksum. Pure.

The id finds the row; the secret is an HMAC-SHA-256, under a root secret kept outside of the database, of the
id and the row's salt; the checksum lets malformed text be refused without a query, and secret scanners
verify it. All three parts are base 62 and of fixed length.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import zlib

PREFIX = "sk-cp-"
HANDLE_PREFIX = "kh-"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ID_LENGTH = 12
SECRET_LENGTH = 40
CHECKSUM_LENGTH = 6
SALT_BYTES = 16
LENGTH = len(PREFIX) + ID_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode("ascii")), CHECKSUM_LENGTH)


def new_key_id() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH))


def new_salt() -> bytes:
    return secrets.token_bytes(SALT_BYTES)


def key_text(*, root: bytes, key_id: str, salt: bytes) -> str:
    """The whole text of the key with this id and salt under this root."""
    mac = hmac.new(
        root, b"subscription-key\0" + key_id.encode("ascii") + b"\0" + salt, hashlib.sha256
    ).digest()
    body = PREFIX + key_id + _base62(int.from_bytes(mac), SECRET_LENGTH)
    return body + _checksum(body)


def key_id_of(text: str) -> str | None:
    """The id in a well-formed text, or None for other text. Does not check the secret."""
    if len(text) != LENGTH or not text.startswith(PREFIX):
        return None
    body, checksum = text[:-CHECKSUM_LENGTH], text[-CHECKSUM_LENGTH:]
    if not all(c in ALPHABET for c in body[len(PREFIX) :]) or _checksum(body) != checksum:
        return None
    return body[len(PREFIX) : len(PREFIX) + ID_LENGTH]


def handle(key_id: str) -> str:
    """What names the key to a gateway without being a secret: its id. It never authorizes."""
    return HANDLE_PREFIX + key_id


def key_id_of_handle(text: str) -> str | None:
    """The id in a handle, or None for other text."""
    if not text.startswith(HANDLE_PREFIX):
        return None
    key_id = text[len(HANDLE_PREFIX) :]
    return key_id if len(key_id) == ID_LENGTH and all(c in ALPHABET for c in key_id) else None


def same_text(given: str, expected: str) -> bool:
    """Compares in constant time, so that timing reveals nothing about the expected text."""
    return hmac.compare_digest(given.encode(), expected.encode())
