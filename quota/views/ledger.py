"""The ledger and the lots of a Team's Credits, or of its API balance: as parts of a page, and as files."""

from __future__ import annotations

from collections.abc import Iterator

from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _

from quota.api.csv_answers import credits_cell, csv_answer_of_one_read, moment_cell, usd_cell
from quota.models import Account, CreditGrant, CreditLedgerEntry
from quota.selectors.ledger import KINDS, LedgerFilter
from quota.selectors.usage_filter import members_called
from quota.templatetags.amounts import cause
from quota.usage_forms import LedgerForm
from teams.permissions import Right, may
from teams.views.base import TeamRequest, team_page
from tokenplan.kit.pages import page_of
from tokenplan.kit.transactions import streamed

LEDGER_PAGE = 25


def ledger_of(request: TeamRequest, account: Account) -> dict[str, object]:
    """What `includes/ledger.html` shows: a page of the entries that are asked for, the latest first."""
    form, wanted = _asked(request)
    entries, among = wanted.entries(request.team, account), wanted.among(request.team)
    return {
        "ledger_form": form,
        "ledger": page_of(entries, request, size=LEDGER_PAGE, among=among),
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
    entries = _asked(request)[1].entries(request.team, account).order_by("-at", "-pk")
    of_credits = [_("Credits")] if account is Account.CREDITS else []
    heading = [_("When (UTC)"), _("Kind"), *of_credits, _("Amount (USD)")]
    heading += [_("Lot"), _("Cause"), _("Who"), _("Receipt")]
    sees_usage = may(request.membership, Right.VIEW_USAGE)
    return csv_answer_of_one_read(name, heading, (_line(entry, sees_usage) for entry in streamed(entries)))


def _line(entry: CreditLedgerEntry, sees_usage: bool) -> list[object]:
    amount = entry.amount_nanousd
    return [
        moment_cell(entry.at),
        str(KINDS[entry.kind]),
        *([credits_cell(amount)] if entry.account == Account.CREDITS else []),
        usd_cell(amount),
        entry.grant_id,
        cause(entry.cause),
        _who(entry, sees_usage),
        entry.event_id if sees_usage else "",
    ]


def _who(entry: CreditLedgerEntry, sees_usage: bool) -> str:
    """Who used what is for those who see usage. Nobody is the system."""
    if sees_usage and entry.membership:
        return entry.membership.user.email
    if entry.membership:
        return _("A member")
    if entry.by:
        return entry.by.email if sees_usage else entry.by.display_name
    return ""


def _lots_csv(request: TeamRequest, account: Account, name: str) -> HttpResponseBase:
    lots = CreditGrant.objects.for_team(request.team).of_account(account).unspent(timezone.now())
    heading = [_("Lot"), _("Left (USD)"), _("Granted (USD)")]
    heading += [_("Credits left")] if account is Account.CREDITS else [_("Voucher")]
    heading += [_("Granted (UTC)"), _("Expires (UTC)"), _("Frozen (UTC)")]
    return csv_answer_of_one_read(name, heading, _lines_of_lots(streamed(lots)))


def _lines_of_lots(lots: Iterator[CreditGrant]) -> Iterator[list[object]]:
    for lot in lots:
        voucher = _("yes") if lot.is_voucher else _("no")
        yield [
            lot.pk,
            usd_cell(lot.remaining_nanousd),
            usd_cell(lot.amount_nanousd),
            credits_cell(lot.remaining_nanousd) if lot.account == Account.CREDITS else voucher,
            moment_cell(lot.granted_at),
            moment_cell(lot.expires_at),
            moment_cell(lot.frozen_at),
        ]
