"""Which language a page is in: one that is translated as a whole, or English."""

from __future__ import annotations

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/", "/plans/", "/accounts/login/", "/accounts/signup/"])
def test_a_page_is_in_english_whatever_a_library_is_translated_into(path: str, client: Client) -> None:
    plain = client.get(path).content.decode()
    asked = client.get(path, headers={"accept-language": "zh-hans,de;q=0.9"}).content.decode()
    assert '<html lang="en">' in asked
    assert asked.count("\n") == plain.count("\n")
    assert asked.isascii() == plain.isascii()
    assert "Sign up" in asked
