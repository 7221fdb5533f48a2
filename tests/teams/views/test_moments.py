"""Moments are said anew, as the page said them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from teams.templatetags.moments import ago
from tests.helpers.factories import T0

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_moments_are_said_as_the_page_says_them_and_nothing_else_is(client: Client, language: str) -> None:
    moments = [T0 - timedelta(minutes=3), T0 + timedelta(hours=2)]
    texts = [moment.isoformat() for moment in moments]

    answer = client.get(
        reverse("moments"),
        {"at": [*texts, "yesterday", "2026-06-03T10:02:00"]},
        headers={"Accept-Language": language},
    )

    said = answer.json()
    assert list(said) == texts
    with override(language):
        for text, at in zip(texts, moments, strict=True):
            assert f">{said[text]}<" in ago(at)
    assert "no-store" in answer["Cache-Control"]
