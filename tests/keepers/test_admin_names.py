"""Models, fields, filters and forms of the operators' pages have names that go through gettext.

The pages are read in a language that marks whatever gettext said: what bears no mark stands there in English,
whoever reads it. That each text has its translation is for `test_catalogues`.
"""

from __future__ import annotations

import gettext
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from django.contrib.admin import ModelAdmin, site
from django.contrib.admin.utils import flatten, label_for_field
from django.forms import Form
from django.forms.utils import pretty_name
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils.encoding import force_str
from django.utils.translation import override, trans_real

from teams.models import User
from tests.helpers.factories import make_member, make_team
from tests.helpers.staff import staff
from tokenplan.kit.admin import VerbsAdmin

pytestmark = pytest.mark.django_db
LANGUAGE = "zh-hans"


class Marks(gettext.NullTranslations):
    """Says each text between marks."""

    def gettext(self, message: str) -> str:
        return f"⟦{message.split(chr(4))[-1]}⟧"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)

    def to_language(self) -> str:
        return LANGUAGE


@pytest.fixture(autouse=True)
def _marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(trans_real._translations, LANGUAGE, Marks())  # type: ignore[attr-defined]


def is_marked(text: object) -> bool:
    return re.fullmatch(r"⟦.*⟧:?", force_str(text), re.DOTALL) is not None


def request_of(user: User) -> HttpRequest:
    request = RequestFactory().get("/admin/")
    request.user = user
    return request


def columns(page: ModelAdmin[Any], request: HttpRequest) -> Iterator[Any]:
    """Of the list, and of the page of a row."""
    yield from page.get_list_display(request)
    for _title, options in page.get_fieldsets(request):
        yield from flatten(list(options["fields"]))


def names(page: ModelAdmin[Any], request: HttpRequest) -> Iterator[tuple[str, object]]:
    meta = page.opts
    yield "app", meta.app_config.verbose_name
    yield "one", meta.verbose_name
    yield "many", meta.verbose_name_plural
    edited = page.get_form(request)().fields
    for name in columns(page, request):
        if name in edited:
            yield f"field {name}", edited[name].label
        elif name != "__str__":
            yield f"column {name}", label_for_field(name, page.model, page)
    for title, _options in page.get_fieldsets(request):
        yield "part", title or "⟦⟧"
    for inline in page.get_inline_instances(request):
        yield f"below {inline.opts}", inline.opts.verbose_name_plural
        for name in flatten(list(inline.get_fields(request) or ())):
            yield f"below {inline.opts} {name}", label_for_field(name, inline.model, inline)
    for action, label in page.get_action_choices(request, default_choices=[]):
        yield f"action {action}", label
    for verb in page.verbs if isinstance(page, VerbsAdmin) else ():
        yield f"button {verb.name}", verb.label


def test_models_fields_and_buttons_have_names_that_go_through_gettext() -> None:
    request = request_of(User.objects.create_superuser("root@example.com", "x"))
    with override(LANGUAGE):
        bare = {
            f"{page.opts.label}: {what}": force_str(text)
            for page in site._registry.values()
            for what, text in names(page, request)
            if not is_marked(text)
        }

    assert bare == {}


def test_no_column_that_is_worked_out_has_the_name_of_a_field() -> None:
    """Else the field is shown in its place."""
    request = request_of(User.objects.create_superuser("root@example.com", "x"))
    hidden = {
        f"{page.opts.label}: {name}"
        for page in site._registry.values()
        for name in columns(page, request)
        if isinstance(name, str)
        and hasattr(type(page), name)
        and name in {field.name for field in page.opts.get_fields()}
    }

    assert hidden == set()


def test_fields_of_the_forms_of_buttons_have_labels_that_go_through_gettext() -> None:
    with override(LANGUAGE):
        bare = {
            f"{page.opts.label} {verb.name}: {name}": force_str(field.label or pretty_name(name))
            for page in site._registry.values()
            for verb in (page.verbs if isinstance(page, VerbsAdmin) else ())
            if isinstance(verb.form, type) and issubclass(verb.form, Form)
            for name, field in verb.form.base_fields.items()
            if not field.widget.is_hidden and not is_marked(field.label)
        }

    assert bare == {}


@pytest.fixture
def operator() -> Client:
    client = staff(superuser=True)
    User.objects.filter(is_superuser=True).update(language=LANGUAGE)
    return client


def shown(html: str) -> Iterator[str]:
    """Names on a page: its heading, filters, labels, headers of columns, and what lists are called."""
    yield from re.findall(r'data-filter-title="([^"]*)"', html)
    for part in re.findall(
        r"<h1>(.*?)</h1>|<h2[^>]*>(.*?)</h2>|<label[^>]*>(.*?)</label>|<th [^>]*scope=\"col\"[^>]*>(.*?)</th>"
        r"|<caption>(.*?)</caption>",
        html,
        re.DOTALL,
    ):
        text = " ".join(unescape(re.sub(r"<[^>]*>", " ", "".join(part))).split())
        if re.search(r"\w", text):
            yield text


def test_every_list_and_every_page_that_adds_says_its_names_in_the_readers_language(operator: Client) -> None:
    pages = {reverse("admin:index")}
    for model in site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        pages |= {reverse(f"{name}_changelist"), reverse(f"{name}_add")}
    answers = {url: operator.get(url) for url in sorted(pages)}
    opened = {url: answer.content.decode() for url, answer in answers.items() if answer.status_code == 200}

    bare = {(url, text) for url, html in opened.items() for text in shown(html) if not is_marked(text)}

    assert {answer.status_code for answer in answers.values()} == {200, 403}
    assert len(opened) > len(site._registry)
    assert bare == set()


def test_the_page_of_a_row_says_its_names_in_the_readers_language(operator: Client) -> None:
    team = make_team()
    member = make_member(team)
    for row in (team, member, member.user):
        page = operator.get(reverse(f"admin:teams_{row._meta.model_name}_change", args=[row.pk]))
        assert page.status_code == 200
        html = page.content.decode().partition('id="content"')[2]
        texts = [text for text in shown(html) if text not in (str(row), "⟦None⟧")]
        assert [text for text in texts if not is_marked(text)] == [], row
        assert len(texts) > 5
