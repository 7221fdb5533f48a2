"""What the operators' pages share.

Read-only rows, actions that ask why and call a service for each chosen row, and verbs: pages that ask for a
few values and call one service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model, QuerySet
from django.forms import CharField, Form, Media, ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from tokenplan.kit.errors import Refusal
from tokenplan.kit.pages import RightNeeded, attempt_form, right_of, sentence

M = TypeVar("M", bound=Model)

if TYPE_CHECKING:

    class ModelAdmin(admin.ModelAdmin[M]):
        pass

    class Inline(admin.TabularInline[Any, Any]):
        pass

    class RowForm(ModelForm[Any]):
        pass

else:  # Django's own classes take no type parameter when they run

    class ModelAdmin(admin.ModelAdmin, Generic[M]):
        pass

    class Inline(admin.TabularInline):
        pass

    class RowForm(ModelForm):
        pass


class ReadOnlyInline(Inline):
    """Related rows, read-only, below the row that they belong to."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


SCRIPTS = (
    *("vendor/jquery/jquery.min.js", "jquery.init.js", "core.js"),
    *("admin/RelatedObjectLookups.js", "actions.js"),
)
_SMALL = str.maketrans(ascii_uppercase, ascii_lowercase)


def small_letters(term: str) -> str:
    """What is searched for: addresses are kept in small ASCII letters and compared as they are.

    The database's own way to ignore case would take other signs for these letters.
    """
    return term.translate(_SMALL)


class ReadOnlyAdmin(ModelAdmin[M]):
    """Rows that can be read and not edited.

    Actions marked `permissions=["act"]` are for staff with the right to change such rows.
    """

    list_per_page = 50
    show_full_result_count = False

    @property
    def media(self) -> Media:
        """Django's scripts, without those that make a slug of a name: half of the weight, for no field."""
        return Media(js=[f"admin/js/{name}" for name in SCRIPTS])

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[M], search_term: str
    ) -> tuple[QuerySet[M], bool]:
        return super().get_search_results(request, queryset, small_letters(search_term))

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(right_of(self.model, "change"))

    def act(
        self,
        request: HttpRequest,
        rows: QuerySet[M],
        done: str,
        verb: Callable[[M, str, Any, datetime], object],
        *,
        action: str,
    ) -> HttpResponse | None:
        """Calls the verb for each row, for the reason that was given, by the operator and at this moment.

        First a page shows the rows, what the `action` is called, and asks for the reason. The next one shows
        how many rows were `done` (a translated participle), and why others were refused.
        """
        form = ReasonForm(None, request.POST if "reason" in request.POST else None)
        if rows.count() > MOST_CHOSEN:
            many = _("Choose at most %(most)s rows at once.") % {"most": MOST_CHOSEN}
            self.message_user(request, many, messages.ERROR)
            return None
        if not form.is_valid():
            return chosen_page(self, request, form, rows, action=action)
        by, at = operator(request), timezone.now()
        count = 0
        for row in rows:
            try:
                verb(row, form.cleaned_data["reason"], by, at)
            except Refusal as refusal:
                refused = _("%(row)s: %(reason)s") % {"row": row, "reason": sentence(refusal.detail)}
                self.message_user(request, refused, messages.ERROR)
            else:
                count += 1
        if count:
            self.message_user(
                request, _("%(count)s %(done)s.") % {"count": count, "done": done}, messages.SUCCESS
            )
        return None


def why_and_what(why: str, advice: str | Promise) -> SafeString:
    """A cell of a list, named `why`, that says what is so and, below it, what an operator can do about it."""
    return format_html('{}<br><span class="quiet">{}</span>', why, advice)


def operator(request: HttpRequest) -> Any:
    """The user who acts; the admin lets nobody else in."""
    return request.user


class ReasonForm(Form):
    """Why an operator does it; asked for after whatever else a form asks."""

    reason = CharField(label=_lazy("Reason"), max_length=200, help_text=_lazy("Goes into the audit log."))

    def __init__(self, row: object, data: Any, *, initial: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial=dict(initial or {}))
        self.ask_why_last()

    def ask_why_last(self) -> None:
        self.order_fields([name for name in self.fields if name != "reason"])


