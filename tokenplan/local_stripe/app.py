"""Answers over HTTP: finds the call, lets a key in, does what is asked once per idempotency key, and puts
what is asked for into the answer (`expand`).
"""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl
from wsgiref.types import StartResponse, WSGIEnvironment

from tokenplan.local_stripe.errors import ApiError, IdempotencyConflict, Object, Unauthorized
from tokenplan.local_stripe.params import LISTS, Spec, read_params
from tokenplan.local_stripe.store import Store

logger = logging.getLogger(__name__)
LONGEST_BODY = 1_000_000


@dataclass(frozen=True, slots=True)
class Call:
    """A request: what it is about (`ids`, from the path) and what it says. `now` is the account's clock,
    seconds; objects on a test clock have a time of their own.
    """

    store: Store
    now: int
    params: dict[str, Any]
    ids: tuple[str, ...] = ()
    base: str = ""

    @property
    def id(self) -> str:
        return self.ids[0]

    def given(self, *names: str) -> dict[str, Any]:
        """Of these parameters, those that were sent."""
        return {name: self.params[name] for name in names if name in self.params}


Handler = Callable[[Call], Object]


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    handler: Handler
    spec: Spec
    required: tuple[str, ...]
    pattern: re.Pattern[str]


ROUTES: list[Route] = []
# What is in an object only when it is asked for: (object, field) to who makes it.
INCLUDED: dict[tuple[str, str], Callable[[Store, Object], Any]] = {}
# The kind of object that an id's prefix tells.
KINDS: dict[str, str] = {
    "cus": "customer",
    "prod": "product",
    "price": "price",
    "pm": "payment_method",
    "pi": "payment_intent",
    "ch": "charge",
    "re": "refund",
    "du": "dispute",
    "in": "invoice",
    "ii": "invoiceitem",
    "sub": "subscription",
    "si": "subscription_item",
    "sub_sched": "subscription_schedule",
    "cs": "checkout.session",
    "promo": "promotion_code",
    "di": "discount",
    "clock": "test_helpers.test_clock",
    "seti": "setup_intent",
    "inpay": "invoice_payment",
    "bpc": "billing_portal.configuration",
}


def route(
    method: str, path: str, spec: Spec | None = None, *, required: Sequence[str] = ()
) -> Callable[[Handler], Handler]:
    """Makes the function answer this path, below /v1; `{}` in it is an id. More than one may stand above a
    function."""

    def add(handler: Handler) -> Handler:
        pattern = re.compile("/v1" + path.replace("{}", "([^/]+)"))
        ROUTES.append(Route(method, path, handler, spec or {}, tuple(required), pattern))
        return handler

    return add


def includes(kind: str, name: str) -> Callable[[Callable[[Store, Object], Any]], Any]:
    """Makes the function answer this field, where it is asked for."""

    def add(maker: Callable[[Store, Object], Any]) -> Any:
        INCLUDED[kind, name] = maker
        return maker

    return add


def listing(rows: Sequence[Object], params: Mapping[str, Any], url: str) -> Object:
    """A page of a list, newest first: `limit` from 1 to 100, `starting_after` or `ending_before` an id."""
    limit = params.get("limit", 10)
    if not 1 <= limit <= 100:
        raise ApiError("Limit must be between 1 and 100.", param="limit")
    rows = list(rows)
    ids = [row["id"] for row in rows]
    for name in ("starting_after", "ending_before"):
        if name in params and params[name] not in ids:
            raise ApiError(f"No such object: '{params[name]}'", code="resource_missing", param=name)
    if "starting_after" in params:
        rows = rows[ids.index(params["starting_after"]) + 1 :]
        page, more = rows[:limit], len(rows) > limit
    elif "ending_before" in params:
        rows = rows[: ids.index(params["ending_before"])]
        page, more = rows[-limit:], len(rows) > limit
    else:
        page, more = rows[:limit], len(rows) > limit
    return {"object": "list", "data": page, "has_more": more, "url": url}


def list_route(path: str, spec: Spec | None = None) -> Callable[[Handler], Handler]:
    return route("GET", path, {**LISTS, **(spec or {})})


def expanded(store: Store, answer: Object, paths: Iterable[str]) -> Object:
    """With other objects in place of their ids, where `paths` lead. Raises ApiError for one to nowhere."""
    for path in paths:
        _expand(store, answer, path.split("."), path)
    return answer


def _expand(store: Store, part: Any, names: list[str], path: str) -> None:
    if isinstance(part, list):
        for row in part:
            _expand(store, row, names, path)
        return
    if not isinstance(part, dict) or not names or part.get("deleted"):
        return
    name, *rest = names
    maker = INCLUDED.get((part.get("object", ""), name))
    if maker is not None:
        part[name] = maker(store, part)
    if name not in part:
        raise ApiError(f"This property cannot be expanded ({path}).", param="expand")
    found = part[name]
    if isinstance(found, str):
        part[name] = _by_id(store, found, name) or found
    elif isinstance(found, list):
        part[name] = [_by_id(store, row, name) or row if isinstance(row, str) else row for row in found]
    _expand(store, part[name], rest, path)


