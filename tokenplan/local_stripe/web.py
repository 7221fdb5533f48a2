"""Pages: finds the one asked for, reads its form, and answers with what a browser needs to be safe."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from wsgiref.types import StartResponse, WSGIEnvironment

from django.template.loader import render_to_string

from tokenplan.local_stripe.app import read_body
from tokenplan.local_stripe.errors import ApiError
from tokenplan.local_stripe.store import Store

STYLE = Path(__file__).with_name("style.css")


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody opens a page, or sends its form. `now` is the account's time."""

    store: Store
    now: int
    ids: tuple[str, ...]
    form: Mapping[str, str]

    @property
    def id(self) -> str:
        return self.ids[0]


@dataclass(frozen=True, slots=True)
class Page:
    """What is shown; or, with `goes_to`, where the browser is led. `leads_to`: addresses outside that its
    forms may end at.
    """

    template: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    goes_to: str = ""
    leads_to: tuple[str, ...] = ()


Answer = Callable[[Visit], Page]
PAGES: list[tuple[str, re.Pattern[str], Answer]] = []


def page(method: str, path: str) -> Callable[[Answer], Answer]:
    """Makes the function answer this path; `{}` in it is an id."""

    def add(answer: Answer) -> Answer:
        PAGES.append((method, re.compile(path.replace("{}", "([A-Za-z0-9_]+)")), answer))
        return answer

    return add


def goes_to(url: str) -> Page:
    return Page(status=303, goes_to=url)


@dataclass(frozen=True, slots=True)
class Pages:
    """A WSGI application of the pages over a store."""

    store: Store
    now: Callable[[], int]

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/style.css":
            return _answer(start, 200, "text/css; charset=utf-8", STYLE.read_bytes())
        if environ["PATH_INFO"] == "/favicon.ico":  # browsers ask; there is none
            return _answer(start, 204, "image/x-icon", b"")
        try:
            shown = self._visited(environ)
        except ApiError as error:
            shown = Page("error", {"message": str(error)}, error.status)
        if shown.goes_to:
            return _answer(start, shown.status, "text/plain", b"", [("Location", shown.goes_to)])
        html = render_to_string(f"local_stripe/{shown.template}.html", dict(shown.context))
        policy = [("Content-Security-Policy", _policy(shown.leads_to))]
        return _answer(start, shown.status, "text/html; charset=utf-8", html.encode(), policy)

    def _visited(self, environ: WSGIEnvironment) -> Page:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        for known, pattern, answer in PAGES:
            match = pattern.fullmatch(path)
            if match and known == method:
                form = dict(parse_qsl(read_body(environ), keep_blank_values=True))
                with self.store.alone(), self.store.transaction():
                    return answer(Visit(self.store, self.now(), match.groups(), form))
        raise NoPage("There is no such page.")


class NoPage(ApiError):
    status = 404


def _policy(leads_to: Iterable[str]) -> str:
    """A browser follows a form's redirect only to where the page said that it may lead."""
    origins = {f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, leads_to) if parts.netloc}
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
