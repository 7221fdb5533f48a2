"""Every command of the Quickstart, copied from the page as it is served and run in one shell."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from quota.tool_guides.parts import Kind
from teams.models import Team, User
from tests.helpers.factories import (
    key_of,
    make_plan,
    make_seat,
    make_team,
    make_user,
    owner_of,
    use_test_rate_card,
)
from tests.helpers.proof import prove
from tests.helpers.recorder import Recorder, recording
from tests.helpers.snippets import Copied, copied, run_in_a_shell, shell_commands

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl"),
]
SDKS = ("anthropic", "openai")
AsUser = Callable[[User], Client]


@pytest.fixture
def gateway() -> Iterator[Recorder]:
    """What the commands call: it shows what is sent, to the letter. What a gateway answers to it and charges
    for it is in `test_quickstart_answers.py`.
    """
    with recording() as recorder:
        yield recorder


@pytest.fixture
def team(settings: Settings, gateway: Recorder, live_server: LiveServer) -> Team:
    """Whose Owner holds a seat, on an installation that has both addresses."""
    settings.GATEWAY_ANTHROPIC_URL = gateway.anthropic_url
    settings.GATEWAY_OPENAI_URL = gateway.openai_url
    settings.BASE_URL = live_server.url
    at = timezone.now() - timedelta(hours=1)
    use_test_rate_card()
    team = make_team("Acme", owner=make_user("ada@example.com", at=at), at=at)
    make_seat(team, make_plan("max", at=at), holder=owner_of(team), at=at)
    return team


def page_of(team: Team) -> list[Copied]:
    client = Client()
    client.force_login(owner_of(team).user)
    answer = prove(client).get(f"/account/tools/{team.slug}/quickstart/")
    assert answer.status_code == 200
    return copied(answer.content.decode())


def test_curl_sends_the_key_and_the_model_by_both_protocols(
    team: Team, gateway: Recorder, tmp_path: Path
) -> None:
    wanted = ("key", "curl-anthropic", "curl-openai")
    commands = shell_commands([row for row in page_of(team) if row.name in wanted])

    run_in_a_shell(commands, tmp_path)

    assert [call.path for call in gateway.calls] == ["/anthropic/v1/messages", "/v1/chat/completions"]
    for call in gateway.calls:
        assert call.key == key_of(owner_of(team))
        assert call.body == {
            "model": "talker",
            "max_tokens": 200,
            "messages": [{"role": "user", "content": "Say hello in five words."}],
        }
    assert gateway.calls[0].headers["anthropic-version"] == "2023-06-01"


@pytest.mark.slow
@pytest.mark.parametrize("sdk", SDKS)
def test_each_sdk_sends_the_key_and_the_model(
    team: Team, gateway: Recorder, tmp_path: Path, sdk: str
) -> None:
    if importlib.util.find_spec(sdk) is None:
        pytest.skip(f"needs the package {sdk}")
    snippets = page_of(team)
    program = next(row for row in snippets if row.name == f"python-{sdk}")
    (tmp_path / f"hello_{sdk}.py").write_text(program.text)

    run_in_a_shell(shell_commands([row for row in snippets if row.name in ("key", f"run-{sdk}")]), tmp_path)

    (call,) = gateway.calls
    assert call.path == {"anthropic": "/anthropic/v1/messages", "openai": "/v1/chat/completions"}[sdk]
    assert call.key == key_of(owner_of(team))
    assert (call.body["model"], call.body["max_tokens"]) == ("talker", 200)


def test_the_console_itself_answers_what_is_left(team: Team, tmp_path: Path) -> None:
    commands = shell_commands([row for row in page_of(team) if row.name in ("key", "remains")])

    answer = json.loads(run_in_a_shell(commands, tmp_path))

    assert answer["base_resp"] == {"status_code": 0, "status_msg": "success"}
    (general,) = answer["model_remains"]
    assert general["current_interval_remaining_percent"] == 100


def test_no_command_of_the_page_is_left_out_here(team: Team) -> None:
    run = {"key", "curl-anthropic", "curl-openai", "run-anthropic", "run-openai", "remains"}
    assert {row.name for row in page_of(team) if row.kind == Kind.SHELL} == run
