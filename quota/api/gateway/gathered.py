"""`authorize` and `settle` for many calls at once, without Django's request and response.

Reads what is usual and answers it as the views beside this module would. What it does not read, and what the
batch leaves, is for those views: every refusal, every mistake in a body, every repeat.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from uuid import UUID

import orjson
from django.utils import timezone, translation
from rest_framework.exceptions import APIException

from quota.api.gateway import bodies
from quota.api.gateway.authorize import Authorize, authorization_json
from quota.api.gateway.base import SmallJSONParser
from quota.api.gateway.rate_limits import rate_limit_fields
from quota.api.receipts import receipt_json
from quota.hot_path.authorize import Authorization
from quota.hot_path.batches import NotHere
from quota.hot_path.credentials import hash_of_credential, is_credential
from quota.hot_path.gathered import Ask
from quota.hot_path.gathered_draws import SettleAsk
from quota.models import UsageEvent
from tokenplan.kit.errors import Refusal
from tokenplan.kit.parsers import parse_json
from tokenplan.kit.problems import RawAnswer, TooBusy, problem_of

AUTHORIZE = re.compile(rb"/api/v1/gateway/authorize")
SETTLE = re.compile(rb"/api/v1/gateway/reservations/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/settle")
UNREAD = (APIException, Refusal)

_HEADERS = [(b"content-type", b"application/json"), (b"x-content-type-options", b"nosniff")]


def read_authorize(path: Sequence[bytes], headers: Mapping[bytes, bytes], body: bytes) -> Ask | None:
    """The request, with the hash of the gateway's credential; None for what the view has to read."""
    read = _read(headers, body)
    try:
        return Ask(read[0], bodies.authorize_request(read[1])) if read else None
    except UNREAD:
        return None


def answer_authorize(authorization: Authorization | NotHere | None) -> RawAnswer | None:
    """The answer, as the view's; None where the batch has none."""
    if not isinstance(authorization, Authorization):
        return None
    fields = rate_limit_fields(authorization.windows, timezone.now())
    headers = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    return 201, [*headers, *_HEADERS], orjson.dumps(authorization_json(authorization))


def refuse_authorize(ask: Ask, error: TooBusy) -> RawAnswer:
    """The refusal, as the view's: with what the gateway hands to its caller."""
    view = Authorize(request_id=ask.request.request_id)
    with translation.override(None):
        return view.problem(error).raw()


def read_settle(path: Sequence[bytes], headers: Mapping[bytes, bytes], body: bytes) -> SettleAsk | None:
    """The report, with the hash of the gateway's credential; None for what the view has to read."""
    read = _read(headers, body)
    try:
        return SettleAsk(read[0], UUID(path[0].decode()), bodies.settle(read[1])) if read else None
    except UNREAD:
        return None


def answer_settle(event: UsageEvent | NotHere | None) -> RawAnswer | None:
    """The receipt, as the view's; None where the batch has none."""
    if not isinstance(event, UsageEvent):
        return None
    return 200, _HEADERS, orjson.dumps(receipt_json(event))


def refuse_settle(ask: SettleAsk, error: TooBusy) -> RawAnswer:
    """The refusal, as the view's."""
    with translation.override(None):
        return problem_of(error).raw()


def _read(headers: Mapping[bytes, bytes], body: bytes) -> tuple[str, object] | None:
    """The hash of the credential, and the body's value."""
    scheme, _, credential = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    kind = headers.get(b"content-type", b"").partition(b";")[0]
    if scheme.lower() != "bearer" or kind != b"application/json" or len(body) > SmallJSONParser.limit:
        return None
    if b"content-encoding" in headers:
        return None
    credential = credential.strip()
    if not is_credential(credential):
        return None
    try:
        return hash_of_credential(credential), parse_json(body)
    except UNREAD:
        return None
