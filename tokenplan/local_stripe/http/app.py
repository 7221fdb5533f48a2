"""The WSGI application: checks the key, finds the call, and does it once per idempotency key."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl
from wsgiref.types import StartResponse, WSGIEnvironment

from tokenplan.local_stripe.http.answers import Expander
from tokenplan.local_stripe.http.params import read_params
from tokenplan.local_stripe.http.routing import Call, Route, Router
from tokenplan.local_stripe.objects.clocks import DueWork
from tokenplan.local_stripe.objects.dates import DAY
from tokenplan.local_stripe.objects.errors import ApiError, IdempotencyConflict, Object, Unauthorized
from tokenplan.local_stripe.objects.store import Store

logger = logging.getLogger(__name__)
LONGEST_BODY = 1_000_000
# Seconds, by the account's clock, after which an idempotency key is forgotten: the same key then makes the
# request once more.
KEY_LASTS = DAY


@dataclass
class App:
    """Answers the calls of `router`. `now` tells the account's time in seconds, `due` does what falls due as
    time passes. `pages` answers every path outside of the API: what people open in a browser. `after` is
    called when a request has been answered and stored.
    """

    store: Store
    now: Callable[[], int]
    router: Router
    due: DueWork
    pages: Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]
    after: Callable[[], None]

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
        found, ids = self.router.find(method, path)
        params = read_params(found.spec, parse_qsl(sent, keep_blank_values=True), found.required)
        key = environ.get("HTTP_IDEMPOTENCY_KEY", "") if method == "POST" else ""
        call = Call(self.store, self.now(), params, ids, self.due)
        with self.store.alone():
            if not key:
                return 200, self._done(found, call)
            before = self._before(key, call.now)
            if before is None:
                return self._remembered(key, [path, sent], found, call)
        if before["request"] != [path, sent]:
            raise IdempotencyConflict(
                "Keys for idempotent requests can only be used with the same parameters they were first used"
                f" with. Try using a key other than '{key}' if you meant to execute a different request."
            )
        return before["status"], before["body"]

    def _before(self, key: str, now: int) -> Object | None:
        """What the key was used for, if that is not forgotten."""
        row = self.store.find("idempotency_key", key)
        return row if row is not None and now < row.get("created", 0) + KEY_LASTS else None

    def _done(self, found: Route, call: Call) -> Object:
        with self.store.transaction():
            answer = found.handler(call)
            return Expander(self.store, self.router.expandable).expanded(
                answer, call.params.get("expand", ())
            )

    def _remembered(self, key: str, request: list[str], found: Route, call: Call) -> tuple[int, Object]:
        """Stores the answer, a refusal too, so that the same key gets it again."""
        row: Object = {"object": "idempotency_key", "id": key, "request": request, "created": call.now}
        try:
            with self.store.transaction():
                body = self._done(found, call)
                self.store.save({**row, "status": 200, "body": body})
        except ApiError as error:
            self.store.save({**row, "status": error.status, "body": {"error": error.body}})
            raise
        return 200, body


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
