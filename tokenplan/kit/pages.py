"""What pages share: sign-in first, refusals shown as pages or at a form's field, lists page by page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet, UUIDField
from django.forms import BaseForm, CharField, Form, TextInput
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRefresh

from tokenplan.kit.errors import NotFound, PermissionRefused, Refusal
from tokenplan.kit.reach import reach_of
from tokenplan.kit.text import searched

M = TypeVar("M", bound=Model)
T = TypeVar("T")

View = Callable[..., HttpResponse]

PAGE_SIZE = 50


def sign_in_first(page: View) -> View:
    """Whoever has not signed in is sent to the sign-in page, and comes back to this one after it."""

    @wraps(page)
    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return page(request, **kwargs)
        if "HX-Request" in request.headers:
            # A fragment that refreshes itself: reload the whole page, lest a sign-in page stands inside it.
            return HttpResponseClientRefresh()
        # A form that was posted is lost, so its address is not where to come back to.
        back = request.get_full_path() if request.method == "GET" else settings.LOGIN_REDIRECT_URL
        return redirect_to_login(back)

    return guarded


def refusals_as_pages(answer: Callable[[], HttpResponse]) -> HttpResponse:
    """The answer; the refusals NotFound and PermissionRefused become Django's 404 and 403 pages."""
    try:
        return answer()
    except NotFound as refusal:
        raise Http404(refusal.detail) from refusal
    except PermissionRefused as refusal:
        raise PermissionDenied(refusal.detail) from refusal


class RightNeeded(PermissionDenied):
    """An operator lacks this permission, such as `teams.view_user`; the page says who gives it."""

    def __init__(self, right: str) -> None:
        super().__init__()
        self.right = right


def right_of(model: type[Model], verb: str) -> str:
    """The permission to `view`, `add` or `change` such rows."""
    return f"{model._meta.app_label}.{verb}_{model._meta.model_name}"


def once_a_request(request: HttpRequest, name: str, read: Callable[[], T]) -> T:
    """What was read for this request under this name; it is read now where nobody has before."""
    if not hasattr(request, name):
        setattr(request, name, read())
    kept: T = getattr(request, name)
    return kept


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The return value of a service that did not refuse. It is always true, whatever the value is."""

    value: T


def attempt(
    request: HttpRequest, verb: Callable[[], T], done: str, *, undo: Callable[[T], str] | None = None
) -> Done[T] | None:
    """Calls the service; the next page shows `done`, or why it was refused. Returns None for a refusal.
    `undo` has the address where what was done can be undone, which is offered beside it.
    """
    try:
        value = verb()
    except Refusal as refusal:
        messages.error(request, sentence(refusal.detail))
        return None
    messages.success(request, done, extra_tags=undo(value) if undo else "")
    return Done(value)


def attempt_form(form: BaseForm, verb: Callable[[], T]) -> Done[T] | None:
    """Calls the service if the form is valid; a refusal is shown at the field that it names, else above all.

    Returns None when nothing was done: show the form again, which has kept what was typed.
    """
    return attempt_part(form, verb) if form.is_valid() else None


def attempt_part(form: BaseForm, verb: Callable[[], T]) -> Done[T] | None:
    """As `attempt_form`, for what needs a part of the form alone: also where another part is wrong."""
    try:
        return Done(verb())
    except Refusal as refusal:
        field = (refusal.pointer or "").lstrip("/")
        form.add_error(field if field in form.fields else None, sentence(refusal.detail))
        return None


def sentence(detail: str) -> str:
    """A refusal's text as a whole sentence, with a full stop."""
    return detail if detail.endswith((".", "?", "!")) else _("%(sentence)s.") % {"sentence": detail}


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """One page of rows, newest first. `older` is the `before` of the next one, empty on the last. `back_to`:
    where it ends before it is full, since it has looked no further.
    """

    rows: list[M]
    older: str
    is_first: bool
    back_to: datetime | None = None


def page_of(
    rows: QuerySet[M],
    request: HttpRequest,
    *,
    moment: str = "at",
    size: int = PAGE_SIZE,
    among: QuerySet[M] | None = None,
) -> Page[M]:
    """The page that `?before=` asks for; a `before` that cannot be read gives the first page. `among`: where
    few may match, the rows that are looked through, of which a page reads no more than `reach` says.

    Every page costs the same, and no row is shown twice or skipped while new ones arrive.
    """
    before = _mark_from(request.GET.get("before", ""), rows.model)
    if before is not None:
        at, pk = before
        # By the first condition, which says nothing new, an index by moment is entered at the page.
        rows = rows.filter(Q(**{f"{moment}__lte": at}), Q(**{f"{moment}__lt": at}) | Q(pk__lt=pk))
        among = among.filter(**{f"{moment}__lte": at}) if among is not None else None
    reach = reach_of(among, moment) if among is not None else None
    if reach is not None:
        rows = rows.filter(**{f"{moment}__gte": reach})
    found = list(rows.order_by(f"-{moment}", "-pk")[: size + 1])
    shown = found[:size]
    if len(found) > size:
        return Page(shown, f"{getattr(shown[-1], moment).isoformat()}~{shown[-1].pk}", before is None)
    no_id = UUID(int=0) if isinstance(rows.model._meta.pk, UUIDField) else 0  # less than any
    older = f"{reach.isoformat()}~{no_id}" if reach is not None else ""
    return Page(shown, older, before is None, reach)


class FilterForm(Form):
    """Which rows of a list are shown; left out, all of them. What cannot be read asks for nothing."""

    @property
    def is_filtered(self) -> bool:
        """Is less than the whole list asked for? Call `is_valid` before."""
        return any(self.cleaned_data.values())


class SearchField(CharField):
    """What a list is searched for, as `searched` reads it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=100, required=False, widget=TextInput(attrs={"type": "search"}), **kwargs)

    def clean(self, value: Any) -> str:
        return searched(super().clean(value))


def asked_of(request: HttpRequest, *names: str) -> list[tuple[str, str]]:
    """What the address asks by these names: where a page has two lists, a form about one keeps it for the
    other.
    """
    return [(name, value) for name in names for value in request.GET.getlist(name)]


def _mark_from(text: str, model: type[Model]) -> tuple[datetime, Any] | None:
    at, _, pk = text.partition("~")
    try:
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            return None
        moment = moment.astimezone(UTC)  # PostgreSQL refuses some offsets that Python can read
        key = model._meta.pk.to_python(pk)
    except Exception:  # whatever it is: the link was edited by hand
        return None
    return (moment, key) if key is not None else None
