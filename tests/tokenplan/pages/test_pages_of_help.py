"""Guides, prices, promotions and questions: their markup is in order, also with a key filled in."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from billing.models import Promotion
from quota.services.rate_cards import load_rate_card
from quota.tool_guides.catalog import GUIDES, TOOLS
from tests.helpers.catalog import load_shipped
from tests.helpers.factories import T0, make_scene
from tests.helpers.markup import faults
from tests.helpers.proof import prove
from tokenplan.runtime.folders import ROOT

pytestmark = pytest.mark.django_db

PATHS = ["/", "/plans/", "/models/", "/quickstart/", "/tools/", "/promotions/", "/faq/"]
PATHS += [f"/tools/{tool}/" for tool in TOOLS]


@pytest.fixture(autouse=True)
def gateway(settings: Settings) -> None:
    settings.GATEWAY_ANTHROPIC_URL = "https://gateway.example/anthropic"
    settings.GATEWAY_OPENAI_URL = "https://gateway.example/v1"


def test_the_markup_of_every_page_for_everyone_is_in_order(client: Client) -> None:
    load_shipped()
    at = T0 - timedelta(days=1)
    card = (ROOT / "quota/data/rate_card.csv").read_text()
    load_rate_card(text=card, effective_from=at, at=at, by=None)
    Promotion.objects.create(
        stripe_id="p",
        code="TEN",
        active=True,
        percent_hundredths=1_000,
        duration="once",
        scope="seats",
        listed=True,
        words={"en": {"title": "Ten percent off"}},
    )

    found = {path: faults(client.get(path).content.decode()) for path in PATHS}

    assert {path: wrong for path, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("tool", GUIDES)
def test_the_markup_of_every_guide_of_ones_own_is_in_order(client: Client, tool: str) -> None:
    scene = make_scene()
    scene.desk.use(1)
    client.force_login(scene.owner.user)
    prove(client)
    public = "/quickstart/" if tool == "quickstart" else f"/tools/{tool}/"

    for path in (public, f"/account/tools/{scene.team.slug}/{tool}/"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert faults(answer.content.decode()) == []


@pytest.mark.parametrize(
    "html",
    [
        "<h1>a</h1><p>b",
        "<h1>a</h1></p>",
        '<h1 id="a">a</h1><p id="a"></p>',
        '<h1>a</h1><label for="b"></label>',
        "<h1>a</h1><h3>b</h3>",
        "<h2>a</h2>",
        "<h1>a</h1><button></button>",
        '<h1 class="a" class="b">a</h1>',
        '<h1>a</h1><button type="button" data-copy="#gone"></button>',
    ],
)
def test_control_markup_that_is_not_in_order_is_noticed(html: str) -> None:
    assert faults(html)


@pytest.mark.parametrize("path", [*PATHS, "/docs/", "/docs/api/", "/accounts/login/", "/accounts/signup/"])
def test_every_page_for_everyone_says_what_it_is_about_in_one_description(client: Client, path: str) -> None:
    html = client.get(path).content.decode()
    (description,) = re.findall(r'<meta name="description" content="([^"]*)">', html)
    assert 20 < len(description) < 300
