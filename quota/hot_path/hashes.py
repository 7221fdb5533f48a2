"""Hashes by which a repeat is known from another request under the same id."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import UUID


def hash_of(said: list[Any]) -> UUID:
    """The first 128 bits of the SHA-256 of what was said, as JSON: every call keeps two of them."""
    return UUID(bytes=hashlib.sha256(json.dumps(said).encode()).digest()[:16])
