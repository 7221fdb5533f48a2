"""The guides, followed by the tools that they are for: each answers, and its call is charged, through the
small gateway and through LiteLLM.

`make tools` installs the tools, `make test-litellm` or `make run WITH=litellm` LiteLLM. What a guide says of
installing them is left out, and so is what it says to know, or to do instead.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import httpx
import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from quota.models import Gateway, GatewayCredential, UsageEvent
from quota.selectors.tool_setups import tool_setup
from quota.tool_guides import claude_code, hermes_agent, openclaw
from quota.tool_guides.parts import Guide, Kind, Setup
from tests.helpers.factories import T0, key_of, make_plan, make_seat, make_team, owner_of
from tests.helpers.litellm_gateway import litellm_gateway
from tests.helpers.serving import wait_for
from tests.helpers.small_gateway import CREDENTIAL, small_gateway, states
from tests.helpers.snippets import run_in_a_shell
from tokenplan.runtime import litellm_proxy
from tokenplan.runtime.folders import ROOT

TOOLS = ROOT / "var" / "tools"
PROGRAMS = {
    "claude-code": TOOLS / "claude-code" / "node_modules" / ".bin",
    "openclaw": TOOLS / "openclaw" / "node_modules" / ".bin",
    "hermes-agent": TOOLS / "hermes-agent" / "bin",
}

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture(params=["small gateway", "LiteLLM"])
def setup(
    request: pytest.FixtureRequest, live_server: LiveServer, settings: Settings, tmp_path: Path
) -> Iterator[Setup]:
    """What the guides are filled in with for the holder of a Max seat, before each of the gateways."""
    is_small = request.param == "small gateway"
    if not (is_small or litellm_proxy.installed()):
        pytest.skip("LiteLLM is not installed here: make test-litellm installs it")
    call_command("load_rate_card", stdout=StringIO())
    row = Gateway.objects.create(name="small", created_at=T0)
    token_hash = hashlib.sha256(CREDENTIAL.encode()).hexdigest()
    GatewayCredential.objects.create(gateway=row, token_hash=token_hash, prefix="gw-sssss", created_at=T0)
    owner = owner_of(make_team("Acme", at=T0))
    make_seat(owner.team, make_plan(at=T0), holder=owner, at=T0)
    gateway = (
        small_gateway(live_server.url) if is_small else litellm_gateway(live_server.url, tmp_path / "litellm")
    )
    with gateway as url:
        settings.GATEWAY_ANTHROPIC_URL = f"{url}/anthropic" if is_small else url
        settings.GATEWAY_OPENAI_URL = f"{url}/v1"
        settings.BASE_URL = live_server.url
        yield tool_setup(model="MiniMax-M2.7", key=key_of(owner), at=timezone.now()).setup


def follow(guide: Guide, setup: Setup, home: Path) -> str:
    """Does what the guide says, with this folder as home; gives what the tool wrote."""
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
    return run_in_a_shell(commands, home, seconds=240, PATH=path)


@pytest.mark.parametrize(
    "guide", [claude_code.GUIDE, openclaw.GUIDE, hermes_agent.GUIDE], ids=lambda guide: guide.slug
)
def test_the_tool_answers_and_the_bar_moves_by_its_receipts(
    guide: Guide, setup: Setup, live_server: LiveServer, tmp_path: Path
) -> None:
    if not PROGRAMS[guide.slug].exists():
        pytest.skip(f"{guide.name} is not installed here: make tools installs it")
    home = tmp_path / "home"
    home.mkdir()
    said = follow(guide, setup, home)
    assert "I am a mock" in said
    wait_for(lambda: UsageEvent.objects.exists() and set(states()) <= {"settled", "released"})
    headers = {"Authorization": f"Bearer {setup.key}"}
    receipts = httpx.get(f"{live_server.url}/api/v1/usage/receipts", headers=headers).json()["results"]
    window = httpx.get(f"{live_server.url}/api/v1/usage", headers=headers).json()["windows"][0]
    assert {receipt["model"] for receipt in receipts} == {"MiniMax-M2.7"}
    assert window["used_nanousd"] == sum(receipt["amount_nanousd"] for receipt in receipts) > 0
    assert window["held_nanousd"] == 0
