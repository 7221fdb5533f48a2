"""Whatever malformed input is sent, the answer is what was asked for or an error in Stripe's shape, never
a 500.
"""

import contextlib
import http.client
import io
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.local_stripe.account import Account
from tests.helpers.local_stripe.busy_account import be_busy
from tokenplan.local_stripe.http.params import Reader
from tokenplan.local_stripe.server import PAGES, ROUTER, application

ERRORS = {400, 401, 402, 404}


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with Account() as made:
        be_busy(made)
        yield made


@pytest.fixture(scope="module")
def ids(account: Account) -> st.SearchStrategy[str]:
    """The ids of two objects of every kind, and of no object."""
    store = account.stripe.store
    found = [row["id"] for kind in store.kinds() for row in store.all(kind)[:2]]
    return st.sampled_from([*found, "nobody", "pm_card_visa", "é"])


def ask(account: Account, method: str, path: str, form: str) -> tuple[int, dict[str, Any]]:
    """The answer to a request, without a socket."""
    body = form.encode()
    app = application(account.stripe.store, lambda: account.now)
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": form,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "HTTP_AUTHORIZATION": "Bearer sk_test_tests",
    }
    answered: dict[str, Any] = {}

    def start(status: str, headers: Any, *_: Any) -> Any:
        answered.update(status=int(status.split()[0]), kind=dict(headers)["Content-Type"])

    text = b"".join(app(environ, start))
    return answered["status"], json.loads(text) if "json" in answered["kind"] else {}


def asked(account: Account, method: str, path: str, form: str) -> tuple[int, dict[str, Any]]:
    """As `ask`, but undone, so that one example does not change what the next one finds."""
    with contextlib.suppress(_Undone), account.stripe.store.transaction():
        answer = ask(account, method, path, form)
        _undo()
    return answer


class _Undone(Exception):
    pass


def _undo() -> None:
    raise _Undone


def names(reader: Reader, name: str) -> list[str]:
    """Every name that a parameter can be sent under."""
    if isinstance(reader, dict):
        return [found for key, one in reader.items() for found in names(one, f"{name}[{key}]")] + [name]
    if isinstance(reader, list):
        return [*names(reader[0], f"{name}[0]"), *names(reader[0], f"{name}[7]"), f"{name}[]", name]
    return [name, f"{name}[x]"]


ODD = st.sampled_from(
    [
        "",
        "0",
        "1",
        "-1",
        "2",
        "99999999",
        "999999999999999",
        "1e5",
        "NaN",
        "1.5",
        "true",
        "false",
        "now",
        "usd",
        "month",
        "none",
        "always_invoice",
        "create_prorations",
        "once",
        "card",
        "release",
        "²",
        "\x00",
        "[]",
        "http://[",
        "http://example.com/",
        "é" * 300,
    ]
)


@given(data=st.data())
def test_a_call_answers_whatever_is_sent(
    account: Account, ids: st.SearchStrategy[str], data: st.DataObject
) -> None:
    call = data.draw(st.sampled_from(ROUTER.routes))
    path = "/v1" + call.path
    while "{}" in path:
        path = path.replace("{}", data.draw(ids), 1)
    known = [found for key, reader in call.spec.items() for found in names(reader, key)]
    name = st.sampled_from([*known, "expand[]", "expand[0]", "limit", "unheard_of", "[", "a[b][c]"])
    form = data.draw(st.lists(st.tuples(name, st.one_of(ODD, ids)), max_size=8))
    form += [(field, data.draw(ids)) for field in call.required]
    status, body = asked(account, call.method, path, urlencode(form))
    if status != 200:
        assert status in ERRORS, (call.method, path, form)
        assert body["error"]["type"] in ("invalid_request_error", "card_error")
        assert body["error"]["message"]
    else:
        assert "object" in body


@given(data=st.data())
def test_a_page_answers_whatever_is_sent(
    account: Account, ids: st.SearchStrategy[str], data: st.DataObject
) -> None:
    route = data.draw(st.sampled_from(PAGES))
    method, path = route.method, route.pattern.pattern.replace(r"([A-Za-z0-9_]+)", data.draw(ids))
    field = st.sampled_from(["number", "payment_method", "code", "answer", "by", "outcome", "mode", "x"])
    form = data.draw(st.lists(st.tuples(field, st.one_of(ODD, ids)), max_size=4))
    status, _ = asked(account, method, path, urlencode(form))
    assert status in {200, 303, 410, *ERRORS}, (method, path, form)


@pytest.mark.parametrize(
    ("method", "path", "form", "status", "code", "param"),
    [
        ("GET", "/v1/customers/cus_none", "", 404, "resource_missing", "id"),
        ("GET", "/v1/payment_intents/pi_none", "", 404, "resource_missing", "intent"),
        ("POST", "/v1/customers", "colour=red", 400, "parameter_unknown", "colour"),
        ("POST", "/v1/customers", "address[planet]=x", 400, "parameter_unknown", "address[planet]"),
        ("POST", "/v1/customers", "balance=ten", 400, "parameter_invalid_integer", "balance"),
        ("POST", "/v1/prices", "currency=usd", 400, "parameter_missing", "product"),
        ("GET", "/v1/customers", "limit=101", 400, None, "limit"),
        ("GET", "/v1/customers", "starting_after=cus_none", 400, "resource_missing", "starting_after"),
        ("GET", "/v1/moons", "", 404, None, None),
        ("PUT", "/v1/customers", "", 404, None, None),
    ],
)
def test_an_error_has_stripes_shape(
    account: Account, method: str, path: str, form: str, status: int, code: str | None, param: str | None
) -> None:
    found, body = ask(account, method, path, form)
    error = body["error"]
    assert (found, error.get("code"), error.get("param")) == (status, code, param)
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize("length", ["-1", "99999999999", "many"])
def test_a_malformed_content_length_is_refused_at_once(account: Account, length: str) -> None:
    connection = http.client.HTTPConnection(account.stripe.url.removeprefix("http://"), timeout=5)
    connection.putrequest("POST", "/v1/customers")
    connection.putheader("Authorization", "Bearer sk_test_tests")
    connection.putheader("Content-Length", length)
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()
