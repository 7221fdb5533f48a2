"""The support desk: one search box, a page of a person and one of a Team.

Beyond what it says itself, a page shows the operator only what the admin would, and links to the verbs
that stand there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from billing.selectors.support import Person, TeamFile, bars_now
from billing.selectors.support_search import find, public_part
from quota.admin.fields import MomentField
from quota.models import Reservation, UsageEvent
from quota.money import usd_text
from quota.selectors.shown_bars import ShownBar
from quota.views.bars import as_of, parts_of, text_of
from teams.models import ApiKeyText, Membership, PersonalAccessToken, SubscriptionKey, Team, User
from tokenplan.kit.admin import operator
from tokenplan.kit.pages import RightNeeded, right_of
from tokenplan.kit.text import searched

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Result:
    """What was found, as a link."""

    kind: str
    text: str
    detail: str
    url: str


@sensitive_post_parameters("q")
@require_http_methods(["GET", "HEAD", "POST"])
def search(request: HttpRequest) -> HttpResponse:
    """What one line of text finds; where it names just one thing, that thing's page. The text is posted, so
    that no address has it; of a credential only what is public is used and shown.
    """
    text = searched(public_part(request.POST.get("q", "")))
    by = operator(request)
    hits = find(text, lambda model: _may_see(by, model))
    exact = [hit for hit in hits if hit.exact]
    if len(exact) == 1 and (url := _result(exact[0].row, by).url):
        return redirect(url)
    results = [_result(hit.row, by) for hit in hits]
    return _page(request, "search", title=_("Search"), text=text, results=results)


def _may_see(by: User, model: type[Model]) -> bool:
    return bool(by.has_perm(right_of(model, "view")))


def _require_to_see(request: HttpRequest, *models: type[Model]) -> None:
    for model in models:
        if not _may_see(operator(request), model):
            raise RightNeeded(right_of(model, "view"))


def _result(row: Model, by: User) -> Result:
    """Of what the row belongs to, it says and leads to only what the operator may see too."""

    def said(other: Model | None) -> str:
        return str(other) if other is not None and _may_see(by, type(other)) else ""

    meta = row._meta
    kind = capfirst(str(meta.verbose_name))
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk]) if _has_page(row) else ""
    match row:
        case User():
            return Result(_("Person"), row.email, row.name, reverse("support-person", args=[row.pk]))
        case Team():
            return Result(_("Team"), row.name, row.slug, reverse("support-team", args=[row.pk]))
        case SubscriptionKey():
            person = reverse("support-person", args=[row.membership.user_id])
            return Result(_("Key"), row.prefix, said(row.membership), person if _may_see(by, User) else url)
        case ApiKeyText():
            file = reverse("support-team", args=[row.team_id])
            return Result(_("API key"), row.prefix, said(row.team), file if _may_see(by, Team) else url)
        case PersonalAccessToken():
            return Result(_("Access token"), f"{row.prefix}…", said(row.user), url)
        case UsageEvent():
            return Result(_("Charge"), str(row), f"{row.model}, {usd_text(row.amount_nanousd)}", url)
        case Reservation():
            return Result(_("Hold"), str(row), f"{row.model}, {row.get_state_display()}", url)
    return Result(kind, str(row), said(getattr(row, "team", None)), url)


def _has_page(row: Model) -> bool:
    return type(row) in admin.site._registry


class MomentForm(forms.Form):
    """As at which moment; none: now."""

    at = MomentField(label=_lazy("As at"), help_text=_lazy("In UTC. Empty: now."))

    def __init__(self, data: Any, now: datetime) -> None:
        super().__init__(data)
        self.now = now

    def clean_at(self) -> datetime | None:
        at: datetime | None = self.cleaned_data["at"]
        if at is not None and at > self.now:
            raise ValidationError(_("This moment has not come yet."))
        return at


@require_safe
def person(request: HttpRequest, pk: int) -> HttpResponse:
    """A person: where they are, what they used as at a moment, what was paid, sent and done."""
    user, now = _seen(request, User, pk), timezone.now()
    form = MomentForm(request.GET, now)
    moment = form.cleaned_data["at"] if form.is_valid() else None
    shown = Person(user, now, moment)
    return _page(
        request, "person", title=user.display_name, person=shown, form=form, back=request.get_full_path()
    )


@require_safe
def bars(request: HttpRequest, pk: int) -> HttpResponse:
    """What of the person's bars changes by itself, which their page asks for every few seconds: the parts
    that `of` names, for whoever may see them there. 304 where the browser has them so.
    """
    user, now = _seen(request, User, pk), timezone.now()
    _require_to_see(request, Membership, UsageEvent)
    wanted = parts_of(request)
    members = Membership.objects.live().filter(user=user, pk__in={pk for _kind, pk in wanted})
    found = bars_now(list(members.select_related("team", "user").order_by("pk")), now)
    shown = {bar.bar.membership.pk: (bar, number) for bar, number in found}
    return as_of(request, [_part(kind, *shown[pk]) for kind, pk in wanted if pk in shown], now)


def _part(kind: str, shown: ShownBar, number: int | None) -> str:
    """`bar` as everybody sees it, `credits` as the page has it above."""
    if kind == "bar":
        return text_of(shown)
    return render_to_string("admin/support/seat_and_credits.html", {"bar": shown.bar, "number": number})


@require_safe
def team(request: HttpRequest, pk: int) -> HttpResponse:
    """A Team: who owns it, what it has and what it owes."""
    row = _seen(request, Team, pk)
    shown = TeamFile(row, timezone.now())
    return _page(request, "team", title=row.name, file=shown, back=request.get_full_path())


def _seen(request: HttpRequest, model: type[M], pk: int) -> M:
    _require_to_see(request, model)
    return get_object_or_404(model, pk=pk)


def _page(request: HttpRequest, name: str, **context: object) -> HttpResponse:
    shown = {**admin.site.each_context(request), **context}
    return TemplateResponse(request, f"admin/support/{name}.html", shown)


def _address(route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
    return path(f"admin/support/{route}", admin.site.admin_view(view), name=name)


urlpatterns = [
    _address("search/", search, "support-search"),
    _address("people/<int:pk>/", person, "support-person"),
    _address("people/<int:pk>/bars/", bars, name="support-bars"),
    _address("teams/<int:pk>/", team, "support-team"),
]
