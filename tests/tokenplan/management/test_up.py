"""What `up` refuses before it serves anything, and what it fills."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from pytest_django.fixtures import Settings

from billing.models import Price
from quota.models import Plan, RateCard, ReconcileRun
from quota.services.plans import withdraw_plan
from teams.models import User
from tests.helpers.factories import T0, limits, make_plan, make_team
from tests.helpers.serving import free_port
from tokenplan.management.commands import up
from tokenplan.management.commands.up import Command, refuse_busy_port, refuse_older_postgres
from tokenplan.runtime import litellm_proxy
from tokenplan.runtime.away import SmallGateway
from tokenplan.runtime.supervisor import Program

pytestmark = pytest.mark.django_db


class Kept:
    """The connections of this test, which the command would close."""

    def close_all(self) -> None: ...

    def __getitem__(self, alias: str) -> Kept:
        return self

    def close_pool(self) -> None: ...


@pytest.fixture(autouse=True)
def _prepared(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DATA = tmp_path
    settings.LOCAL_STRIPE = False  # the small demo
    monkeypatch.setattr(up, "connections", Kept())


def away(settings: Settings) -> None:
    settings.ADDRESS = replace(settings.ADDRESS, is_this_machine=False)
    settings.DEMO = False


@pytest.mark.django_db(transaction=True)  # reconcile begins transactions of its own
def test_it_makes_the_demo_where_that_is_wanted_and_checks_its_month(settings: Settings) -> None:
    settings.DEMO = True
    Command().prepare_database()
    assert User.objects.filter(is_staff=True).count() == 1
    assert (settings.DATA / "demo.json").exists()
    assert ReconcileRun.objects.get().ended_at


def test_elsewhere_it_makes_nobody_and_offers_the_shipped_plans(settings: Settings) -> None:
    away(settings)
    Command().prepare_database()
    assert not User.objects.exists()
    assert Plan.objects.exists()
    assert Price.objects.exists()
    assert RateCard.objects.exists()


def test_a_start_puts_back_nothing_that_an_operator_changed(settings: Settings) -> None:
    away(settings)
    Command().prepare_database()
    newer = make_plan("max", limits(12_500_000_000))
    withdraw_plan(plan=Plan.objects.current("plus"), at=T0, by=None)
    before = list(Plan.objects.order_by("pk").values())
    Command().prepare_database()
    assert (list(Plan.objects.order_by("pk").values()), Plan.objects.current("max")) == (before, newer)


@pytest.mark.slow
def test_elsewhere_it_does_not_start_with_the_demos_people_until_they_are_removed(settings: Settings) -> None:
    call_command("demo")
    away(settings)
    with pytest.raises(CommandError, match="demo --remove"):
        Command().prepare_database()
    call_command("demo", "--remove")
    Command().prepare_database()


def test_a_demo_that_was_removed_is_not_made_again(settings: Settings) -> None:
    call_command("demo")
    call_command("demo", "--remove")
    settings.DEMO = True
    Command().prepare_database()
    assert not User.objects.filter(is_active=True).exists()


def test_it_does_not_start_without_the_secrets_of_the_keys(settings: Settings) -> None:
    settings.DEMO = False
    make_team("Acme")
    lost = next(iter(settings.KEY_ROOTS))
    settings.KEY_ROOTS = {"new": b"x" * 32}
    with pytest.raises(CommandError) as refused:
        Command().prepare_database()
    assert f"2 of the keys cannot work: their key root {lost} is not here" in str(refused.value)
    assert "Restore secrets.json from the backup" in str(refused.value)
    call_command("key_roots", "--withdraw", lost)
    Command().prepare_database()


@pytest.mark.parametrize(
    ("chosen", "debug", "gathers"), [("", False, True), ("/srv", False, False), ("", True, False)]
)
def test_static_files_are_gathered_unless_somebody_chose_where_or_works_on_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, chosen: str, debug: bool, gathers: bool
) -> None:
    monkeypatch.setenv("STATIC_ROOT", chosen)
    monkeypatch.setattr(up, "gather", lambda folder: folder)
    settings.STATIC_ROOT, settings.DEBUG = chosen or None, debug

    up.gather_static_files()

    assert os.environ["STATIC_ROOT"] == (str(settings.DATA / "static") if gathers else chosen)


def test_it_does_not_start_with_an_older_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_older_postgres()
    monkeypatch.setitem(vars(connections["default"]), "pg_version", 140_011)
    with pytest.raises(CommandError, match="The database is PostgreSQL 14; 15 or newer is needed"):
        refuse_older_postgres()


def test_a_busy_port_leads_to_another_and_a_wrong_host_does_not() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        with pytest.raises(CommandError, match=f"Choose another port: make run PORT={port + 3}"):
            refuse_busy_port("127.0.0.1", port)
    with pytest.raises(CommandError, match="HOST must be an address of this machine"):
        refuse_busy_port("192.0.2.1", port)


@pytest.fixture
def _no_gateway_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GATEWAY_ANTHROPIC_URL", "GATEWAY_OPENAI_URL"):
        monkeypatch.setenv(name, "set, so that what the test sets is taken back")
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("_no_gateway_urls")
class TestSmallGateway:
    """The gateway that `up` serves beside the console."""

    def test_its_port_is_two_above_and_its_address_is_noted(self, settings: Settings) -> None:
        call_command("demo")
        settings.SMALL_GATEWAY = SmallGateway(0, "", "", "")
        port, command = free_port(), Command()
        [program] = command.small_gateway("127.0.0.1", port)
        assert list(program.command)[-2:] == ["--port", str(port + 2)]
        assert command.gateway_url == f"http://127.0.0.1:{port + 2}"
        assert json.loads((settings.DATA / "demo.json").read_text())["gateway_url"] == command.gateway_url
        assert os.environ["GATEWAY_ANTHROPIC_URL"] == f"{command.gateway_url}/anthropic"
        assert os.environ["GATEWAY_OPENAI_URL"] == f"{command.gateway_url}/v1"

    def test_a_port_that_is_taken_leads_to_the_next(self, settings: Settings) -> None:
        settings.SMALL_GATEWAY = SmallGateway(0, "gw-x", "", "")
        port, command = free_port(), Command()
        with socket.create_server(("127.0.0.1", port + 2)):
            command.small_gateway("127.0.0.1", port)
        assert command.gateway_url
        assert port + 2 < int(command.gateway_url.rpartition(":")[2]) < port + 102

    def test_a_port_that_was_chosen_and_is_taken_is_refused(self, settings: Settings) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            settings.SMALL_GATEWAY = SmallGateway(other.getsockname()[1], "gw-x", "", "")
            with pytest.raises(CommandError, match="Cannot serve the small gateway on"):
                Command().small_gateway("127.0.0.1", 8000)

    def test_where_people_are_led_elsewhere_they_still_are(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GATEWAY_OPENAI_URL", "https://gateway.example.com/v1")
        settings.SMALL_GATEWAY = SmallGateway(0, "gw-x", "", "")
        Command().small_gateway("127.0.0.1", free_port())
        assert os.environ["GATEWAY_OPENAI_URL"] == "https://gateway.example.com/v1"

    @pytest.mark.parametrize("wanted", [None, SmallGateway(0, "", "", "")])
    def test_unwanted_or_without_a_credential_it_is_not_started(
        self, settings: Settings, wanted: SmallGateway | None
    ) -> None:
        settings.SMALL_GATEWAY = wanted
        command = Command()
        assert command.small_gateway("127.0.0.1", 8000) == []
        assert command.gateway_url is None
        assert "GATEWAY_OPENAI_URL" not in os.environ


@pytest.mark.usefixtures("_no_gateway_urls")
class TestWithLiteLLM:
    """LiteLLM in the place of the small gateway."""

    def test_it_has_the_gateways_port_and_the_mock_the_next(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(litellm_proxy, "ENVIRONMENT", built(settings.DATA))
        call_command("demo")
        settings.SMALL_GATEWAY = SmallGateway(0, "", "", "", litellm=True)
        port, command = free_port(), Command()
        mock, proxy = command.small_gateway("127.0.0.1", port)
        assert list(proxy.command)[2:] == [
            *("litellm", "--port", str(port + 2)),
            *("--upstream", f"http://127.0.0.1:{mock_port(mock)}"),
        ]
        assert mock_port(mock) > port + 2
        assert json.loads((settings.DATA / "demo.json").read_text())["gateway_url"] == command.gateway_url
        assert os.environ["GATEWAY_ANTHROPIC_URL"] == command.gateway_url == f"http://127.0.0.1:{port + 2}"
        assert os.environ["GATEWAY_OPENAI_URL"] == f"{command.gateway_url}/v1"

    def test_with_a_model_there_is_no_mock(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(litellm_proxy, "ENVIRONMENT", built(settings.DATA))
        settings.SMALL_GATEWAY = SmallGateway(0, "gw-x", "https://api.example.com", "sk-x", litellm=True)
        [proxy] = Command().small_gateway("127.0.0.1", free_port())
        assert "--upstream" not in proxy.command

    def test_where_it_is_not_installed_it_says_how(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(litellm_proxy, "ENVIRONMENT", settings.DATA)
        settings.SMALL_GATEWAY = SmallGateway(0, "gw-x", "", "", litellm=True)
        with pytest.raises(CommandError, match="make run WITH=litellm installs it"):
            Command().small_gateway("127.0.0.1", free_port())


def built(data: Path) -> Path:
    """An environment in which LiteLLM seems to be installed."""
    program = data / "built" / "bin" / "litellm"
    program.parent.mkdir(parents=True)
    program.touch()
    return data / "built"


def mock_port(mock: Program) -> int:
    return int(mock.command[mock.command.index("--port") + 1])
