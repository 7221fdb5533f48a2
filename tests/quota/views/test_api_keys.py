"""The pages of API keys: made, shown to who made the text, changed, rotated, revoked."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from quota.models import ApiKeyMonth
from teams.models import ApiKey, ApiKeyText, Membership, Role, Team
from teams.services import api_keys
from teams.services.keys import reveal_key
from teams.services.memberships import end_membership
from tests.helpers.factories import T0, USD, make_api_key, make_member, make_team, make_user, owner_of
from tests.helpers.proof import prove
from tests.helpers.reading import read, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return make_team("Acme")


@pytest.fixture(autouse=True)
def _clock() -> object:
    with time_machine.travel(T0, tick=False):
        yield


def signed_in(member: Membership) -> Client:
    client = Client()
    client.force_login(member.user)
    return prove(client)


def make(by: Membership, name: str = "batch", cap: int | None = None) -> ApiKey:
    return make_api_key(by, name, month_cap=cap)


def keys_at(team: Team, *rest: object) -> str:
    return "/".join(["", "teams", team.slug, "api-keys", *map(str, rest), ""])


def text_of(key: ApiKey) -> str:
    return reveal_key(key.texts.get(replaced_at=None))


def test_a_key_is_made_and_its_text_is_shown(team: Team) -> None:
    client = signed_in(owner_of(team))
    form = {"name": "nightly batch", "month_cap_nanousd": "$12.50", "expires_at": "2026-06-30"}
    page = client.post(keys_at(team), form, follow=True)

    key = ApiKey.objects.get()
    assert (key.name, key.month_cap_nanousd) == ("nightly batch", 12_500_000_000)
    assert key.expires_at == datetime(2026, 7, 1, tzinfo=UTC)
    assert text_of(key) in page.content.decode()
    assert "no-store" in page.headers["Cache-Control"]
    shown = read(client, keys_at(team))
    assert "nightly batch" in shown and "$12.50" in shown and text_of(key) not in shown


@pytest.mark.parametrize(
    ("field", "typed"),
    [("name", ""), ("month_cap_nanousd", "much"), ("month_cap_nanousd", "-1"), ("expires_at", "2026-06-02")],
)
def test_what_cannot_be_is_said_at_its_field(team: Team, field: str, typed: str) -> None:
    page = signed_in(owner_of(team)).post(keys_at(team), {"name": "batch", field: typed})

    assert page.status_code == 422
    assert page.context["form"].errors.keys() == {field}
    assert not ApiKey.objects.exists()


def test_a_text_is_shown_to_who_made_it_alone(team: Team) -> None:
    owner, admin = owner_of(team), make_member(team, role=Role.ADMIN)
    key = make(admin)

    assert text_of(key) in signed_in(admin).get(keys_at(team, key.pk, "show")).content.decode()
    page = signed_in(owner).get(keys_at(team, key.pk, "show"))
    assert text_of(key) not in page.content.decode()
    assert "made by somebody else" in words(page)


def test_rotating_makes_the_text_the_managers_own(team: Team) -> None:
    owner, admin = owner_of(team), make_member(team, role=Role.ADMIN)
    key = make(admin)
    old = text_of(key)
    page = signed_in(owner).post(keys_at(team, key.pk, "rotate"), {"overlap": "3600"}, follow=True)

    assert text_of(key) in page.content.decode()
    assert "works until 3 Jun 2026, 11:02 UTC" in words(page)
    assert api_keys.recognise_api_key(text=old, at=T0 + timedelta(minutes=59)) is not None


def test_a_name_and_a_cap_are_changed_and_a_key_is_revoked(team: Team) -> None:
    client, key = signed_in(owner_of(team)), make(owner_of(team), cap=USD)
    assert 'value="1.00"' in client.get(keys_at(team, key.pk)).content.decode()
    client.post(keys_at(team, key.pk), {"name": "site", "month_cap_nanousd": ""})
    key.refresh_from_db()
    assert (key.name, key.month_cap_nanousd) == ("site", None)

    client.post(keys_at(team, key.pk, "revoke"))
    key.refresh_from_db()
    assert key.revoked_at == T0
    assert "Revoked" in read(client, keys_at(team))
    assert "does not exist" in words(client.post(keys_at(team, key.pk, "revoke"), follow=True))


def test_keys_are_found_by_name_maker_and_state_and_taken_along(team: Team) -> None:
    owner, ann = owner_of(team), make_member(team, make_user("ann@example.com"), role=Role.ADMIN)
    batch = make(owner, "batch", cap=12 * USD + USD // 2)
    revoked, expired, _nobodys = (make(ann, name) for name in ("revoked", "=old", "nobody's"))
    api_keys.revoke_api_key(key=revoked, at=T0, by=owner.user)
    ApiKey.objects.filter(pk=expired.pk).update(created_at=T0 - timedelta(days=1), expires_at=T0)
    client = signed_in(owner)

    def found(query: str) -> list[str]:
        answer = client.get(f"{keys_at(team)}file/?{query}")
        names = re.findall(r'-label="Starts with"><code>([^<]+)', asked(query))
        lines = answer.getvalue().decode("utf-8-sig").splitlines()[1:]
        assert [line.split(",")[1] for line in lines] == names
        return [line.split(",")[0] for line in lines]

    def asked(query: str) -> str:
        return client.get(f"{keys_at(team)}?{query}").content.decode()

    assert found("") == found("show=x") == ["nobody's", "revoked", "batch", "'=old"]
    assert found("q=BAT") == found(f"q={owner.user.email}") == ["batch"]
    assert found("q=ann%40") == ["nobody's", "revoked", "'=old"]
    assert found("show=works") == ["nobody's", "batch"]
    assert found("show=revoked") == ["revoked"]
    assert found("show=expired") == ["'=old"]
    end_membership(membership=ann, by=None, at=T0)
    assert found("show=left") == ["nobody's"]
    assert found("show=works&q=old") == []
    assert '<p class="text-secondary" role="status">1 API key</p>' in asked("q=bat")
    assert "0 API keys Nothing is found. Show all" in read(client, f"{keys_at(team)}?q=zzz")
    assert f'href="{keys_at(team)}file/?q=old"' in asked("q=old")
    ApiKeyText.objects.filter(api_key=batch).update(last_used_at=T0)
    ApiKeyMonth.objects.create(
        team_id=batch.team_id, api_key=batch, month=T0.date().replace(day=1), used_nanousd=1
    )
    text = batch.texts.get()
    answer = client.get(f"{keys_at(team)}file/?q=batch").getvalue().decode("utf-8-sig")
    assert text_of(batch) not in answer
    assert answer.splitlines() == [
        "API key,Starts with,Name,E-mail address,Used this month (USD),Cap a month (USD),"
        "Last used (UTC),Expires (UTC),State",
        f"batch,{text.prefix},,{owner.user.email},0.000000001,12.50,2026-06-03 10:02:00,,Works",
    ]


def test_a_member_takes_along_keys_of_their_own_alone(team: Team) -> None:
    owner, member = owner_of(team), make_member(team)
    make(owner, "of the owner")
    api_keys.set_api_key_policy(team=team, members_make=True, at=T0, by=owner.user)
    make(Membership.objects.select_related("team").get(pk=member.pk), "mine")
    lines = signed_in(member).get(f"{keys_at(team)}file/").getvalue().decode("utf-8-sig").splitlines()
    assert [line.split(",")[0] for line in lines] == ["API key", "mine"]


def test_members_see_and_make_keys_only_where_the_team_says_so_and_only_their_own(team: Team) -> None:
    owner, member = owner_of(team), make_member(team)
    others = make(owner, "of the owner")
    client = signed_in(member)
    assert client.get(keys_at(team)).status_code == 403

    signed_in(owner).post(keys_at(team, "policy"), {"members_make": "yes"})
    assert client.post(keys_at(team), {"name": "mine"}).status_code == 302
    shown = read(client, keys_at(team))
    assert "mine" in shown and "of the owner" not in shown
    assert client.get(keys_at(team, others.pk)).status_code == 404
    assert client.post(keys_at(team, "policy"), {"members_make": "no"}).status_code == 403
    assert "mine" in read(signed_in(owner), keys_at(team))
    signed_in(owner).post(keys_at(team, "policy"), {"members_make": "no"})
    assert client.get(keys_at(team)).status_code == 403
