"""What pages start from: a signed-in person, or a person in a Team with a right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.forms import BaseForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django_htmx.http import HttpResponseClientRefresh

from teams.errors import NotFound, PermissionRefused, Refusal
from teams.models import Membership, Team, User
from teams.permissions import TABLE, Right, membership_of, require

P = ParamSpec("P")
M = TypeVar("M", bound=Model)

View = Callable[..., HttpResponse]

PAGE_SIZE = 50


class PersonRequest(HttpRequest):
    """A request of somebody who has signed in."""

    user: User


class TeamRequest(PersonRequest):
    """A request about a Team that the person is a member of, with the right the page needs."""

    membership: Membership
    team: Team


def person_page(view: Callable[Concatenate[PersonRequest, P], HttpResponse]) -> View:
    """A page of one's own: anyone else is asked to sign in."""

    @wraps(view)
    def page(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        return _refusals_as_pages(lambda: view(cast(PersonRequest, request), *args, **kwargs))

    return _sign_in_first(page)


def team_page(
    *, get: Right | None = None, post: Right | None = None
) -> Callable[[Callable[Concatenate[TeamRequest, P], HttpResponse]], View]:
    """A page about the Team that `slug` in the URL names: 404 unless it is one of the person's, 403 without
    the right that the method needs, 405 for a method that has none."""

    def wrap(view: Callable[Concatenate[TeamRequest, P], HttpResponse]) -> View:
        @wraps(view)
        def page(request: HttpRequest, slug: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            team_request = cast(TeamRequest, request)
            rights = {"GET": get, "HEAD": get, "POST": post}

            def answer() -> HttpResponse:
                team_request.membership = membership_of(team_request.user, slug)
                team_request.team = team_request.membership.team
                right = rights.get(request.method or "")
                if right is None:
                    return HttpResponseNotAllowed([method for method, needed in rights.items() if needed])
                require(team_request.membership, right)
                return view(team_request, *args, **kwargs)

            return _refusals_as_pages(answer)

        return _sign_in_first(page)

    return wrap


def _sign_in_first(page: View) -> View:
    """Leads whoever has not signed in to that page, and back here after it."""

    @wraps(page)
    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return page(request, **kwargs)
        if "HX-Request" in request.headers:
            # A part of a page that refreshes itself: the whole page goes, not the part of it.
            return HttpResponseClientRefresh()
        # What was posted is lost, so there is no way back to it.
        back = request.get_full_path() if request.method == "GET" else settings.LOGIN_REDIRECT_URL
        return redirect_to_login(back)

    return guarded


def _refusals_as_pages(answer: Callable[[], HttpResponse]) -> HttpResponse:
    """What a page cannot be shown for becomes Django's 404 and 403."""
    try:
        return answer()
    except NotFound as refusal:
        raise Http404(refusal.detail) from refusal
    except PermissionRefused as refusal:
        raise PermissionDenied(refusal.detail) from refusal


def show(
    request: TeamRequest, template: str, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """The page with what each page of a Team shows: `team`, `membership`, and `may.<right>` per right."""
    role = request.membership.role
    return render(
        request,
        template,
        {
            "team": request.team,
            "membership": request.membership,
            "may": {right.name.lower(): role in roles for right, roles in TABLE.items()},
            **(context or {}),
        },
        status=status,
    )


def attempt(request: HttpRequest, verb: Callable[[], object], done: str) -> bool:
    """Calls the service and tells the person how it went, on the next page. Returns whether it was done."""
    try:
        verb()
    except Refusal as refusal:
        messages.error(request, sentence(refusal.detail))
        return False
    messages.success(request, done)
    return True


def attempt_form(form: BaseForm, verb: Callable[[], object]) -> bool:
    """Calls the service if the form is valid; a refusal is shown at the field it is about, else above all.

    Returns whether it was done; if not, show the form again: it has kept what was typed.
    """
    if not form.is_valid():
        return False
    try:
        verb()
    except Refusal as refusal:
        field = (refusal.pointer or "").lstrip("/")
        form.add_error(field if field in form.fields else None, sentence(refusal.detail))
        return False
    return True


def sentence(detail: str) -> str:
    """A refusal's text with a full stop."""
    return detail if detail.endswith((".", "?", "!")) else f"{detail}."


def member_of(team: Team, pk: int) -> Membership:
    """The live membership with this id in the Team; NotFound for any other."""
    member = team.memberships.live().filter(pk=pk).select_related("team", "user").first()
    if member is None:
        raise NotFound("This person is not a member of the Team.")
    return member


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """One page of rows, newest first. `older` is the `before` of the next one, empty on the last."""

    rows: list[M]
    older: str
    is_first: bool


def page_of(rows: QuerySet[M], request: HttpRequest, *, moment: str = "at", size: int = PAGE_SIZE) -> Page[M]:
    """The page that `?before=` asks for. It costs the same however deep it lies, and no row is shown twice
    or skipped while new ones arrive. A `before` that makes no sense gives the first page."""
    before = _mark_from(request.GET.get("before", ""), rows.model)
    if before is not None:
        at, pk = before
        rows = rows.filter(Q(**{f"{moment}__lt": at}) | Q(**{moment: at, "pk__lt": pk}))
    found = list(rows.order_by(f"-{moment}", "-pk")[: size + 1])
    shown = found[:size]
    older = f"{getattr(shown[-1], moment).isoformat()}~{shown[-1].pk}" if len(found) > size else ""
    return Page(shown, older, before is None)


def _mark_from(text: str, model: type[Model]) -> tuple[datetime, Any] | None:
    at, _, pk = text.partition("~")
    try:
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            return None
        moment = moment.astimezone(UTC)  # other offsets than a database knows are written by hand too
        key = model._meta.pk.to_python(pk)
    except Exception:  # of whatever kind: the link was edited by hand
        return None
    return (moment, key) if key is not None else None