def _by_id(store: Store, id: str, name: str) -> Object | None:
    prefix = id.rsplit("_", 1)[0].removesuffix("_test")
    return store.find(KINDS.get(prefix, name), id)


@dataclass
class App:
    """A WSGI application over a store. `now` tells the account's time in seconds; `pages` answers what is
    not the API: paths that people open. `after` is called when a request has been answered and kept.
    """

    store: Store
    now: Callable[[], int]
    pages: Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]
    after: Callable[[], None] = field(default=lambda: None)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith("/v1/"):
            answer = self.pages(environ, start)
            self.after()
            return answer
        status, body = self.answer(environ)
        text = json.dumps(body).encode()
        request_id = self.store.new_id("req")
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(text))),
            ("Request-Id", request_id),
        ]
        start(f"{status} {HTTPStatus(status).phrase}", headers)
        self.after()
        return [text]

    def answer(self, environ: WSGIEnvironment) -> tuple[int, Object]:
        try:
            _let_in(environ.get("HTTP_AUTHORIZATION", ""))
            return self._answered_once(environ, read_body(environ))
        except ApiError as error:
            return error.status, {"error": error.body}
        except Exception:
            logger.exception(
                "The local Stripe failed: %s %s", environ["REQUEST_METHOD"], environ["PATH_INFO"]
            )
            return 500, {"error": {"type": "api_error", "message": "An error of the local Stripe itself."}}

    def _answered_once(self, environ: WSGIEnvironment, sent: str) -> tuple[int, Object]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        found, ids = _find(method, path)
        params = read_params(found.spec, parse_qsl(sent, keep_blank_values=True), found.required)
        base = f"http://{environ.get('HTTP_HOST', 'localhost')}"
        key = environ.get("HTTP_IDEMPOTENCY_KEY", "") if method == "POST" else ""
        call = Call(self.store, self.now(), params, ids, base)
        with self.store.alone():
            if not key:
                return 200, self._done(found, call)
            before = self.store.find("idempotency_key", key)
            if before is None:
                return self._remembered(key, [path, sent], found, call)
        if before["request"] != [path, sent]:
            raise IdempotencyConflict(
                "Keys for idempotent requests can only be used with the same parameters they were first used"
                f" with. Try using a key other than '{key}' if you meant to execute a different request."
            )
        return before["status"], before["body"]

    def _done(self, found: Route, call: Call) -> Object:
        with self.store.transaction():
            return expanded(self.store, found.handler(call), call.params.get("expand", ()))

    def _remembered(self, key: str, request: list[str], found: Route, call: Call) -> tuple[int, Object]:
        """The same key gives the same answer again, a refusal too."""
        row: Object = {"object": "idempotency_key", "id": key, "request": request}
        try:
            with self.store.transaction():
                body = self._done(found, call)
                self.store.save({**row, "status": 200, "body": body})
        except ApiError as error:
            self.store.save({**row, "status": error.status, "body": {"error": error.body}})
            raise
        return 200, body


class NoCall(ApiError):
    """Stripe has it, or not; this one has not."""

    status = 404


def _find(method: str, path: str) -> tuple[Route, tuple[str, ...]]:
    """The most literal one: `/invoices/create_preview` is no invoice."""
    matches = [(row, row.pattern.fullmatch(path)) for row in ROUTES if row.method == method]
    found = [(row, match.groups()) for row, match in matches if match]
    if not found:
        raise NoCall(f"Unrecognized request URL ({method}: {path}).")
    return min(found, key=lambda pair: len(pair[1]))


def _let_in(authorization: str) -> None:
    scheme, _, key = authorization.partition(" ")
    if scheme == "Basic":
        try:
            key = base64.b64decode(key).decode().partition(":")[0]
        except ValueError:
            key = ""
    if not key.startswith("sk_test_"):
        raise Unauthorized("Invalid API Key provided. The local Stripe lets in any key sk_test_….")


def read_body(environ: WSGIEnvironment) -> str:
    """What was sent, form-encoded: in the address, or in the body of a POST."""
    if environ["REQUEST_METHOD"] != "POST":
        return str(environ.get("QUERY_STRING", ""))
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if not 0 <= length <= LONGEST_BODY:
            raise ApiError("The request is too large.")
        body: bytes = environ["wsgi.input"].read(length)
        return body.decode()
    except ValueError:
        raise ApiError("The request cannot be read.") from None
