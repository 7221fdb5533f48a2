"""The Team's Credits: balance, lots, ledger, and who may use them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from quota.models import CreditAccess, CreditGrant, TeamCredits
from quota.views.credits import ACCESS_PAGE
from teams.models import AuditEntry, Role, User
from teams.services.memberships import change_role, set_billing_right
from tests.helpers.factories import (
    CREDIT,
    T0,
    USD,
    allow_credits,
    give_credits,
    limits,
    make_desk,
    make_member,
    make_scene,
    make_team,
    make_user,
    owner_of,
)
from tests.helpers.reading import lines, read, submit, words

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]


def test_balance_lots_and_ledger_with_exact_numbers(as_user: AsUser) -> None:
    scene = make_scene(limits(five_hours=USD, week=10 * USD))
    give_credits(scene.team, 5000 * CREDIT)
    give_credits(scene.team, 1000 * CREDIT, expires_at=T0 + timedelta(days=10))
    scene.desk.use(100)
    scene.desk.use(125)

    page = read(as_user(scene.owner.user), f"/teams/{scene.team.slug}/credits/")

    assert "Balance 4,750 $4.75" in page
    # The lot that expires first is empty, so only the other is left.
    late, soon = CreditGrant.objects.order_by("-expires_at")
    assert f"Expires {late.pk} 4,750 5,000 3 Jun 2026 3 Jun 2027, 10:02 Credits over time" in page
    assert f"Use -1,000 {soon.pk} Usage of penny" in page
    assert f"Use -250 {late.pk} Usage of penny" in page
    assert f"Added +5,000 {late.pk}" in page


def test_how_long_they_last_is_said_where_some_were_used(as_user: AsUser) -> None:
    scene = make_scene(at=T0 - timedelta(days=10))
    client, url = as_user(scene.owner.user), f"/teams/{scene.team.slug}/credits/"
    assert "Credits over time" not in read(client, url)
    give_credits(scene.team, 200 * CREDIT, at=T0 - timedelta(days=10), expires_at=T0 + timedelta(days=100))
    page = read(client, url)
    assert "Credits over time Show as table Day (UTC) Credits left Expires unused 24 May 2026 200" in page
    assert "3 Jun 2026 200 4 Jun 2026 expected 200" in page

    make_desk(make_member(scene.team, credits=True)).use(7, at=T0 - timedelta(hours=1))
    page = read(client, url)
    assert "At the pace of the last 7 days they last until about 16 Jun. Show as table" in page
    assert "3 Jun 2026 130 4 Jun 2026 expected 114.18" in page

    give_credits(scene.team, 5000 * CREDIT, expires_at=T0 + timedelta(days=101))
    page = read(client, url)
    assert (
        "At the pace of the last 7 days they are not used up before they expire."
        " 4,120 Credits expire unused on 12 Sep 2026."
    ) in page


def test_a_low_balance_is_marked(as_user: AsUser) -> None:
    scene = make_scene()
    client, url = as_user(scene.owner.user), f"/teams/{scene.team.slug}/credits/"
    assert "is below" not in read(client, url)

    give_credits(scene.team, 999 * CREDIT)

    assert "The balance is below 1,000 Credits." in read(client, url)


def test_access_overflow_and_cap_of_a_member(as_user: AsUser) -> None:
    scene = make_scene()
    mia = make_member(scene.team, make_user("mia@example.com"))
    client = as_user(scene.owner.user)
    url = f"/teams/{scene.team.slug}/credits/access/{mia.pk}/"

    page = submit(client, url, allowed="on", overflow="never", month_cap="2,500.5")

    assert "The access of mia@example.com is saved." in page
    assert "mia@example.com May use Stop 0 2,500.5" in page
    access = CreditAccess.objects.of_one(mia)
    assert (access.allowed, access.overflow, access.month_cap_nanousd) == (True, "never", 2_500_500_000)
    assert 'value="2500.5"' in client.get(url).content.decode()

    assert "mia@example.com May not use Go on with Credits 0 None" in submit(client, url, overflow="allow")
    assert AuditEntry.objects.filter(action="credits.access", subject="mia@example.com").count() == 2


@pytest.mark.parametrize("cap", ["-1", "1e5", "nan", "ten", "0.0000001", "9" * 25, "\x00"])
def test_a_cap_that_cannot_be_is_refused_at_its_field_and_kept_in_the_form(as_user: AsUser, cap: str) -> None:
    scene = make_scene()
    mia = make_member(scene.team)
    url = f"/teams/{scene.team.slug}/credits/access/{mia.pk}/"

    answer = as_user(scene.owner.user).post(url, {"allowed": "on", "overflow": "allow", "month_cap": cap})

    assert answer.status_code == 422
    assert "invalid-feedback" in answer.content.decode()
    assert CreditAccess.objects.of_one(mia).allowed is False


def test_the_teams_rules(as_user: AsUser) -> None:
    scene = make_scene()
    client = as_user(scene.owner.user)
    url = f"/teams/{scene.team.slug}/credits/policy/"
    assert 'value="1000"' in client.get(url).content.decode()

    page = submit(client, url, overflow="never", low_balance="250")

    assert "When a window of a seat is full: stop Warn below: 250" in page
    rules = TeamCredits.objects.get(team=scene.team)
    assert (rules.overflow, rules.low_balance_nanousd) == ("never", 250 * CREDIT)

    wrong = client.post(url, {"overflow": "maybe", "low_balance": "-5"})
    assert wrong.status_code == 422
    rules.refresh_from_db()
    assert rules.overflow == "never"


def test_a_balance_below_nothing_is_refused_by_the_service_at_its_field(as_user: AsUser) -> None:
    scene = make_scene()
    url = f"/teams/{scene.team.slug}/credits/policy/"

    answer = as_user(scene.owner.user).post(url, {"overflow": "allow", "low_balance": "-5"})

    assert answer.status_code == 422
    assert "The balance to warn at is from 0 to 1,000,000,000 Credits." in words(answer)


def test_a_member_of_another_team_is_not_there(as_user: AsUser) -> None:
    scene = make_scene()
    stranger = make_member(make_team(), credits=True)
    allow_credits(stranger)

    url = f"/teams/{scene.team.slug}/credits/access/{stranger.pk}/"

    assert as_user(scene.owner.user).get(url).status_code == 404
    assert as_user(scene.owner.user).post(url, {"overflow": "never"}).status_code == 404
    assert CreditAccess.objects.of_one(stranger).allowed is True


def test_who_may_use_them_comes_in_pages(as_user: AsUser) -> None:
    scene = make_scene()
    for number in range(ACCESS_PAGE):
        make_member(scene.team, make_user(f"m{number:03}@example.com"))
    client, url = as_user(scene.owner.user), f"/teams/{scene.team.slug}/credits/"
    first, second = client.get(url), client.get(f"{url}?page=2")
    # The Owner and the scene's member come besides those that were made here.
    assert len(first.context["rows"]) == ACCESS_PAGE
    shown = [row.membership.pk for page in (first, second) for row in page.context["rows"]]
    assert len(shown) == len(set(shown)) == scene.team.memberships.live().count() > ACCESS_PAGE
    assert 'rel="next" href="?page=2#access"' in first.content.decode()
    assert 'rel="prev" href="?page=1#access"' in second.content.decode()


def test_who_may_use_them_is_searched_beside_the_ledgers_filter_and_taken_along(as_user: AsUser) -> None:
    scene = make_scene()
    mia = make_member(scene.team, make_user("mia@example.com"), credits=True)
    allow_credits(mia, overflow="never", month_cap=5 * CREDIT)
    make_member(scene.team, make_user("kim@example.com"))
    User.objects.filter(pk=mia.user_id).update(name="=Mia")
    client, url = as_user(scene.owner.user), f"/teams/{scene.team.slug}/credits/"

    page = client.get(f"{url}?q=MIA@&kind=charge&before=x&page=1")

    assert [row.membership.pk for row in page.context["rows"]] == [mia.pk]
    assert "1 member Show everyone" in words(page)
    html = page.content.decode()
    forms = [form.partition("</form>")[0] for form in html.split('<form method="get" role="search"')[1:]]
    kept = [re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form) for form in forms]
    assert kept == [[("before", "x"), ("kind", "charge")], [("page", "1"), ("q", "MIA@")]]
    file = f"{url}access/file/"
    assert f'id="who-file" href="{file}?q=MIA%40"' in html
    name = f"access-to-credits-{scene.team.slug}.csv"
    assert lines(client, f"{file}?q=MIA@", name) == [
        "Name,E-mail address,May use Credits,Also when a window is full,"
        'Credits used this month,"Credits a month, at most"',
        "'=Mia,mia@example.com,Yes,No,0.000,5.000",
    ]
    assert len(lines(client, file)) == 1 + scene.team.memberships.live().count()
    assert "0 members Show everyone" in read(client, f"{url}?q=nobody")


def test_who_may_use_them_is_a_file_for_managers_of_the_team_alone(as_user: AsUser) -> None:
    scene = make_scene()
    payer, by = make_member(scene.team, make_user("finance@example.com")), scene.owner.user
    set_billing_right(membership=payer, allowed=True, by=by, at=T0)
    file = f"/teams/{scene.team.slug}/credits/access/file/"

    assert as_user(payer.user).get(file).status_code == 403
    assert as_user(owner_of(make_team("Other")).user).get(file).status_code == 404


def test_who_pays_sees_what_is_left_and_not_who_used_it(as_user: AsUser) -> None:
    """The Billing right is about what is bought: neither the members nor their usage are part of it."""
    scene = make_scene()
    give_credits(scene.team, 5000 * CREDIT)
    event = make_desk(make_member(scene.team, make_user("mia@example.com"), credits=True)).use(100)
    finance, by = make_member(scene.team, make_user("finance@example.com")), scene.owner.user
    set_billing_right(membership=finance, allowed=True, by=by, at=T0)
    client, url = as_user(finance.user), f"/teams/{scene.team.slug}/credits/"

    page = read(client, url)

    assert "Balance 4,000 $4.00" in page
    assert "Usage of penny A member" in page
    assert "Who may use them" not in page
    assert "mia@example.com" not in page
    assert str(event.pk) not in client.get(url).content.decode()
    change_role(membership=finance, role="admin", by=by, at=T0)
    assert "Usage of penny mia@example.com" in read(client, url)


def test_an_empty_ledger_says_who_may_buy_how(as_user: AsUser) -> None:
    owner = owner_of(make_team("Acme"))
    admin = make_member(owner.team, role=Role.ADMIN)
    assert "Nothing yet. Buy Credits" in read(as_user(owner.user), "/teams/acme/credits/")
    assert "Nothing yet. Top up" in read(as_user(owner.user), "/teams/acme/balance/")
    assert "Nothing yet. Buy Credits" not in read(as_user(admin.user), "/teams/acme/credits/")
