"""The guides, followed by the tools that they are for: each answers, and its call is charged, through the
small gateway and through LiteLLM; and where the window is full, what its person reads says so.

`make tools` installs the tools, `make test-litellm` or `make run WITH=litellm` LiteLLM. What a guide says of
installing them is left out, and so is what it says to know, or to do instead.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from quota.models import Gateway, UsageEvent
from quota.selectors.tool_setups import tool_setup
from quota.tool_guides import claude_code, hermes_agent, openclaw
from quota.tool_guides.parts import Guide, Kind, Setup
from teams.models import Membership
from tests.helpers.factories import key_of
from tests.helpers.gateways import KINDS, MODEL, bar_and_receipts, either_gateway, fill, known_gateway, seated
from tests.helpers.serving import wait_for
from tests.helpers.small_gateway import states
from tests.helpers.snippets import ran_in_a_shell
from tokenplan.runtime.folders import ROOT

TOOLS = ROOT / "var" / "tools"
PROGRAMS = {
    "claude-code": TOOLS / "claude-code" / "node_modules" / ".bin",
    "openclaw": TOOLS / "openclaw" / "node_modules" / ".bin",
    "hermes-agent": TOOLS / "hermes-agent" / "bin",
}
GUIDES = [
    pytest.param(
        guide,
        id=guide.slug,
        marks=pytest.mark.skipif(
            not PROGRAMS[guide.slug].exists(),
            reason=f"{guide.name} is not installed here: make tools installs it",
        ),
    )
    for guide in (claude_code.GUIDE, openclaw.GUIDE, hermes_agent.GUIDE)
]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@dataclass(frozen=True, slots=True)
class Desk:
    """Who sits there, before which gateway, and what the guides are filled in with for them."""

    member: Membership
    gateway: Gateway
    setup: Setup


@pytest.fixture(params=KINDS)
def desk(
    request: pytest.FixtureRequest, live_server: LiveServer, settings: Settings, tmp_path: Path
) -> Iterator[Desk]:
    gateway, member = known_gateway(), seated()
    with either_gateway(request.param, live_server.url, tmp_path / "gateway") as addresses:
        settings.GATEWAY_ANTHROPIC_URL = addresses.anthropic
        settings.GATEWAY_OPENAI_URL = addresses.openai
        settings.BASE_URL = live_server.url
        found = tool_setup(model=MODEL, key=key_of(member), at=timezone.now())
        yield Desk(member, gateway, found.setup)


def follow(guide: Guide, setup: Setup, home: Path) -> str:
    """Does what the guide says, with this folder as home; gives all that the tool wrote."""
    home.mkdir()
    commands = []
    for step in guide.steps(setup):
        for snippet in () if step.instead or step.note else step.snippets:
            if snippet.kind == Kind.FILE:
                file = home / snippet.file.removeprefix("~/")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(snippet.text + "\n")
            elif snippet.kind == Kind.SHELL:
                commands.append(snippet.text)
    path = os.pathsep.join([str(PROGRAMS[guide.slug]), str(Path(sys.executable).parent), os.environ["PATH"]])
    return ran_in_a_shell(commands, home, seconds=240, PATH=path).said


@pytest.mark.parametrize("guide", GUIDES)
def test_the_tool_answers_and_the_bar_moves_by_its_receipts(
    guide: Guide, desk: Desk, live_server: LiveServer, tmp_path: Path
) -> None:
    assert "I am a mock" in follow(guide, desk.setup, tmp_path / "home")
    wait_for(lambda: UsageEvent.objects.exists() and set(states()) <= {"settled", "released"})
    used, receipts = bar_and_receipts(live_server.url, desk.setup.key)
    assert used > 0
    assert {receipt["model"] for receipt in receipts} == {MODEL}


@pytest.mark.parametrize("guide", GUIDES)
def test_at_the_limit_the_tool_tells_its_person_which_window_is_full(
    guide: Guide, desk: Desk, tmp_path: Path
) -> None:
    filled = fill(desk.gateway, desk.member)
    said = follow(guide, desk.setup, tmp_path / "home")
    assert "5-hour usage limit reached for Token Plan Max" in said
    assert list(UsageEvent.objects.all()) == [filled]
