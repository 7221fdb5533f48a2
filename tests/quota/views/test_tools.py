"""Keys & tools: guides for everyone, with one's own key after a recent proof, and whether it was used."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from quota.api.gateway.relay import exhausted
from quota.errors import QuotaExhausted
from quota.services.rate_cards import load_rate_card
from teams.models import User
from teams.services.keys import revoke_keys, rotate_key
from tests.helpers.factories import (
    MONDAY,
    T0,
    USD,
    Scene,
    key_of,
    limits,
    make_desk,
    make_scene,
    make_team,
    make_user,
    owner_of,
    use_test_rate_card,
)
from tests.helpers.reading import read, words

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]

ANTHROPIC = "https://gateway.example/anthropic"
OPENAI = "https://gateway.example/v1"
KEY = re.compile(r"sk-cp-[0-9A-Za-z]{58}")


@pytest.fixture(autouse=True)
def gateway(settings: Settings) -> None:
    settings.GATEWAY_ANTHROPIC_URL = ANTHROPIC
    settings.GATEWAY_OPENAI_URL = OPENAI


def test_the_index_lists_all_guides(client: Client) -> None:
    page = read(client, "/tools/")

    assert "Only operators read this" not in page
    for name in ("Quickstart", "Claude Code", "OpenClaw", "Cursor", "TRAE", "Hermes Agent", "Any other tool"):
        assert name in page


@pytest.mark.parametrize(
    ("tool", "filled_in"),
    [
        ("claude-code", ANTHROPIC),
        ("openclaw", ANTHROPIC),
        ("cursor", OPENAI),
        ("trae", ANTHROPIC),
        ("hermes-agent", ANTHROPIC),
        ("other", OPENAI),
    ],
)
def test_a_visitor_reads_a_guide_with_a_placeholder_for_the_key(
    client: Client, tool: str, filled_in: str
) -> None:
    use_test_rate_card()

    page = read(client, f"/tools/{tool}/")

    assert filled_in in page
    assert "sk-cp-YOUR-KEY" in page
    assert "talker" in page
    assert "Sign in, and your own key is filled in." in page
    assert "When it fails" in page
