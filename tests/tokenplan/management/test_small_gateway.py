"""`manage.py small_gateway` becomes the gateway, or says what it lacks. That it serves is seen with `up`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from tokenplan.management.commands.small_gateway import console_url
from tokenplan.runtime.away import SmallGateway

Started = tuple[str, list[str], dict[str, str]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Started]:
    """What the process of the command was to become."""
    calls: list[Started] = []
    monkeypatch.setattr(os, "execve", lambda *call: calls.append(call))
    return calls


def test_it_gets_all_that_it_needs_by_variables_and_no_secret_on_its_command_line(
    settings: Settings, tmp_path: Path, started: list[Started]
) -> None:
    settings.DATA, settings.PORT = tmp_path, 8100
    settings.SMALL_GATEWAY = SmallGateway(0, "gw-x", "https://api.example.com", "sk-x")
    call_command("small_gateway")
    [(program, command, variables)] = started
    assert program == command[0]
    assert command[-1] == "integrations.small_gateway.app:create"
    assert command[command.index("--port") + 1] == "8102"
    assert not {"gw-x", "sk-x"} & set(command)
    assert variables["CONSOLE_URL"] == "http://127.0.0.1:8100"
    assert variables["GATEWAY_KEY"] == "gw-x"
    assert variables["UPSTREAM_URL"] == "https://api.example.com"
    assert variables["UPSTREAM_KEY"] == "sk-x"


@pytest.mark.parametrize(
    ("host", "away", "url"),
    [
        ("0.0.0.0", False, "http://127.0.0.1:8100"),
        ("::", False, "http://[::1]:8100"),
        ("127.0.0.1", True, "https://console.example.com"),
    ],
)
def test_it_reaches_the_console_directly_on_a_laptop_and_elsewhere_as_everybody_does(
    settings: Settings, host: str, away: bool, url: str
) -> None:
    settings.PORT, settings.BASE_URL = 8100, "https://console.example.com"
    settings.ADDRESS = replace(settings.ADDRESS, is_this_machine=not away)
    assert console_url(host) == url


@pytest.mark.parametrize("wanted", [None, SmallGateway(0, "", "", "")])
def test_without_a_credential_it_says_how_to_get_one(
    settings: Settings, tmp_path: Path, started: list[Started], wanted: SmallGateway | None
) -> None:
    settings.DATA, settings.SMALL_GATEWAY = tmp_path, wanted
    with pytest.raises(CommandError, match="Set SMALL_GATEWAY=1 and SMALL_GATEWAY_KEY"):
        call_command("small_gateway")
    assert started == []
