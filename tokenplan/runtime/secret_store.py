"""The secrets of an installation: from the environment, else from a file made once beside the data.

Losing the key roots kills every Subscription Key: they are HMACs under a root, and no key is stored anywhere.
"""

import base64
import binascii
import json
import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from tokenplan.runtime import environment
from tokenplan.runtime.environment import InvalidEnvironment
from tokenplan.runtime.folders import private_folder

ROOT_BYTES = 32
ROOT_ID = re.compile(r"[A-Za-z0-9_-]{1,20}")


@dataclass(frozen=True)
class Secrets:
    """`key_roots` maps a root's id to its bytes. The first makes new keys, the others know older ones."""

    secret_key: str
    key_roots: dict[str, bytes]


def read_secrets(data: Path) -> Secrets:
    """SECRET_KEY and TOKENPLAN_KEY_ROOTS; what is not set is read from `data/secrets.json`, made if missing.

    Raises InvalidEnvironment where a variable or the file cannot be used.
    """
    secret_key = environment.text("SECRET_KEY")
    roots = environment.text("TOKENPLAN_KEY_ROOTS")
    if secret_key and roots:
        return Secrets(secret_key, parse_roots(roots))
    stored = _stored(data / "secrets.json")
    return Secrets(secret_key or stored["secret_key"], parse_roots(roots or stored["key_roots"]))


def parse_roots(value: str) -> dict[str, bytes]:
    """Reads `r1:base64,r0:base64` into ids and bytes, in that order.

    Raises InvalidEnvironment for a root under 32 bytes, one that is not base64, or two of one id.
    """
    roots: dict[str, bytes] = {}
    for part in value.split(","):
        identifier, _, encoded = part.strip().partition(":")
        try:
            root = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            raise InvalidEnvironment(f"TOKENPLAN_KEY_ROOTS: root {identifier!r} is not base64.") from None
        if not ROOT_ID.fullmatch(identifier) or identifier in roots:
            raise InvalidEnvironment(
                "TOKENPLAN_KEY_ROOTS: every root needs an id of its own, as in r1:base64, of at most 20"
                " letters, digits, - and _."
            )
        if len(root) < ROOT_BYTES:
            raise InvalidEnvironment(
                f"TOKENPLAN_KEY_ROOTS: root {identifier!r} has under {ROOT_BYTES} bytes."
            )
        roots[identifier] = root
    return roots


def _stored(path: Path) -> dict[str, str]:
    """The file's content, made on first use. Of several processes that start at once, one makes the file."""
    if not path.exists():
        _create(path)
    return _parsed(path)


def _create(path: Path) -> None:
    private_folder(path.parent)
    root = secrets.token_bytes(ROOT_BYTES)
    content = {
        "secret_key": secrets.token_urlsafe(50),
        # An id that no other root has: one made anew in place of a lost one is never taken for it.
        "key_roots": f"r{secrets.token_hex(4)}:{base64.b64encode(root).decode()}",
    }
    draft = path.with_name(f"{path.name}.{os.getpid()}-{time.monotonic_ns()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        # A hard link appears whole or not at all, and never replaces a file another process has just made.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _parsed(path: Path) -> dict[str, str]:
    try:
        content = json.loads(path.read_text("utf-8-sig"))
        return {"secret_key": str(content["secret_key"]), "key_roots": str(content["key_roots"])}
    except (ValueError, KeyError, TypeError):
        raise InvalidEnvironment(
            f"{path} is damaged. Restore it from a backup: without its key roots no Subscription Key works."
        ) from None
