"""Every list of a page can be filtered while the page stays, comes in pages, and is there as a file that
follows the filter; or the table below says why it is short by its nature.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from teams.models import User
from tests.helpers.address_table import OWN_PAGES, PAGES
from tests.helpers.factories import owner_of
from tests.helpers.large_team import LargeTeam
from tests.helpers.lists import Lists
from tests.helpers.page_fixtures import as_user, at_t0, nothing_enqueued
from tests.helpers.stripe_says import Bill, put_on_sale
from tests.stories.test_lists_stay_flat import addresses

__all__ = ["as_user", "at_t0", "nothing_enqueued"]
pytestmark = pytest.mark.django_db

CUT = "the first of them, in the order they are used; its file has all"
OF_A_CHART = "what its chart says, a row a day"
A_PLAN_EACH = "it has a row for each plan"
TEAMS_OF_ONE = "it has the Teams of one person"
OF_ONE_SEAT = "it has what one seat was, or one member held: a row for each change"
FIRST_FIVE = "it names five at most, and leads to the list with all"
A_PRICE_LIST = "it is read as a whole; programs have it at /api/v1/models"
# By the page and the list's label. Lists of operators' pages are cut, and lead to those of the admin.
SHORT = {
    ("models", "modality-image"): A_PRICE_LIST,
    ("models", "modality-language"): A_PRICE_LIST,
    ("plans-choose", "main"): TEAMS_OF_ONE,
    ("team", "attention"): FIRST_FIVE,
    ("team-balance", "Lots, in the order they are used"): CUT,
    ("team-billing", "Seats by plan"): A_PLAN_EACH,
    ("team-credits", "lots"): CUT,
    ("team-credits", "runway-table"): OF_A_CHART,
    ("team-member", "held"): OF_ONE_SEAT,
    ("team-seat", "history"): OF_ONE_SEAT,
    ("team-seat", "plans"): OF_ONE_SEAT,
    ("tools", "keys"): TEAMS_OF_ONE,
}


def test_each_list_filters_pages_and_has_a_file_or_is_short_by_its_nature(
    as_user: Callable[[User], Client],
) -> None:
    firm = LargeTeam()
    firm.grow(120)
    put_on_sale()
    bill = Bill()
    bill.say({"max": 50})
    pages = {name: url for name, url in addresses(firm).items() if name in {*PAGES, *OWN_PAGES} - {"search"}}
    pages |= {name: reverse(name) for name in ("models", "plans", "promotions", "tools")}
    of_bill = {"team-billing": reverse("team-billing", args=[bill.team.slug])}
    missing: dict[tuple[str, str], set[str]] = {}
    for user, asked in ((firm.owner.user, pages), (owner_of(bill.team).user, of_bill)):
        client = as_user(user)
        for name, url in asked.items():
            for label, what in Lists(client.get(url).content.decode()).missing.items():
                # A short list shows no pages: what either Team has of it counts.
                missing[name, label] = what & missing.get((name, label), what)

    assert {place: what for place, what in missing.items() if what and place not in SHORT} == {}
    assert set(SHORT) <= {place for place, what in missing.items() if what}, "These are whole, or gone."
    assert len(missing) - len(SHORT) > 20


TABLE = '<div id="rows"><table aria-label="All"></table>{pages}</div>'
FORM = '<form hx-push-url="true" hx-target="#{part}" hx-select-oob="#csv"></form>'
FILE = '<p id="csv"><a href="/file/">Download as CSV</a></p>'
MORE = '<nav aria-label="Pages"></nav>'


@pytest.mark.parametrize(
    ("html", "missing"),
    [
        (TABLE.format(pages=MORE) + FORM.format(part="rows") + FILE, set()),
        (TABLE.format(pages="") + MORE + FORM.format(part="rows") + FILE, {"pages"}),
        (TABLE.format(pages=MORE) + FORM.format(part="rows") + FILE.replace("csv", "other"), {"file"}),
        (TABLE.format(pages=MORE) + FORM.format(part="others") + FILE, {"filter", "pages", "file"}),
        (TABLE.format(pages=MORE) + FILE, {"filter", "pages", "file"}),
    ],
)
def test_control_what_a_list_has_not_is_seen(html: str, missing: set[str]) -> None:
    assert Lists(html).missing == {"All": missing}
