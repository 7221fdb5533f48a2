"""The whole Quickstart in one shell, copied from the served page, against the small gateway: each call is
answered, and its receipt is where the page says.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from quota.models import UsageEvent
from quota.templatetags.amounts import cents
from quota.tool_guides.parts import Kind
from teams.models import Team
from tests.helpers.factories import T0, make_plan, make_seat, make_team, owner_of
from tests.helpers.gateways import known_gateway
from tests.helpers.proof import prove
from tests.helpers.reading import read, words
from tests.helpers.serving import wait_for
from tests.helpers.small_gateway import small_gateway
from tests.helpers.snippets import copied, run_in_a_shell, shell_commands

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl"),
]


@pytest.fixture
def team(live_server: LiveServer, settings: Settings) -> Iterator[Team]:
    """Whose Owner holds a Max seat, on a console with a small gateway before it."""
    known_gateway()
    team = make_team("Acme", at=T0)
    make_seat(team, make_plan(at=T0), holder=owner_of(team), at=T0)
    with small_gateway(live_server.url) as url:
        settings.GATEWAY_ANTHROPIC_URL = f"{url}/anthropic"
        settings.GATEWAY_OPENAI_URL = f"{url}/v1"
        settings.BASE_URL = live_server.url
        yield team


@pytest.mark.slow
def test_every_command_is_answered_and_the_last_receipt_shows_by_itself(team: Team, tmp_path: Path) -> None:
    client = Client()
    client.force_login(owner_of(team).user)
    snippets = copied(prove(client).get("/account/tools/acme/quickstart/").content.decode())
    for row in snippets:
        if row.kind == Kind.PYTHON:
            (tmp_path / f"hello_{row.name.removeprefix('python-')}.py").write_text(row.text)
    assert "Not used yet." in words(client.get("/account/key-used/acme/"))

    answers = run_in_a_shell(shell_commands(snippets), tmp_path)

    assert '"type": "message"' in answers.replace('"type":"message"', '"type": "message"')
    assert "chat.completion" in answers
    assert json.loads(answers[answers.rindex('{"model_remains"') :])["base_resp"]["status_code"] == 0
    wait_for(lambda: UsageEvent.objects.count() == 4)  # two by curl, two by the SDKs
    last = UsageEvent.objects.order_by("-occurred_at").first()
    assert last
    assert last.from_quota_nanousd == last.amount_nanousd > 0
    html = client.get("/account/key-used/acme/").content.decode()
    assert "It works." in html
    assert f"/account/usage/acme/{last.pk}/" in html
    spent = sum(UsageEvent.objects.values_list("amount_nanousd", flat=True))
    assert f"{cents(9_900_000_000 - spent)} left of $9.90" in read(client, "/account/")


def test_with_a_wrong_key_curl_shows_what_the_page_says(team: Team, tmp_path: Path) -> None:
    snippets = copied(Client().get("/quickstart/").content.decode())  # its key is a placeholder
    wanted = ("key", "curl-anthropic", "curl-openai")

    answers = run_in_a_shell(shell_commands([row for row in snippets if row.name in wanted]), tmp_path)

    assert answers.count("invalid api key") == 2
    assert "401 invalid api key" in read(Client(), "/quickstart/")
    assert not UsageEvent.objects.exists()
