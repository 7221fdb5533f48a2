"""/teams/{slug}/key: shown, rotated, revoked."""

from __future__ import annotations
