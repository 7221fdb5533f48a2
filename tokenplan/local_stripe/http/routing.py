"""Which function answers which call of the API, and what that function is given.

A module that answers calls has a `router` of its own; `server.py` puts the routers of all rooms together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tokenplan.local_stripe.http.params import LISTS, Spec
from tokenplan.local_stripe.objects.clocks import DueWork
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.store import Store


@dataclass(frozen=True, slots=True)
class Call:
    """A request: the ids in its path and the parameters it sent. `now` is the account's clock in seconds;
    objects on a test clock have a time of their own (`clocks.now_of`).
    """

    store: Store
    now: int
    params: dict[str, Any]
    ids: tuple[str, ...] = ()
    due: DueWork = field(default_factory=DueWork)

    @property
    def id(self) -> str:
        return self.ids[0]

    def given(self, *names: str) -> dict[str, Any]:
        """Those of these parameters that were sent."""
        return {name: self.params[name] for name in names if name in self.params}


Handler = Callable[[Call], Object]
# Makes a field that Stripe adds to an object only when the caller expands it.
FieldMaker = Callable[[Store, Object], Any]


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    handler: Handler
    spec: Spec
    required: tuple[str, ...]
    pattern: re.Pattern[str]


class UnknownUrl(ApiError):
    """The local Stripe does not answer this path, whether or not Stripe does."""

    status = 404


class Router:
    """The calls that one module answers, and the fields it adds on demand."""

    def __init__(self) -> None:
        self.routes: list[Route] = []
        self.expandable: dict[tuple[str, str], FieldMaker] = {}

    def route(
        self, method: str, path: str, spec: Spec | None = None, *, required: Sequence[str] = ()
    ) -> Callable[[Handler], Handler]:
        """Makes the function answer this path below /v1, where `{}` stands for an id. `spec` says which
        parameters are taken, see `params`.
        """

        def add(handler: Handler) -> Handler:
            pattern = re.compile("/v1" + path.replace("{}", "([^/]+)"))
            self.routes.append(Route(method, path, handler, spec or {}, tuple(required), pattern))
            return handler

        return add

    def get(self, path: str) -> Callable[[Handler], Handler]:
        return self.route("GET", path)

    def list(
        self, path: str, spec: Spec | None = None, *, required: Sequence[str] = ()
    ) -> Callable[[Handler], Handler]:
        """A GET that answers a page of a list, and so takes the parameters of paging as well."""
        return self.route("GET", path, {**LISTS, **(spec or {})}, required=required)

    def post(
        self, path: str, spec: Spec | None = None, *, required: Sequence[str] = ()
    ) -> Callable[[Handler], Handler]:
        return self.route("POST", path, spec, required=required)

    def delete(self, path: str, spec: Spec | None = None) -> Callable[[Handler], Handler]:
        return self.route("DELETE", path, spec)

    def expands(self, kind: str, name: str) -> Callable[[FieldMaker], FieldMaker]:
        """Makes the function fill this field of such objects, only when a caller expands it."""

        def add(maker: FieldMaker) -> FieldMaker:
            self.expandable[kind, name] = maker
            return maker

        return add

    def include(self, other: Router) -> None:
        """Answers the other router's calls too."""
        self.routes += other.routes
        self.expandable |= other.expandable

    def find(self, method: str, path: str) -> tuple[Route, tuple[str, ...]]:
        """The route of a path, and the ids in it. A literal path wins: `/invoices/create_preview` is not the
        invoice of that id. Raises UnknownUrl.
        """
        matches = [(row, row.pattern.fullmatch(path)) for row in self.routes if row.method == method]
        found = [(row, match.groups()) for row, match in matches if match]
        if not found:
            raise UnknownUrl(f"Unrecognized request URL ({method}: {path}).")
        return min(found, key=lambda pair: len(pair[1]))


def joined(routers: Iterable[Router]) -> Router:
    """One router that answers the calls of all."""
    every = Router()
    for router in routers:
        every.include(router)
    return every
