"""Keys & tools: guides for everyone, with one's own key after a recent proof, and whether it was used."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from quota.api.gateway.relay import exhausted
from quota.errors import QuotaExhausted
from quota.hot_path.authorize import authorize
from quota.hot_path.holds import AuthorizeRequest
from quota.tool_guides.catalog import GUIDES, TOOLS
from teams.models import Membership, User
from teams.services.keys import revoke_keys
from tests.helpers.factories import (
    T0,
    USD,
    Scene,
    key_of,
    limits,
    make_member,
    make_scene,
    make_team,
    make_user,
    use_test_rate_card,
)
from tests.helpers.proof import prove
from tests.helpers.reading import read, words
from tests.helpers.snippets import copied

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]

ANTHROPIC = "https://gateway.example/anthropic"
OPENAI = "https://gateway.example/v1"
KEY = re.compile(r"sk-cp-[0-9A-Za-z]{58}")


@pytest.fixture(autouse=True)
def gateway(settings: Settings) -> None:
    settings.GATEWAY_ANTHROPIC_URL = ANTHROPIC
    settings.GATEWAY_OPENAI_URL = OPENAI


@pytest.fixture
def scene() -> Scene:
    return make_scene()


def signed_in(user: User, *, proved: bool = False) -> Client:
    client = Client()
    client.force_login(user)
    return prove(client) if proved else client


def operator() -> Client:
    user = make_user()
    user.is_staff = True
    user.save()
    return signed_in(user)


# For everyone


def test_the_index_leads_to_every_guide(client: Client) -> None:
    html = client.get("/tools/").content.decode()

    for tool in TOOLS:
        assert f'href="/tools/{tool}/"' in html
    assert 'href="/quickstart/"' in html
    assert "Only operators read this" not in html


def test_from_a_page_that_has_asked_for_proof_it_leads_to_the_guides_with_ones_own_key(scene: Scene) -> None:
    client, slug = signed_in(scene.owner.user), scene.team.slug
    filled = f'href="/account/tools/{slug}/claude-code/"'
    assert filled in client.get(f"/tools/?team={slug}").content.decode()
    for page in (client.get("/tools/"), signed_in(make_user("eve@example.com")).get(f"/tools/?team={slug}")):
        assert filled not in page.content.decode()
        assert 'href="/tools/claude-code/"' in page.content.decode()


@pytest.mark.parametrize(
    ("path", "filled_in"),
    [
        ("/tools/claude-code/", ANTHROPIC),
        ("/tools/openclaw/", ANTHROPIC),
        ("/tools/cursor/", OPENAI),
        ("/tools/trae/", ANTHROPIC),
        ("/tools/hermes-agent/", ANTHROPIC),
        ("/tools/other/", OPENAI),
        ("/quickstart/", OPENAI),
    ],
)
def test_a_visitor_reads_a_guide_with_a_placeholder_for_the_key(
    client: Client, path: str, filled_in: str
) -> None:
    use_test_rate_card()

    answer = client.get(path)
    page = words(answer)
    copy = [row.text for row in copied(answer.content.decode())]

    assert any(filled_in in text for text in copy)
    assert any("sk-cp-YOUR-KEY" in text for text in copy)
    assert any("talker" in text for text in copy)
    assert "Sign in, and your own key is filled in." in page
    assert f'href="/accounts/login/?next={path}"' in answer.content.decode()


def test_the_page_has_the_snippets_of_the_guide_and_no_others(client: Client) -> None:
    for slug, guide in GUIDES.items():
        path = "/quickstart/" if slug == "quickstart" else f"/tools/{slug}/"
        answer = client.get(path)
        shown = guide.snippets(answer.context["setup"])

        assert [row.text for row in copied(answer.content.decode())] == [row.text for row in shown]


def test_another_model_can_be_filled_in_and_what_is_none_is_not(client: Client) -> None:
    use_test_rate_card()

    def model_of(query: str) -> str:
        return next(
            row.text
            for row in copied(client.get(f"/tools/cursor/{query}").content.decode())
            if row.name == "model"
        )

    assert model_of("") == "talker"
    assert model_of("?model=penny") == "penny"
    assert model_of("?model=painter") == "talker"  # it makes images
    assert model_of("?model='; rm -rf ~'") == "talker"


def test_what_a_tool_shows_when_it_fails_is_what_the_gateway_relays(client: Client, scene: Scene) -> None:
    full = make_scene(limits(five_hours=USD, week=10 * USD))
    full.desk.use(100)
    with pytest.raises(QuotaExhausted) as refusal:
        full.desk.ask(1)
    said = exhausted(refusal.value)

    page = read(client, "/tools/claude-code/")

    assert "401 invalid api key" in page
    assert "402 insufficient balance (1008)" in page
    shown = re.search(r"429 (usage limit exceeded.+?\(2056\))", page)
    assert shown
    pattern = re.escape(shown[1]).replace("…", ".+?")
    assert re.fullmatch(pattern, said), said
    assert "503 the service is overloaded, try again" in page


def test_a_tool_that_nobody_knows_is_not_there(client: Client) -> None:
    assert client.get("/tools/abacus/").status_code == 404
    assert client.get("/tools/quickstart/").status_code == 404  # it has an address of its own
    assert client.post("/tools/cursor/").status_code == 405


# Where an address is not set


def test_a_guide_whose_protocol_is_not_set_is_hidden_and_operators_read_why(
    client: Client, settings: Settings
) -> None:
    settings.GATEWAY_OPENAI_URL = ""

    assert "Cursor" not in read(client, "/tools/")
    assert client.get("/tools/cursor/").status_code == 404

    staff = operator()
    assert (
        "Only operators read this: GATEWAY_OPENAI_URL is not set. Hidden for everyone else: Cursor."
    ) in read(staff, "/tools/")
    page = read(staff, "/tools/cursor/")
    assert "Only operators read this: GATEWAY_OPENAI_URL is not set, so what needs it is hidden here." in page
    assert "The address of the gateway is not set here yet" in page


def test_a_part_whose_protocol_is_not_set_is_hidden(client: Client, settings: Settings) -> None:
    settings.GATEWAY_ANTHROPIC_URL = ""

    for path in ("/tools/other/", "/quickstart/"):
        page = read(client, path)
        assert OPENAI in page
        assert "Anthropic" not in page
        assert "GATEWAY_ANTHROPIC_URL is not set" in read(operator(), path)


def test_without_any_address_the_pages_say_so_to_everyone(client: Client, settings: Settings) -> None:
    settings.GATEWAY_ANTHROPIC_URL = settings.GATEWAY_OPENAI_URL = ""

    for path in ("/tools/", "/quickstart/"):
        assert "The address of the gateway is not set here yet" in read(client, path)
    for tool in TOOLS:
        assert client.get(f"/tools/{tool}/").status_code == 404


# With one's own key


def test_the_key_is_nowhere_on_the_page_before_the_proof(scene: Scene) -> None:
    client = signed_in(scene.owner.user)

    html = client.get("/tools/claude-code/").content.decode()
    assert not KEY.search(html)
    assert f'href="/account/tools/{scene.team.slug}/claude-code/?model=talker"' in html

    asked = client.get(f"/account/tools/{scene.team.slug}/claude-code/?model=talker")
    assert asked.status_code == 302
    assert asked.headers["Location"].startswith("/accounts/reauthenticate/code/?next=%2Faccount%2Ftools%2F")


@pytest.mark.parametrize("tool", GUIDES)
def test_after_the_proof_it_is_filled_in_and_no_cache_keeps_the_page(scene: Scene, tool: str) -> None:
    answer = signed_in(scene.owner.user, proved=True).get(f"/account/tools/{scene.team.slug}/{tool}/")
    html = answer.content.decode()

    assert set(KEY.findall(html)) == {key_of(scene.owner)}
    assert "YOUR-KEY" not in html
    assert "no-store" in answer.headers["Cache-Control"]
    assert f"Your key for {scene.team.name} is filled in below." in words(answer)


def test_it_is_ones_own_key_of_that_team(scene: Scene) -> None:
    mia = make_member(scene.team)

    html = signed_in(mia.user, proved=True).get(f"/account/tools/{scene.team.slug}/other/").content.decode()

    assert set(KEY.findall(html)) == {key_of(mia)}


def test_a_dead_key_leads_to_where_another_one_is_made(scene: Scene) -> None:
    revoke_keys(membership=scene.owner, at=T0, by=scene.owner.user)

    client = signed_in(scene.owner.user, proved=True)
    answer = client.get(f"/account/tools/{scene.team.slug}/cursor/")

    assert answer.headers["Location"] == f"/account/keys/{scene.team.slug}/"
    assert "This key was revoked and no longer works. Make a new key" in read(client, "/tools/cursor/")


def test_whoever_has_nothing_to_pay_with_reads_it_before_setting_up_a_tool(scene: Scene) -> None:
    def page_of(member: Membership) -> str:
        client = signed_in(member.user, proved=True)
        return client.get(f"/account/tools/{member.team.slug}/cursor/").content.decode()

    nothing = "The key works, but there is nothing to pay with yet: calls are answered 402."
    assert nothing not in page_of(scene.owner)

    mia = make_member(scene.team)
    assert nothing in page_of(mia)
    assert f'href="/account/seat-requests/{scene.team.slug}/">Ask for a seat' in page_of(mia)
    own = Membership.objects.get(team__default_for=mia.user)
    assert 'href="/plans/">Choose a plan' in page_of(own)

    full = make_scene(limits(five_hours=USD, week=10 * USD))
    full.desk.use(100)
    assert "At the moment calls are refused." in page_of(full.owner)


def test_a_tool_that_nobody_knows_has_no_page_with_a_key(scene: Scene) -> None:
    client = signed_in(scene.owner.user, proved=True)
    assert client.get(f"/account/tools/{scene.team.slug}/abacus/").status_code == 404


# Has it been used?


def used(client: Client, scene: Scene, seen: str = "") -> tuple[int, str]:
    answer = client.get(f"/account/key-used/{scene.team.slug}/", {"seen": seen} if seen else {})
    assert "no-store" in answer.headers["Cache-Control"]
    return answer.status_code, words(answer)


def seen_of(client: Client, scene: Scene) -> str:
    html = client.get(f"/account/key-used/{scene.team.slug}/").content.decode()
    found = re.search(r"\?seen=([^\"]+)\"", html)
    assert found
    return found[1]


def test_it_turns_green_with_the_first_call_and_shows_the_receipt(scene: Scene) -> None:
    client = signed_in(scene.owner.user)
    assert used(client, scene) == (200, "○ Not used yet. This turns green by itself after the first call.")

    request = AuthorizeRequest("first", scene.desk.key, "penny", {"calls": 3}, "")
    call = authorize(gateway=scene.desk.gateway, request=request, at=T0)
    assert used(client, scene) == (
        200,
        "✓ It works. Used at 3 Jun, 10:02:00 UTC; no call has been charged yet.",
    )

    event = scene.desk.settle(call, 3)
    assert used(client, scene) == (
        200,
        f"✓ It works. Last call: penny, 3 Jun, 10:02:00 UTC, $0.03. Receipt ({scene.team.name})",
    )
    html = client.get(f"/account/key-used/{scene.team.slug}/").content.decode()
    assert f'href="/account/usage/{scene.team.slug}/{event.pk}/"' in html


def test_whoever_knows_it_already_gets_no_content(scene: Scene) -> None:
    client = signed_in(scene.owner.user)
    seen = seen_of(client, scene)
    assert used(client, scene, seen) == (204, "")

    scene.desk.use(1)

    status, page = used(client, scene, seen)
    assert status == 200
    assert "It works." in page
    assert used(client, scene, seen_of(client, scene)) == (204, "")


def test_it_asks_often_until_the_first_charge_and_then_less_often(scene: Scene) -> None:
    client = signed_in(scene.owner.user)

    def period() -> list[str]:
        return re.findall(r'hx-trigger="every (\d+)s"', client.get("/tools/cursor/").content.decode())

    assert period() == ["3", "3"]  # of the own Team and of this one
    scene.desk.use(1)
    assert period() == ["3", "15"]


def test_whoever_is_in_many_teams_is_not_asking_for_all_of_them(scene: Scene) -> None:
    for name in ("Acme", "Globex"):
        make_team(name, owner=scene.owner.user)

    html = signed_in(scene.owner.user).get("/tools/cursor/").content.decode()

    assert html.count("Not used yet.") == 4
    assert "hx-trigger" not in html


def test_another_members_call_turns_nothing_green(scene: Scene) -> None:
    mia = make_member(scene.team)
    scene.desk.use(1)

    assert used(signed_in(mia.user), scene)[1].startswith("○ Not used yet.")
