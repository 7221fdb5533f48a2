"""The ledger and the lots of a Team's Credits, or of its API balance: as parts of a page, and as files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import chain
from typing import Any

from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _

from quota.api.csv_cells import credits_cell, usd_cell
from quota.models import Account, CreditGrant
from quota.selectors.kept import Opening
from quota.selectors.ledger import KINDS, LedgerFilter
from quota.selectors.usage_filter import members_called
from quota.templatetags.amounts import cause
from quota.usage_forms import LedgerForm
from teams.permissions import Right, may
from teams.views.base import TeamRequest, team_page
from tokenplan.kit.csv_answers import csv_file, moment_cell, person_heading, yes_cell
from tokenplan.kit.pages import asked_of, page_of
from tokenplan.kit.transactions import streamed

LEDGER_PAGE = 25
# Of an entry, for its line in a file.
COLUMNS = (
    *("at", "kind", "amount_nanousd", "grant_id", "cause", "event_id"),
    *("membership__user__name", "membership__user__email", "by__name", "by__email"),
)


def ledger_of(request: TeamRequest, account: Account) -> dict[str, object]:
    """What `includes/ledger.html` shows: a page of the entries that are asked for, the latest first."""
    form, wanted = _asked(request)
    entries, among = wanted.entries(request.team, account), wanted.among(request.team)
    return {
        "ledger_form": form,
        "ledger_asked": asked_of(request, "before", *form.fields),
        "ledger": page_of(entries, request, size=LEDGER_PAGE, among=among),
        "opening": wanted.opening(request.team, account),
        "kinds": KINDS,
    }


@team_page(get=Right.VIEW_CREDITS)  # type: ignore[arg-type]  # an answer that is streamed is one too
def credits_csv(request: TeamRequest) -> HttpResponseBase:
    """All entries that are asked for, for a spreadsheet."""
    return _ledger_csv(request, Account.CREDITS, f"credits-{request.team.slug}.csv")


@team_page(get=Right.VIEW_CREDITS)  # type: ignore[arg-type]
def balance_csv(request: TeamRequest) -> HttpResponseBase:
    """The same of the API balance."""
    return _ledger_csv(request, Account.BALANCE, f"api-balance-{request.team.slug}.csv")


@team_page(get=Right.VIEW_CREDITS)  # type: ignore[arg-type]
def credit_lots_csv(request: TeamRequest) -> HttpResponseBase:
    """All lots in which something is left, in the order of drawing."""
    return _lots_csv(request, Account.CREDITS, f"lots-of-credits-{request.team.slug}.csv")


@team_page(get=Right.VIEW_CREDITS)  # type: ignore[arg-type]
def balance_lots_csv(request: TeamRequest) -> HttpResponseBase:
    """The same of the API balance."""
    return _lots_csv(request, Account.BALANCE, f"lots-of-api-balance-{request.team.slug}.csv")


def _asked(request: TeamRequest) -> tuple[LedgerForm, LedgerFilter]:
    """The form, and what it asks for; a field that cannot be read asks for nothing."""
    form = LedgerForm(request.GET, sees_usage=may(request.membership, Right.VIEW_USAGE))
    form.is_valid()
    since, until = form.moments()
    text = form.cleaned_data.get("member")
    members = members_called(request.team, text) if text else None
    return form, LedgerFilter(form.cleaned_data.get("kind", ""), members, since, until)


def _ledger_csv(request: TeamRequest, account: Account, name: str) -> HttpResponseBase:
    wanted = _asked(request)[1]
    entries = wanted.entries(request.team, account).order_by("-at", "-pk")
    of_credits = [_("Credits")] if account is Account.CREDITS else []
    heading = [_("When (UTC)"), _("Kind"), *of_credits, _("Amount (USD)")]
    heading += [_("Lot"), _("Cause"), *person_heading(), _("Receipt")]
    sees_usage = may(request.membership, Right.VIEW_USAGE)
    rows = streamed(entries.values_list(*COLUMNS))
    lines = _lines(rows, sees_usage=sees_usage, account=account)
    opening = wanted.opening(request.team, account)
    if opening and wanted.is_everything_from(opening):
        lines = chain(lines, [_line_of(opening, account)])
    return csv_file(name, heading, lines)


def _lines(rows: Iterator[tuple[Any, ...]], *, sees_usage: bool, account: Account) -> Iterator[list[object]]:
    """Who used what is for those who see usage. Nobody is the system."""
    kinds = {kind: str(label) for kind, label in KINDS.items()}
    said, a_member = lru_cache(cause), _("A member")
    for at, kind, amount, lot, why, event, user_name, user_email, by_name, by_email in rows:
        if user_email:
            who = (user_name, user_email) if sees_usage else (a_member, "")
        else:
            # An address only for who sees the others' too, or where there is no name.
            who = (by_name or "", by_email or "") if sees_usage or not by_name else (by_name, "")
        yield [
            moment_cell(at),
            kinds[kind],
            *([credits_cell(amount)] if account is Account.CREDITS else []),
            usd_cell(amount),
            lot,
            said(why),
            *who,
            event if sees_usage else "",
        ]


def _line_of(opening: Opening, account: Account) -> list[object]:
    """The last line, with which all are a balance."""
    return [
        moment_cell(opening.at),
        _("Closing balance"),
        *([credits_cell(opening.nanousd)] if account is Account.CREDITS else []),
        usd_cell(opening.nanousd),
        "",
        _("Earlier entries are no longer kept"),
        "",
        "",
        "",
    ]


def _lots_csv(request: TeamRequest, account: Account, name: str) -> HttpResponseBase:
    lots = CreditGrant.objects.for_team(request.team).of_account(account).unspent(timezone.now())
    heading = [_("Lot"), _("Left (USD)"), _("Granted (USD)")]
    heading += [_("Credits left")] if account is Account.CREDITS else [_("Voucher")]
    heading += [_("Granted (UTC)"), _("Expires (UTC)"), _("Frozen (UTC)")]
    return csv_file(name, heading, _lines_of_lots(streamed(lots)))


def _lines_of_lots(lots: Iterator[CreditGrant]) -> Iterator[list[object]]:
    for lot in lots:
        yield [
            lot.pk,
            usd_cell(lot.remaining_nanousd),
            usd_cell(lot.amount_nanousd),
            credits_cell(lot.remaining_nanousd)
            if lot.account == Account.CREDITS
            else yes_cell(lot.is_voucher),
            moment_cell(lot.granted_at),
            moment_cell(lot.expires_at),
            moment_cell(lot.frozen_at),
        ]
