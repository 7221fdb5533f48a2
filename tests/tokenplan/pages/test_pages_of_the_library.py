"""Whatever page of the sign-in library somebody can open has our layout and our words."""

from __future__ import annotations

import pytest
from allauth.account import urls as sign_in_library
from django.conf import settings
from django.template.loader import get_template
from django.test import Client

from tests.helpers.reading import read
from tokenplan.accounts import AccountAdapter

pytestmark = pytest.mark.django_db
# Pages of the library that nobody can open, and why.
CLOSED = {"account/confirm_login_code.html": "a sign-in by code, which is off: it leads on to signing in"}


def test_every_page_of_the_library_has_a_template_of_ours() -> None:
    views = [getattr(pattern.callback, "view_class", None) for pattern in sign_in_library.urlpatterns]
    kinds = ("template_name", "template_name_signup_closed")
    named = {getattr(view, kind) for view in views for kind in kinds if hasattr(view, kind)}
    ours = str(settings.BASE_DIR / "templates")
    foreign = {
        name
        for name in named
        if not str(get_template(name).template.origin).startswith(ours)  # type: ignore[attr-defined]
    }
    assert foreign == CLOSED.keys()
    assert "account/email.html" in named
    assert Client().get("/accounts/login/code/confirm/").status_code == 302


def test_where_nobody_can_sign_up_that_is_said_in_our_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AccountAdapter, "is_open_for_signup", lambda _adapter, _request: False)
    assert "No new accounts at present Nobody can sign up here now." in read(Client(), "/accounts/signup/")