class EditForm(RowForm):
    """The fields of a row that an operator edits, and why."""

    reason = ReasonForm.base_fields["reason"]


@dataclass(frozen=True)
class Preview:
    """What a verb will do: sentences, and a table."""

    sentences: Sequence[str]
    table: Sequence[Sequence[str]] = ()


@dataclass(frozen=True)
class Verb(Generic[M]):
    """Something that an operator can do to a row.

    `call` gets the row, the form's values, the operator and the moment, and returns a sentence that says what
    was done; if it is `shown_once`, it returns a credential instead, which only this answer shows. With a
    `preview`, its sentences are shown first and must be confirmed, and below them its table, whose first row
    is the head. A row that the verb does not fit has no button for it. It is for staff with the right to
    change such rows, and with the permission `right` too, where that is named. What outlives a session of
    theirs is done after a `proof` alone: it answers with a page that asks for one, or with None.
    """

    name: str
    label: str | Promise
    form: Callable[[M, Any], Form]
    call: Callable[[M, Mapping[str, Any], Any, datetime], str]
    preview: Callable[[M, Mapping[str, Any]], Sequence[str] | Preview] | None = None
    fits: Callable[[M], bool] = lambda _row: True
    shown_once: bool = False
    right: str = ""
    proof: Callable[[HttpRequest], HttpResponse | None] | None = None


class VerbsAdmin(ReadOnlyAdmin[M]):
    """A read-only row with buttons for its verbs, for staff with the right to change such rows."""

    change_form_template = "admin/kit/verbs.html"
    verbs: ClassVar[tuple[Verb[Any], ...]] = ()
    pk_converter = "int"  # how the key of such a row is read from an address

    def get_urls(self) -> list[URLPattern]:
        meta = self.opts
        pages = [
            path(
                f"<{self.pk_converter}:pk>/{verb.name}/",
                self.admin_site.admin_view(self._page(verb)),
                name=f"{meta.app_label}_{meta.model_name}_{verb.name}",
            )
            for verb in self.verbs
        ]
        urls: list[URLPattern] = super().get_urls()
        return pages + urls

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        verbs = [
            verb for verb in self.verbs if row is not None and self._may(request, verb) and verb.fits(row)
        ]
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "verbs": verbs})

    def _may(self, request: HttpRequest, verb: Verb[M]) -> bool:
        return self.has_act_permission(request) and (
            not verb.right or bool(operator(request).has_perm(verb.right))
        )

    def _page(self, verb: Verb[M]) -> Callable[..., HttpResponseBase]:
        def page(request: HttpRequest, pk: int | UUID) -> HttpResponse:
            if not self.has_act_permission(request):
                raise RightNeeded(right_of(self.model, "change"))
            if not self._may(request, verb):
                raise RightNeeded(verb.right)
            row = self.get_queryset(request).filter(pk=pk).first()
            if row is None:
                raise Http404
            if verb.proof and request.method == "POST" and (asked := verb.proof(request)):
                return asked
            return self._answer(verb, request, row)

        page.needs_proof = frozenset({"POST"} if verb.proof else ())  # type: ignore[attr-defined]
        return page

    def _answer(self, verb: Verb[M], request: HttpRequest, row: M) -> HttpResponse:
        form = verb.form(row, request.POST if request.method == "POST" else None)
        back = self._back(request, row)
        title = _("%(verb)s: %(row)s") % {"verb": verb.label, "row": row}
        if verb.preview and request.method == "POST" and "confirmed" not in request.POST:
            form, preview = verb.form(row, request.POST), verb.preview
            shown = attempt_form(form, lambda: preview(row, form.cleaned_data))
            sentences = shown.value if shown else ()
            return form_page(self, request, form, title=title, back=back, preview=sentences)
        at = timezone.now()
        if request.method == "POST":
            called = attempt_form(form, lambda: verb.call(row, form.cleaned_data, operator(request), at))
            if called and verb.shown_once:
                return shown_once_page(self, request, called.value, title=title, back=back)
            if called:
                self.message_user(request, called.value)
                return redirect(self._back(request, row))
            if verb.preview and {field.name for field in form.visible_fields()} <= {"reason"}:
                return self._shown_again(verb, request, form, row, title)
        return form_page(self, request, form, title=title, back=back)

    def _shown_again(
        self, verb: Verb[M], request: HttpRequest, refused: Form, row: M, title: str
    ) -> HttpResponse:
        """Why it was refused, and what it would do now, which can be confirmed as it is shown.

        Only the refusal, where the row has changed so that the verb does not fit it any more.
        """
        again, preview, form = self.get_queryset(request).filter(pk=row.pk).first(), verb.preview, refused
        shown = None
        if preview and again is not None and verb.fits(again):
            present = verb.form(
                again, {name: text for name, text in request.POST.items() if name != "confirmed"}
            )
            shown = attempt_form(present, lambda: preview(again, present.cleaned_data))
        if shown:
            form = present
            for errors in refused.errors.values():
                form.add_error(None, list(errors))
        sentences = shown.value if shown else ()
        back = self._back(request, row)
        return form_page(self, request, form, title=title, back=back, preview=sentences)

    def _back(self, request: HttpRequest, row: M) -> str:
        """The operators' page that the verb was called from, as `?back=` says; else the row's own."""
        asked = request.GET.get("back", "")
        ours = asked.startswith(reverse("admin:index")) and url_has_allowed_host_and_scheme(asked, None)
        return asked if ours else self._url(row)

    def _url(self, row: M) -> str:
        """The row's page, or all rows where the verb has deleted it."""
        page = f"admin:{self.opts.app_label}_{self.opts.model_name}"
        if not self.model._default_manager.filter(pk=row.pk).exists():
            return reverse(f"{page}_changelist")
        return reverse(f"{page}_change", args=[row.pk])


