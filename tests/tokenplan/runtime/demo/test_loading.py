"""The demo as it is loaded where nothing can be bought: two Teams, quickly."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django.fixtures import Settings

from quota.hot_path.credentials import recognise_gateway
from quota.models import Gateway, RateCard
from quota.services.gateways import create_gateway, revoke_gateway
from teams.models import Membership, Team, User
from tests.helpers.factories import T0
from tokenplan.runtime.demo.credentials import gateway_key, sign_ins, write_gateway_url

pytestmark = pytest.mark.django_db


@pytest.fixture
def demo_file(tmp_path: Path, settings: Settings) -> Path:
    settings.DATA, settings.LOCAL_STRIPE = tmp_path, False
    call_command("demo")
    return tmp_path / "demo.json"


def test_the_demo_has_people_of_every_role_seats_keys_and_a_gateway(
    demo_file: Path, settings: Settings
) -> None:
    assert demo_file.stat().st_mode & 0o777 == 0o600
    demo = json.loads(demo_file.read_text())
    assert set(demo) == {"url", "gateway_key", "people", "keys"}
    assert demo["url"] == settings.BASE_URL
    assert recognise_gateway(text=demo["gateway_key"], at=T0)
    assert len(demo["keys"]) >= 8
    assert {key["plan"] for key in demo["keys"]} == {"plus", "max", "ultra", None}
    assert all(key["key"].startswith("sk-cp-") for key in demo["keys"])
    roles = {person["role"] for person in demo["people"]}
    assert roles == {"owner", "admin", "member", "operator"}
    assert User.objects.get(is_staff=True).email == demo["people"][-1]["email"]
    # Several keys share one pool of Credits.
    may_use = Membership.objects.filter(team__slug="acme", credit_access__allowed=True)
    assert may_use.count() >= 3


def test_the_people_of_the_demo_can_sign_in(demo_file: Path, client: Client) -> None:
    person = json.loads(demo_file.read_text())["people"][0]
    response = client.post("/accounts/login/", {"login": person["email"], "password": person["password"]})
    assert response.status_code == 302, response.content.decode()
    assert "_auth_user_id" in client.session


def test_the_operator_reads_who_is_who(demo_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    password = json.loads(demo_file.read_text())["people"][0]["password"]
    first, *people = sign_ins(file=demo_file)
    assert first == f"The password of all of them is {password}"
    assert people[2] == "mia@acme.example            acme, member      two Teams, two keys, two bars"
    assert len(people) == 11
    call_command("demo")
    assert people[2] in capsys.readouterr().out.splitlines()


def test_of_an_earlier_demo_each_has_a_password(demo_file: Path) -> None:
    demo = json.loads(demo_file.read_text())
    known = [{"email": f"{name}@acme.example", "password": f"of {name}"} for name in ("olivia", "adam")]
    people = [{**person, "team": "acme", "role": "member"} for person in known]
    demo_file.write_text(json.dumps({**demo, "people": people}))
    assert sign_ins(file=demo_file) == [
        "olivia@acme.example         of olivia  acme, member",
        "adam@acme.example           of adam  acme, member",
    ]
    assert sign_ins(file=demo_file.with_name("none.json")) == []


def test_loading_it_again_changes_nothing_but_the_url(demo_file: Path, settings: Settings) -> None:
    before = json.loads(demo_file.read_text())
    rows = (User.objects.count(), Team.objects.count(), Gateway.objects.count(), RateCard.objects.count())
    settings.BASE_URL = "http://127.0.0.1:9000"
    call_command("demo")
    assert json.loads(demo_file.read_text()) == {**before, "url": "http://127.0.0.1:9000"}
    after = (User.objects.count(), Team.objects.count(), Gateway.objects.count(), RateCard.objects.count())
    assert after == rows


def test_where_its_keys_are_answered_is_noted_and_kept(demo_file: Path) -> None:
    before = json.loads(demo_file.read_text())
    write_gateway_url(file=demo_file, gateway_url="http://127.0.0.1:8002")
    call_command("demo")
    noted = json.loads(demo_file.read_text())
    assert noted == {**before, "gateway_url": "http://127.0.0.1:8002"}
    assert demo_file.stat().st_mode & 0o777 == 0o600
    write_gateway_url(file=demo_file, gateway_url=None)
    assert json.loads(demo_file.read_text()) == {**before, "gateway_url": None}


def test_without_a_demo_nothing_is_noted_and_there_is_no_credential(tmp_path: Path) -> None:
    file = tmp_path / "demo.json"
    write_gateway_url(file=file, gateway_url="http://127.0.0.1:8002")
    assert not file.exists()
    assert gateway_key(file=file) is None


@pytest.mark.slow
def test_credentials_are_made_anew_when_the_file_and_the_roots_are_gone(
    demo_file: Path, settings: Settings
) -> None:
    before = json.loads(demo_file.read_text())
    demo_file.unlink()
    settings.KEY_ROOTS = {"new": b"x" * 32}
    call_command("demo")
    after = json.loads(demo_file.read_text())
    assert recognise_gateway(text=before["gateway_key"], at=T0) is None
    assert recognise_gateway(text=after["gateway_key"], at=T0)
    assert [key["email"] for key in after["keys"]] == [key["email"] for key in before["keys"]]
    assert [key["plan"] for key in after["keys"]] == [key["plan"] for key in before["keys"]]
    assert not {key["key"] for key in after["keys"]} & {key["key"] for key in before["keys"]}
    assert Team.objects.filter(default_for=None).count() == 2


def test_no_demo_is_made_where_the_console_is_not_on_this_machine(tmp_path: Path, settings: Settings) -> None:
    settings.DATA = tmp_path
    settings.ADDRESS = replace(settings.ADDRESS, is_this_machine=False)
    with pytest.raises(CommandError, match="whose passwords are printed"):
        call_command("demo")
    assert not User.objects.exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_gateway_of_an_operator_is_not_taken_for_the_demos(demo_file: Path) -> None:
    made = create_gateway(name="demo-eu", at=T0, by=None)[1]
    demo_file.unlink()
    call_command("demo")
    assert recognise_gateway(text=made, at=T0)


@pytest.mark.slow
def test_a_demo_of_another_database_is_replaced(demo_file: Path) -> None:
    demo_file.write_text('["not a demo"]')
    call_command("demo")
    gateway = recognise_gateway(text=json.loads(demo_file.read_text())["gateway_key"], at=T0)
    assert gateway
    revoke_gateway(gateway=gateway, at=T0, by=None)
    call_command("demo")
    assert recognise_gateway(text=json.loads(demo_file.read_text())["gateway_key"], at=T0)
