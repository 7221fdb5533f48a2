"""The usage bar in a real browser: it is right in every state, and keeps itself up to date."""

from __future__ import annotations

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.helpers.axe import violations
from tests.helpers.browsing import arrive, overhang
from tests.helpers.factories import USD, limits, make_desk, make_member, make_scene, make_seat, make_team
from tests.helpers.gallery import past_states, show_gallery, states
from tests.helpers.keyboard import walk_to

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
# From the table of the bar's states: how each is said, in words that need no colour.
SAID = {
    "empty": "Nothing used. $9.90 is ready.",
    "normal": "$0.90 held for calls in progress",
    "near": "▲ nearly full",
    "on-credits": "■ on Credits since 14:05 UTC",
    "stopped": "Stopped until 14:25 UTC.",
    "stopped-for-a-moment": "There is room again in 17 min (14:30 UTC).",
    "week-full": "The 5-hour window has room; the weekly one has none.",
    "over": "The last calls ran $1.10 over $9.90",
    "suspended": "Pay $170.00",
    "suspended-of-a-member": "Ask Olivia to pay it.",
    "credits-alone": "500 of the Team's Credits expire on Fri 12 Jun, 14:13 UTC.",
    "credits-capped": "4,300 of at most 5,000 Credits used this calendar month (UTC).",
    "credits-used-up": "Calls are refused until next month, or until the cap is raised.",
    "nothing-yet": "Your key is real; there is nothing to spend yet.",
    "nothing-yet-for-a-member": "Ask for a seat",
    "owed": "Your calls used 1,250 Credits ($1.25) more than was paid for.",
    "of-somebody-else": "no Credits pay for them.",
    "stale": "Not updated since 14:13 UTC",
}
# The same in short, where another page has the rest.
SAID_IN_SHORT = {
    "empty": "$9.90 left of $9.90",
    "normal": "$0.90 held for calls in progress",
    "near": "▲ nearly full",
    "on-credits": "■ on Credits since 14:05 UTC",
    "stopped": "■ stopped until 14:25 UTC",
    "stopped-for-a-moment": "■ stopped until 14:30 UTC",
    "week-full": "■ stopped until Mon 8 Jun, 00:00 UTC",
    "over": "The last calls ran $1.10 over $9.90",
    "suspended": "suspended",
    "suspended-of-a-member": "suspended",
    "credits-alone": "12,000",
    "credits-capped": "4,300 of at most 5,000 Credits used this calendar month (UTC).",
    "credits-used-up": "■ stopped",
    "nothing-yet": "Nothing to spend yet. Choose a plan",
    "nothing-yet-for-a-member": "Nothing to spend yet. Ask for a seat",
    "owed": "■ $1.25 is owed: the key is refused until it is paid",
    "of-somebody-else": "$5.64 left of $9.90",
    "stale": "Not updated since 14:13 UTC",
}
# And as operators read it: of somebody else, with what stands above it.
SAID_TO_SUPPORT = {
    **SAID,
    "normal": "May use 3,400 of the Team’s 12,000 Credits",
    "near": "no Credits pay for them.",
    "on-credits": "of which 3,400 are left for Olivia.",
    "stopped-for-a-moment": "Stopped until 14:30 UTC.",
    "suspended": "This seat is suspended because a payment failed. Until it is paid, calls are refused.",
    "suspended-of-a-member": "calls are paid from Credits, of which 3,400 are left for Mia.",
    "credits-alone": "Without a seat there is no quota. Calls are paid from Credits: 12,000 are left.",
    "nothing-yet": "There is nothing to spend: no seat with a plan, and no Credits that may be used.",
    "nothing-yet-for-a-member": "May not use the Team's Credits.",
    "owed": "1,250 Credits ($1.25) more were used than was paid for. Until that is paid, the key is refused.",
    "then": "$0.40 back at Wed 3 Jun, 14:25 UTC · all free by Wed 3 Jun, 19:00 UTC",
    "then-without-a-seat": "The Team had 0 Credits",
}
THEMES = ("light", "dark")
KINDS = {"whole": SAID, "compact": SAID_IN_SHORT, "support": SAID_TO_SUPPORT}
LUMINANCE = """
    const luminance = (colour) => {
        const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255);
        const [r, g, b] = parts.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (one, other) => (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);"""
# How many times lighter a bar's parts are than its track, or darker.
CONTRAST = f"""() => {{{LUMINANCE}
    return [...document.querySelectorAll(".bar")].flatMap((bar) => {{
        const track = luminance(getComputedStyle(bar).backgroundColor);
        return [...bar.querySelectorAll(".used, .held, .paid, .stripes, .elapsed")].map((part) => {{
            const style = getComputedStyle(part);
            const light = luminance(part.tagName === "line" ? style.stroke : style.fill);
            return contrast(light, track);
        }});
    }});
}}"""

# The same of the lines at 80 % and at the limit, and what they stand on: what is used, or the track.
LINES = f"""() => {{{LUMINANCE}
    return [...document.querySelectorAll(".bar :is(.tick, .notch)")].map((line) => {{
        const bar = line.parentElement, used = bar.querySelector(".paid") ?? bar.querySelector(".used");
        const covers = used.getBoundingClientRect().right > line.getBoundingClientRect().left;
        const under = covers ? getComputedStyle(used).fill : getComputedStyle(bar).backgroundColor;
        return contrast(luminance(getComputedStyle(line).fill), luminance(under));
    }});
}}"""


