"""Decorators of pages: for a signed-in person, or for a member of a Team with a right."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from django.conf import settings
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.utils.cache import patch_cache_control

from teams.models import Membership, Team, User
from teams.permissions import Right, may, membership_of, require
from tokenplan.kit.pages import View, once_a_request, refusals_as_pages, sign_in_first

P = ParamSpec("P")
M = TypeVar("M", bound=Model)


PAGE_SIZE = 50
# A cookie, since it outlasts the session: the address of the Team that was opened last.
LAST_TEAM = "team"
LAST_TEAM_AGE = 31_536_000
# So many Teams the switcher lists; more are found by their names.
LISTED_TEAMS = 50


class PersonRequest(HttpRequest):
    """A request of somebody who has signed in."""

    user: User


class TeamRequest(PersonRequest):
    """A request about a Team that the person is a member of, with the right the page needs."""

    membership: Membership
    team: Team


def person_page(view: Callable[Concatenate[PersonRequest, P], HttpResponse]) -> View:
    """A page for whoever is signed in; anyone else is asked to sign in."""

    @wraps(view)
    def page(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        return refusals_as_pages(lambda: view(cast(PersonRequest, request), *args, **kwargs))

    return sign_in_first(page)


def team_page(
    *, get: Right | None = None, post: Right | None = None
) -> Callable[[Callable[Concatenate[TeamRequest, P], HttpResponse]], View]:
    """A page about the Team that `slug` in the URL names.

    404 unless the person is a member, 403 without the right that the method needs, 405 for other methods.
    """

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

            return _remembered(team_request, refusals_as_pages(answer))

        return sign_in_first(page)

    return wrap


def last_team(request: HttpRequest) -> str:
    """The address of the Team that was opened last in this browser, also before the person signed in again;
    empty for none. It may be of somebody else: look it up among the person's own.
    """
    return request.COOKIES.get(LAST_TEAM, "")


def _remembered(request: TeamRequest, answer: HttpResponse) -> HttpResponse:
    """Pages that are about no Team offer those of the one that was opened last. What a page asks for by
    itself opens none.
    """
    if last_team(request) != request.team.slug and "HX-Request" not in request.headers:
        answer.set_cookie(
            LAST_TEAM,
            request.team.slug,
            max_age=LAST_TEAM_AGE,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    return answer


def own_memberships(request: HttpRequest) -> list[Membership]:
    """Those of who is signed in, with Team and user: the Default Team first, then by the Team's name. Read
    once a request, for the page and for the switcher of Teams.
    """
    return once_a_request(request, "own_memberships", lambda: list(_own(request)))


def listed_memberships(request: HttpRequest) -> tuple[list[Membership], bool]:
    """Those of the same that the switcher lists, in the same order: the first fifty, and behind them those of
    the Team that the page is about and of the one that was opened last. And whether there are more.
    """
    return once_a_request(request, "listed_memberships", lambda: _listed(request))


def _own(request: HttpRequest) -> QuerySet[Membership]:
    mine = Membership.objects.live().filter(user=request.user.pk).select_related("team", "user")
    return mine.order_by("team__default_for", "team__name", "pk")


def _listed(request: HttpRequest) -> tuple[list[Membership], bool]:
    everything: list[Membership] | None = getattr(request, "own_memberships", None)
    first = list(_own(request)[: LISTED_TEAMS + 1]) if everything is None else everything
    if len(first) <= LISTED_TEAMS:
        return first, False
    listed = first[:LISTED_TEAMS]
    wanted = {slug_of_page(request), last_team(request)} - {"", *(one.team.slug for one in listed)}
    return listed + (list(_own(request).filter(team__slug__in=wanted)) if wanted else []), True


def slug_of_page(request: HttpRequest) -> str:
    """What the address says of the Team that the page is about; empty where it names none."""
    match = request.resolver_match
    return str(match.kwargs.get("slug", "")) if match else ""


def show(
    request: TeamRequest, template: str, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """Renders a page of a Team. Adds `team`, `membership`, and `may.<right>` for each right."""
    return render(
        request,
        template,
        {
            "team": request.team,
            "membership": request.membership,
            "may": {right.name.lower(): may(request.membership, right) for right in Right},
            **(context or {}),
        },
        status=status,
    )


def show_fresh(
    request: TeamRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """The page, with headers that no cache keeps it: going back to it shows it anew."""
    response = show(request, template, context, status=status)
    patch_cache_control(response, no_store=True, private=True)
    return response