def form_page(
    model_admin: ReadOnlyAdmin[Any],
    request: HttpRequest,
    form: Form,
    *,
    title: str,
    back: str,
    preview: Sequence[str] | Preview = (),
) -> TemplateResponse:
    """A page of the admin with one form; with a `preview`, what it says and a button to confirm it."""
    shown = preview if isinstance(preview, Preview) else Preview(preview)
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": title,
        "form": form,
        "back": back,
        "preview": shown,
    }
    return TemplateResponse(request, "admin/kit/form.html", context, status=422 if form.errors else 200)


MOST_SHOWN = 20  # of the rows that were chosen, before something is done to them
MOST_CHOSEN = 500  # and so many at most, each of which the page has in a field of its own


def chosen_page(
    model_admin: ReadOnlyAdmin[M], request: HttpRequest, form: Form, rows: QuerySet[M], *, action: str
) -> TemplateResponse:
    """A page of the admin with the rows that were chosen in a list, and the form to be filled in for them.

    It is sent where the list was sent, with these rows and no others: also where all were chosen, and others
    have come since.
    """
    chosen = list(rows.values_list("pk", flat=True))
    kept = [(ACTION_CHECKBOX_NAME, str(pk)) for pk in chosen]
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": dict(model_admin.get_action_choices(request))[action],
        "form": form,
        "back": request.get_full_path(),
        "preview": Preview(()),
        "chosen": [str(row) for row in rows[:MOST_SHOWN]],
        "more": max(len(chosen) - MOST_SHOWN, 0),
        "kept": [("action", action), *kept],
    }
    return TemplateResponse(request, "admin/kit/form.html", context, status=422 if form.errors else 200)


def shown_once_page(
    model_admin: ReadOnlyAdmin[Any], request: HttpRequest, credential: str, *, title: str, back: str
) -> TemplateResponse:
    """A page of the admin that shows a credential, and that no cache keeps."""
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": title,
        "text": credential,
        "back": back,
    }
    response = TemplateResponse(request, "admin/kit/shown_once.html", context)
    patch_cache_control(response, no_store=True, private=True)
    return response