@pytest.mark.parametrize(
    ("kind", "theme", "width"),
    [
        # Quick is one kind in each theme.
        ("whole", "light", 1280),
        pytest.param("whole", "dark", 1280, marks=pytest.mark.slow),
        pytest.param("compact", "light", 1280, marks=pytest.mark.slow),
        ("support", "dark", 1280),
        pytest.param("compact", "dark", 1280, marks=pytest.mark.slow),
        pytest.param("support", "light", 1280, marks=pytest.mark.slow),
        *(pytest.param(kind, theme, 320, marks=pytest.mark.slow) for kind in KINDS for theme in THEMES),
    ],
)
def test_every_state_can_be_read_by_everybody(
    browser_page: Page, live_server: LiveServer, theme: str, width: int, kind: str
) -> None:
    page, said = browser_page, KINDS[kind]
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 900})
    show_gallery(page, live_server.url, kind)

    assert said.keys() == states().keys() | (past_states().keys() if kind == "support" else set())
    texts = {name: " ".join(page.locator(f"#{name}").inner_text().split()) for name in said}
    assert {name: text for name, text in texts.items() if said[name] not in text} == {}
    assert violations(page) == []
    assert min(page.evaluate(CONTRAST)) >= 3
    assert min(page.evaluate(LINES)) >= 3
    held = page.locator("#normal .bar .held").first
    assert held.evaluate("(line) => getComputedStyle(line).strokeDasharray") == "3px, 2px"
    expect(page.locator("#week-full .bar").first).to_have_class("bar is-dimmed")
    expect(page.locator("#over .bar .notch")).to_have_count(1)
    assert overhang(page) <= 0


@pytest.mark.slow
def test_other_teams_stand_in_short_keep_themselves_up_to_date_and_open_by_the_keyboard(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, at = browser_page, timezone.now()
    scene = make_scene(limits(five_hours=USD, week=10 * USD), at=at)
    member = make_member(make_team("Zoo", at=at), scene.owner.user, at=at)
    make_seat(member.team, scene.plan, holder=member, at=at)
    desk = make_desk(member)
    desk.use(30, at=at)
    page.set_viewport_size({"width": 320, "height": 640})
    page.clock.install()
    arrive(page, live_server.url, scene.owner.user)
    bar = page.locator(f"[data-live=compact-{member.pk}]")
    expect(bar).to_contain_text("30%")
    assert violations(page) == []
    assert overhang(page) <= 0
    bar.get_by_role("meter").first.evaluate("(node) => { node.isTheSame = true; }")

    desk.use(54, at=timezone.now())
    page.clock.run_for(4000)
    expect(bar).to_contain_text("▲ nearly full")
    expect(page.locator("#bar-news")).to_contain_text("Zoo. 5-hour window: 84 percent used, nearly full")
    assert bar.get_by_role("meter").first.evaluate("(node) => node.isTheSame")

    walk_to(page, page.get_by_role("link", name="Show all (Zoo)"))
    page.keyboard.press("Enter")
    expect(page.locator(f"[data-live=bar-{member.pk}]")).to_contain_text("agents at work")
    expect(page.locator(f"[data-live=compact-{scene.owner.pk}]")).to_be_visible()
    assert overhang(page) <= 0


def test_the_bar_keeps_itself_up_to_date_while_it_is_seen(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, at = browser_page, timezone.now()
    scene = make_scene(limits(five_hours=USD, week=10 * USD), at=at)
    scene.desk.use(30, at=at)
    page.clock.install()
    arrive(page, live_server.url, scene.owner.user)
    bar = page.locator(f"[data-live=bar-{scene.owner.pk}]")
    expect(bar).to_contain_text("30%")
    meter, news = bar.get_by_role("meter").first, page.locator("#bar-news")
    meter.evaluate("(node) => { node.isTheSame = true; }")
    link = page.get_by_role("link", name="Recent charges and receipts").first
    link.focus()

    scene.desk.use(54, at=timezone.now())
    page.clock.run_for(4000)
    expect(bar).to_contain_text("▲ nearly full")
    expect(news).to_contain_text("5-hour window: 84 percent used, nearly full")
    assert meter.evaluate("(node) => node.isTheSame")
    expect(link).to_be_focused()

    news.evaluate("(node) => { node.textContent = ''; }")
    scene.desk.use(1, at=timezone.now())
    page.clock.run_for(4000)
    expect(bar).to_contain_text("85%")
    expect(news).to_have_text("")  # the state is what it was

    # A question that is not answered is written to the console, which the test would fail for.
    page.evaluate("() => { window.asks = fetch; window.fetch = () => Promise.reject(new Error('away')); }")
    page.clock.run_for(4000)
    expect(page.locator(".usage-bar.is-stale").first).to_contain_text("Not updated since")
    page.evaluate("() => { window.fetch = window.asks; }")
    page.clock.run_for(8000)
    expect(page.locator(".usage-bar.is-stale")).to_have_count(0)

    scene.desk.use(15, at=timezone.now())
    page.clock.run_for(4000)
    expect(bar).to_contain_text("Stopped until")
    expect(bar.get_by_role("link", name="Buy Credits")).to_be_visible()


def test_nothing_is_asked_for_while_the_page_is_hidden(browser_page: Page, live_server: LiveServer) -> None:
    page = browser_page
    scene = make_scene(at=timezone.now())
    asked: list[str] = []
    page.clock.install()
    arrive(page, live_server.url, scene.owner.user)
    page.on("request", lambda request: asked.append(request.url) if "/bars/" in request.url else None)
    page.evaluate("() => { Object.defineProperty(document, 'hidden', { value: true, configurable: true }); }")
    page.clock.run_for(60_000)
    assert asked == []
    with page.expect_request("**/account/bars/?of=bar-*"):
        page.evaluate(
            "() => { delete document.hidden; document.dispatchEvent(new Event('visibilitychange')); }"
        )
