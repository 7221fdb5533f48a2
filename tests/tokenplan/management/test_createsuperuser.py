"""The first operator of an installation signs in like everybody."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from teams.models import User

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"


def create(email: str) -> None:
    call_command("createsuperuser", email=email, interactive=False, verbosity=0)


def test_the_operator_made_by_the_command_signs_in_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    create("Root@Example.com")
    client = Client()

    client.post("/accounts/login/", {"login": "root@example.com", "password": PASSWORD})

    assert client.session["_auth_user_id"] == str(User.objects.get(email="root@example.com").pk)
    assert client.get("/admin/").status_code == 200


def test_an_address_that_has_no_one_form_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    with pytest.raises(CommandError, match="letters from a to z"):
        create("\u017fam@example.com")

    assert not User.objects.exists()
