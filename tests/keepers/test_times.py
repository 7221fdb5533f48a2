"""People read times in their own zone: no template says UTC beside a moment, which would be another one's.
How long ago something was, or in how long it is, is said by one tag, `ago`; where people ask for the exact
time, a table says why.
"""

from __future__ import annotations

import re

from tests.keepers import files
from tokenplan.runtime.folders import ROOT

# What is counted in UTC for everyone: months, weeks, and where nobody has signed in.
IN_UTC = re.compile(
    r"Times are in UTC|时间均为 UTC|"
    r"calendar month \(UTC\)|Monday, 00:00 UTC|All times are UTC|(Day|Hour) \(UTC\)"
)


def test_no_template_says_utc_beside_a_moment() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number}"
        for suffix in (".html", ".txt")
        for file in files("templates", suffix=suffix)
        if "admin" not in file.parts
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if re.search(r"\bUTC\b(?!\")", IN_UTC.sub("", line))
    ]

    assert found == []


LIST = "a list of single events, which people compare with what their programs wrote"
DEADLINE = "until then something can be done, or works: people note it down"
PERIOD = "one end of a period, beside the other"
PAID = "which day, and which hour of it, a payment counts for"
# The templates that print times of day as they are, and why. So do those of operators, mails and documents.
EXACT = {
    "billing/billing.html": PERIOD,
    "billing/change.html": PERIOD,
    "billing/checkout.html": DEADLINE,
    "billing/credits_auto_top_up.html": PAID,
    "billing/includes/campaign_terms.html": PERIOD,
    "billing/includes/invoices.html": PAID,
    "billing/includes/overdue.html": DEADLINE,
    "billing/includes/purchases.html": PAID,
    "billing/promotions.html": PERIOD,
    "quota/api_key.html": DEADLINE,
    "quota/api_key_text.html": DEADLINE,
    "quota/balance.html": DEADLINE,
    "quota/credits.html": DEADLINE,
    "quota/includes/attention.html": DEADLINE,
    "quota/includes/charges.html": LIST,
    "quota/includes/credit_runway.html": "for the chart's script, as a number",
    "quota/includes/home_team.html": PERIOD,
    "quota/includes/key_used.html": "it is asked for again only when it changes, so it must not grow old",
    "quota/includes/ledger.html": LIST,
    "quota/join.html": DEADLINE,
    "quota/member.html": PERIOD,
    "quota/own_refused.html": LIST,
    "quota/receipt.html": LIST,
    "quota/seat.html": PERIOD,
    "teams/key.html": DEADLINE,
}


def test_a_time_of_day_is_printed_bare_only_where_a_reason_is_given() -> None:
    pages = ROOT / "templates"
    printed = {
        str(file.relative_to(pages))
        for file in files("templates", suffix=".html")
        if not {"admin", "docs", "mail"} & set(file.parts)
        if re.search(r"""\|(?:date|time):"[^"]*[HGgPU]""", file.read_text())
    }

    assert printed == set(EXACT)
