"""The bar for many key holders at once, without Django's request and response.

Reads what is usual and answers it as `usage` and `trackers` would. What it does not read, and keys that
do not work, are for those views: every refusal, and every header or query that could change the answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone
from rest_framework.renderers import JSONRenderer

from quota.api.key_holder.trackers import UNKNOWN_ERROR, remains_json
from quota.api.usage_bar import usage_bar_json
from quota.selectors.usage_bar import UsageBar, usage_bars
from teams.keytext import key_id_of
from teams.services.keys import recognise_keys
from tokenplan.kit.problems import RawAnswer, TooBusy, problem_of

USAGE = re.compile(rb"/api/v1/usage")
REMAINS = re.compile(rb"/v1/(?:token_plan|api/openplatform/coding_plan)/remains")

# A bar, and the moment that it is of.
Found = tuple[UsageBar, datetime]
_HEADERS = [(b"content-type", b"application/json"), (b"x-content-type-options", b"nosniff")]
_NO_STORE = (b"cache-control", b"no-store")
_JSON = {b"*/*", b"application/*", b"application/json"}


def read_usage(path: Sequence[bytes], headers: Mapping[bytes, bytes], body: bytes) -> str | None:
    """The key's text; None for what the view has to read: of headers, one that asks for no plain JSON."""
    accepted = {kind.strip() for kind in headers.get(b"accept", b"*/*").split(b",")}
    return _key_text(headers, body) if accepted & _JSON and b";" not in b"".join(accepted) else None


def read_remains(path: Sequence[bytes], headers: Mapping[bytes, bytes], body: bytes) -> str | None:
    """The key's text; None for what the view has to read. Trackers get JSON whatever they accept."""
    return _key_text(headers, body)


def bars_of_keys(texts: Sequence[str]) -> list[Found | None]:
    """The bar of each key, as it is now; None for a text that is no working key's."""
    at = timezone.now()
    keys = recognise_keys(texts=texts, at=at)
    memberships = {key.membership_id: key.membership for key in keys.values()}
    bars = {bar.membership.pk: bar for bar in usage_bars([*memberships.values()], at)}
    return [(bars[key.membership_id], at) if (key := keys.get(text)) else None for text in texts]


def answer_usage(found: Found | None) -> RawAnswer | None:
    """The answer, as the view's; None where the batch has none."""
    return _answer(usage_bar_json(found[0])) if found else None


def answer_remains(found: Found | None) -> RawAnswer | None:
    """As above, in the trackers' words."""
    return _answer(remains_json(*found), _NO_STORE) if found else None


def refuse_usage(text: str, error: TooBusy) -> RawAnswer:
    """The refusal, as the view's."""
    return problem_of(error).raw()


def refuse_remains(text: str, error: TooBusy) -> RawAnswer:
    """As the view answers whatever went wrong: with 200."""
    return _answer(UNKNOWN_ERROR, _NO_STORE)


def _answer(body: dict[str, Any], *more: tuple[bytes, bytes]) -> RawAnswer:
    # The views' own renderer: it decides how text that is not ASCII is written.
    return 200, [*_HEADERS, *more], JSONRenderer().render(body)


def _key_text(headers: Mapping[bytes, bytes], body: bytes) -> str | None:
    """The text of a Subscription Key that the headers carry; None where it is malformed, and for a body."""
    scheme, _, text = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if body or scheme.lower() != "bearer" or key_id_of(text.strip()) is None:
        return None
    return text.strip()
