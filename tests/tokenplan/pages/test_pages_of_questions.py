"""The FAQ, for everyone, and where pages lead to it and to the guides."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from tests.helpers.catalog import load_shipped
from tests.helpers.factories import make_user
from tests.helpers.reading import read

pytestmark = pytest.mark.django_db

FOOT = ["/quickstart/", "/tools/", "/models/", "/plans/", "/promotions/", "/faq/", "/docs/"]


def test_the_faq_answers_with_the_plans_on_sale(client: Client) -> None:
    assert "Which plans are there? No plan is on sale at present." in read(client, "/faq/")

    load_shipped()

    page = read(client, "/faq/")
    assert "Plus : $20.00 a seat a month or $200.00 a year, made for 3 to 4 agents at once." in page
    assert "Ultra : $120.00 a seat a month or $1,200.00 a year, made for 6 to 7 agents at once." in page
    for question in (
        "Is there a quota for each model, or for text, images and speech apart? No.",
        "Can I use several tools at once? Yes",
        "How are Credits counted? 1,000 Credits are a dollar",
        "What happens at the limit? Credits pay for further calls",
        "Can I have Credits without a plan? Yes",
        "What is an API key, and can I mix both kinds? An API key begins with sk-api-.",
    ):
        assert question in page


def test_the_faq_is_only_read(client: Client) -> None:
    assert client.post("/faq/").status_code == 405


def test_every_page_leads_to_help_at_its_foot(client: Client) -> None:
    for path in ("/", "/plans/", "/accounts/login/"):
        foot = client.get(path).content.decode().partition("<footer")[2]
        assert re.findall(r'href="([^"]+)"', foot) == FOOT


def test_the_front_page_and_the_account_page_lead_to_the_guides(client: Client) -> None:
    assert 'href="/tools/"' in client.get("/").content.decode().partition("<main")[2].partition("</main>")[0]

    client.force_login(make_user())
    account = client.get("/account/").content.decode().partition("<main")[2].partition("</main>")[0]
    assert 'href="/tools/"' in account
