"""`manage.py litellm` becomes the proxy, or says what it lacks. That it serves is seen in its own tests."""

from __future__ import annotations

import json
import os
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from tokenplan.runtime import litellm_proxy
from tokenplan.runtime.away import SmallGateway
from tokenplan.runtime.folders import ROOT

pytestmark = pytest.mark.django_db
Started = tuple[str, list[str], dict[str, str]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> list[Started]:
    """What the process of the command was to become, where LiteLLM is installed."""
    calls: list[Started] = []
    monkeypatch.setattr(os, "execve", lambda *call: calls.append(call))
    monkeypatch.setattr("tokenplan.management.commands.litellm.connections.close_all", lambda: None)
    monkeypatch.setattr(litellm_proxy, "ENVIRONMENT", tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "litellm").touch()
    settings.DATA, settings.PORT = tmp_path / "data", 8100
    return calls


def test_it_serves_every_name_of_the_rate_card_and_gets_nothing_of_the_consoles_but_what_it_needs(
    settings: Settings, started: list[Started], monkeypatch: pytest.MonkeyPatch
) -> None:
    call_command("load_rate_card", stdout=StringIO())
    monkeypatch.setenv("DATABASE_URL", "postgres://secret")
    settings.SMALL_GATEWAY = SmallGateway(0, "gw-x", "", "", litellm=True)
    call_command("litellm", "--upstream", "http://127.0.0.1:8103")
    [(program, command, variables)] = started
    file = settings.DATA / "litellm" / "config.yaml"
    assert command == [program, "--config", str(file), "--host", "127.0.0.1", "--port", "8102"]
    config = json.loads(file.read_text())
    served = {row["model_name"]: row["litellm_params"] for row in config["model_list"]}
    assert served["MiniMax-M2.7"] == {
        "model": "openai/MiniMax-M2.7",
        "api_base": "http://127.0.0.1:8103/v1",
        "api_key": "os.environ/UPSTREAM_KEY",
    }
    assert "image-01" in served
    assert config["litellm_settings"]["global_disable_no_log_param"] is True
    assert "DATABASE_URL" not in variables
    assert variables["TOKENPLAN_URL"] == "http://127.0.0.1:8100"
    assert variables["TOKENPLAN_GATEWAY_KEY"] == "gw-x"
    assert variables["TOKENPLAN_OUTBOX"] == str(settings.DATA / "litellm" / "outbox.sqlite3")
    assert variables["PYTHONPATH"] == str(ROOT / "integrations" / "litellm")
    assert len(variables["LITELLM_MASTER_KEY"]) > 60


def test_a_model_of_ones_own_is_called_with_its_key(settings: Settings, started: list[Started]) -> None:
    call_command("load_rate_card", stdout=StringIO())
    settings.SMALL_GATEWAY = SmallGateway(0, "gw-x", "https://api.example.com", "sk-x", litellm=True)
    call_command("litellm")
    [(_program, command, variables)] = started
    assert variables["UPSTREAM_KEY"] == "sk-x"
    assert not {"gw-x", "sk-x"} & set(command)
    text = (settings.DATA / "litellm" / "config.yaml").read_text()
    assert "https://api.example.com/v1" in text
    assert "sk-x" not in text


@pytest.mark.parametrize(
    "wanted", [None, SmallGateway(0, "gw-x", "", ""), SmallGateway(0, "", "http://x", "")]
)
def test_without_a_credential_or_a_model_it_says_what_it_lacks(
    settings: Settings, started: list[Started], wanted: SmallGateway | None
) -> None:
    settings.SMALL_GATEWAY = wanted
    with pytest.raises(CommandError, match="LiteLLM lacks a credential or a model"):
        call_command("litellm")
    assert started == []


def test_where_it_is_not_installed_it_says_how_it_is(settings: Settings, started: list[Started]) -> None:
    (litellm_proxy.ENVIRONMENT / "bin" / "litellm").unlink()
    settings.SMALL_GATEWAY = SmallGateway(0, "gw-x", "http://x", "", litellm=True)
    with pytest.raises(CommandError, match="make run WITH=litellm installs it"):
        call_command("litellm")
    assert started == []
