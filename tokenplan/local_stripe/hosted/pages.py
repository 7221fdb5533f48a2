"""The pages people open in a browser: finds the one asked for, reads its form, and answers with the headers
that keep a browser safe.

Templates and style are the local Stripe's own. No page needs a script or another host.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from wsgiref.types import StartResponse, WSGIEnvironment

from django.template import Context, Engine

from tokenplan.local_stripe.http.app import read_body
from tokenplan.local_stripe.objects.clocks import DueWork
from tokenplan.local_stripe.objects.errors import ApiError
from tokenplan.local_stripe.objects.store import Store

HERE = Path(__file__).parent
TEMPLATES = Engine(dirs=[str(HERE / "templates")])
STYLE = HERE / "style.css"


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody opens a page, or sends its form. `form` has the address's parameters too; `now` is the
    account's time in seconds.
    """

    store: Store
    now: int
    ids: tuple[str, ...]
    form: Mapping[str, str]
    due: DueWork

    @property
    def id(self) -> str:
        return self.ids[0]


@dataclass(frozen=True, slots=True)
class Page:
    """What is shown, or where the browser is redirected (`redirect_to`). `form_targets`: addresses outside
    that the page's forms may end at.
    """

    template: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    redirect_to: str = ""
    form_targets: tuple[str, ...] = ()


def redirect(url: str) -> Page:
    return Page(status=303, redirect_to=url)


View = Callable[[Request], Page]


@dataclass(frozen=True, slots=True)
class PageRoute:
    method: str
    pattern: re.Pattern[str]
    view: View


class PageRouter:
    """The pages of one module."""

    def __init__(self) -> None:
        self.routes: list[PageRoute] = []

    def get(self, path: str) -> Callable[[View], View]:
        """Makes the function answer this path, where `{}` stands for an id."""
        return self._route("GET", path)

    def post(self, path: str) -> Callable[[View], View]:
        """As `get`, for a form that is sent."""
        return self._route("POST", path)

    def _route(self, method: str, path: str) -> Callable[[View], View]:
        def add(view: View) -> View:
            pattern = re.compile(path.replace("{}", "([A-Za-z0-9_]+)"))
            self.routes.append(PageRoute(method, pattern, view))
            return view

        return add


class NoPage(ApiError):
    status = 404


@dataclass(frozen=True, slots=True)
class Pages:
    """A WSGI application of these pages over a store."""

    store: Store
    now: Callable[[], int]
    routes: Sequence[PageRoute]
    due: DueWork

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/style.css":
            return _answer(start, 200, "text/css; charset=utf-8", STYLE.read_bytes())
        if environ["PATH_INFO"] == "/favicon.ico":  # browsers ask; there is none
            return _answer(start, 204, "image/x-icon", b"")
        try:
            page = self._page(environ)
        except ApiError as error:
            page = Page("error", {"message": str(error)}, error.status)
        if page.redirect_to:
            return _answer(start, page.status, "text/plain", b"", [("Location", page.redirect_to)])
        html = TEMPLATES.get_template(f"{page.template}.html").render(Context(dict(page.context)))
        policy = [("Content-Security-Policy", _policy(page.form_targets))]
        return _answer(start, page.status, "text/html; charset=utf-8", html.encode(), policy)

    def _page(self, environ: WSGIEnvironment) -> Page:
        for route in self.routes:
            match = route.pattern.fullmatch(environ["PATH_INFO"])
            if match and route.method == environ["REQUEST_METHOD"]:
                form = dict(parse_qsl(read_body(environ), keep_blank_values=True))
                with self.store.alone(), self.store.transaction():
                    return route.view(Request(self.store, self.now(), match.groups(), form, self.due))
        raise NoPage("There is no such page.")


def _policy(form_targets: Iterable[str]) -> str:
    """A browser follows a form's redirect only to the hosts that the page names."""
    origins = {f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, form_targets) if parts.netloc}
    forms = " ".join(["'self'", *sorted(origins)])
    return (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none';"
        f" form-action {forms}"
    )


def _answer(
    start: StartResponse, status: int, kind: str, body: bytes, more: Iterable[tuple[str, str]] = ()
) -> list[bytes]:
    headers = [
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
        *more,
    ]
    start(f"{status} {HTTPStatus(status).phrase}", headers)
    return [body]
