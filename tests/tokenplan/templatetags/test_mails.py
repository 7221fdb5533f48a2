"""Whoever tries the console on their own machine reads where its mails are; nobody else does."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.helpers.reading import words

pytestmark = pytest.mark.django_db
PATHS = ("/accounts/confirm-email/", "/accounts/password/reset/done/")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("email_url", "base_url", "is_named"),
    [
        ("", "http://127.0.0.1:8000", True),
        ("", "http://localhost:8000", True),
        ("", "https://console.example", False),
        ("smtp://mail.example", "http://127.0.0.1:8000", False),
    ],
)
def test_the_folder_of_mails_is_named_where_they_are_written_on_ones_own_machine(
    path: str, email_url: str, base_url: str, is_named: bool, settings: Settings, tmp_path: Path
) -> None:
    settings.EMAIL_URL, settings.BASE_URL, settings.EMAIL_FILE_PATH = email_url, base_url, tmp_path
    page = words(Client().get(path))
    assert "Check your mail" in page
    assert (f"the link is in the latest one in {tmp_path}" in page) == is_named
