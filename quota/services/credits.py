"""Credits: granted in lots, and who may use them and how much. Lots of either account are adjusted, frozen
and expired here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from quota import servers
from quota.errors import CreditsNotEnough
from quota.hot_path.locks import lock_credits, lock_lot
from quota.models import (
    Account,
    CreditAccess,
    CreditGrant,
    CreditLedgerEntry,
    PastCreditAccess,
    PastTeamOverflow,
    Reservation,
    TeamCredits,
)
from quota.money import MAX_NANOUSD, credits_text, credits_words
from quota.services.lots import amount_details, grant_lot
from teams.models import Membership, Team, User
from teams.services import mail
from teams.services.audit import because, record
from teams.services.locks import lock_membership
from tokenplan.kit import clock
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.transactions import SWEEP_STATEMENT_TIMEOUT_MS, one_transaction

LOT_LIFETIME = timedelta(days=365)
OVERFLOW = ("never", "allow")


@one_transaction()
def grant_credits(
    *,
    team: Team,
    nanousd: int,
    source: str,
    at: datetime,
    by: User | None,
    expires_at: datetime | None = None,
    cause: str = "",
) -> CreditGrant:
    """A new lot of the Team. A `source` makes one lot: with the same source again, that lot is returned.
    `cause` goes into the ledger, and of what somebody gives into the audit, as the reason; left out, the
    ledger has the source.

    It expires at `expires_at`, which is 365 days after `at` if left out. Raises InvalidValue.
    """
    if not 0 < nanousd <= MAX_NANOUSD:
        raise InvalidValue(
            _("Grant more than 0 Credits, and at most %(most)s.") % {"most": credits_words(MAX_NANOUSD)},
            pointer="/credits",
        )
    return grant_lot(
        account=Account.CREDITS,
        team=team,
        nanousd=nanousd,
        source=source,
        cause=cause,
        expires_at=expires_at or at + LOT_LIFETIME,
        at=at,
        by=by,
    )


@one_transaction()
def adjust_lot(
    *, lot: CreditGrant, nanousd: int, kind: CreditLedgerEntry.Kind, cause: str, at: datetime, by: User | None
) -> CreditGrant:
    """Change what a lot holds. A refund takes from it what the payer got back; an adjustment corrects it
    either way.

    `nanousd` is signed. A lot never holds less than nothing or more than it was granted. Raises
    CreditsNotEnough, InvalidValue: a voucher is never paid back.
    """
    if kind not in (CreditLedgerEntry.Kind.REFUND, CreditLedgerEntry.Kind.ADJUSTMENT) or nanousd == 0:
        raise InvalidValue(_("A lot is changed by a refund or an adjustment, and by more or less than 0."))
    if kind == CreditLedgerEntry.Kind.REFUND and nanousd > 0:
        raise InvalidValue(_("A refund takes from the lot: give a negative amount."), pointer="/amount")
    if kind == CreditLedgerEntry.Kind.REFUND and lot.is_voucher:
        raise InvalidValue(_("A voucher is never paid back; adjust it instead."), pointer="/kind")
    lot = lock_lot(lot)
    if not 0 <= lot.remaining_nanousd + nanousd <= lot.amount_nanousd:
        raise CreditsNotEnough(
            _("The lot holds %(left)s of %(granted)s.")
            % {"left": lot.words(lot.remaining_nanousd), "granted": lot.words(lot.amount_nanousd)}
        )
    lot.remaining_nanousd += nanousd
    lot.save(update_fields=["remaining_nanousd"])
    CreditLedgerEntry.objects.create(
        account=lot.account,
        team=lot.team,
        grant=lot,
        kind=kind,
        amount_nanousd=nanousd,
        by=by,
        cause=cause,
        at=at,
    )
    details = {**amount_details(lot.account, nanousd), "cause": cause}
    action = f"{lot.account}.{kind}"
    record(team=lot.team, by=by, action=action, subject=f"lot {lot.pk}", details=details, at=at)
    return lot


@one_transaction()
def freeze_lot(
    *, lot: CreditGrant, frozen: bool, reason: str = "", at: datetime, by: User | None
) -> CreditGrant:
    """A frozen lot is not drawn from: its payment is disputed."""
    lot = lock_lot(lot)
    if (lot.frozen_at is not None) != frozen:
        lot.frozen_at = at if frozen else None
        lot.save(update_fields=["frozen_at"])
        action = f"{lot.account}.{'frozen' if frozen else 'unfrozen'}"
        subject, details = f"lot {lot.pk}", because(reason)
        record(team=lot.team, by=by, action=action, subject=subject, details=details, at=at)
    return lot


@one_transaction(statement_timeout_ms=SWEEP_STATEMENT_TIMEOUT_MS)
def expire_lots(*, at: datetime | None = None) -> int:
    """Write the expiry of lots into the ledger; None: of those that are over by the database's clock. Returns
    how many lots.

    An expired lot counts nowhere from its moment on; this only closes the books. It waits one reservation
    lifetime, and for every open hold of Credits or API balance that is older than the expiry: they may still
    draw on the lot.
    """
    at = at or clock.database_now()
    over = at - timedelta(seconds=settings.RESERVATION_LIFETIME_SECONDS)
    older = Reservation.objects.filter(
        team=OuterRef("team"),
        state=Reservation.State.HELD,
        holds_until__gt=at,
        created_at__lt=OuterRef("expires_at"),
    ).filter(Q(from_credits_nanousd__gt=0) | Q(from_balance_nanousd__gt=0))
    due = CreditGrant.objects.filter(~Exists(older), expires_at__lte=over, remaining_nanousd__gt=0)
    teams = set(due.values_list("team_id", flat=True))
    rows = TeamCredits.objects.select_for_update(no_key=True).order_by("pk")
    # Rows of many servers cannot be locked by one statement.
    for some in [[team] for team in sorted(teams)] if servers.are_many() else [teams]:
        list(rows.filter(team__in=some))
    # Read again after the locks: a call may have drawn on the lots while they were waited for.
    lots = due.filter(team__in=teams).order_by("pk")
    entries = [
        CreditLedgerEntry(
            account=lot.account,
            team_id=lot.team_id,
            grant=lot,
            kind=CreditLedgerEntry.Kind.EXPIRY,
            amount_nanousd=-lot.remaining_nanousd,
            cause="expired",
            at=lot.expires_at or at,
        )
        for lot in lots
    ]
    CreditLedgerEntry.objects.bulk_create(entries)
    CreditGrant.objects.filter(pk__in=[entry.grant_id for entry in entries]).update(remaining_nanousd=0)
    return len(entries)


@one_transaction()
def set_credit_access(
    *,
    membership: Membership,
    allowed: bool,
    overflow: str,
    month_cap_nanousd: int | None,
    at: datetime,
    by: User | None,
) -> CreditAccess:
    """Whether a member may use the Team's Credits, whether usage beyond a seat's quota falls to them, up to
    how much a calendar month (UTC; None: no cap). It counts for calls from `at` on, whenever they are
    reported. Raises InvalidValue, NotFound.
    """
    if overflow not in OVERFLOW:
        raise InvalidValue(_("Overflow is never or allow."), pointer="/overflow")
    _check_cap(month_cap_nanousd)
    return _change_access(
        membership,
        {"allowed": allowed, "overflow": overflow, "granted_month_cap_nanousd": month_cap_nanousd},
        action="credits.access",
        at=at,
        by=by,
    )


@one_transaction()
def allow_credits(
    *, membership: Membership, month_cap_nanousd: int | None, at: datetime, by: User | None
) -> CreditAccess:
    """The member may use the Team's Credits, up to so many a calendar month (UTC; None: no cap). Whether they
    pay when a window is full stays as it is. It counts for calls from `at` on. Raises InvalidValue, NotFound.
    """
    _check_cap(month_cap_nanousd)
    changes = {"allowed": True, "granted_month_cap_nanousd": month_cap_nanousd}
    return _change_access(membership, changes, action="credits.access", at=at, by=by)


@one_transaction()
def stop_credits(*, membership: Membership, at: datetime, by: User | None) -> CreditAccess:
    """The member may not use the Team's Credits from `at` on. The cap stays, for when they may again. Raises
    NotFound.
    """
    return _change_access(membership, {"allowed": False}, action="credits.access", at=at, by=by)


@one_transaction()
def set_own_cap(
    *, membership: Membership, month_cap_nanousd: int | None, at: datetime, by: User
) -> CreditAccess:
    """The member's own cap on the Team's Credits, of a calendar month (UTC). 0: none are used without asking
    the member; None: no own cap. It counts for calls from `at` on, and the lower of it and the cap that was
    granted holds. Raises InvalidValue, NotFound.
    """
    _check_cap(month_cap_nanousd)
    changes: dict[str, bool | str | int | None] = {"own_month_cap_nanousd": month_cap_nanousd}
    return _change_access(membership, changes, action="credits.own_cap", at=at, by=by)


def _check_cap(nanousd: int | None) -> None:
    if nanousd is not None and not 0 <= nanousd <= MAX_NANOUSD:
        raise InvalidValue(
            _("A cap is from 0 to %(most)s Credits.") % {"most": credits_words(MAX_NANOUSD)},
            pointer="/month_cap",
        )


def of_access(membership: Membership) -> str:
    """What the keys of mails about a member's access begin with."""
    return f"member:{membership.pk}:credits:"


def _change_access(
    membership: Membership,
    now: Mapping[str, bool | str | int | None],
    *,
    action: str,
    at: datetime,
    by: User | None,
) -> CreditAccess:
    """What was before is kept for late usage, which is judged by the access of its own moment."""
    membership = lock_membership(membership)
    access, _is_new = CreditAccess.objects.select_for_update(no_key=True).get_or_create(
        membership=membership, defaults={"allowed": membership.is_founder}
    )
    changed = {name: value for name, value in now.items() if getattr(access, name) != value}
    if changed:
        past = {name: getattr(access, name) for name in ("allowed", "overflow", "month_cap_nanousd")}
        PastCreditAccess.objects.create(membership=membership, until=at, **past)
        for name, value in changed.items():
            setattr(access, name, value)
        access.save(update_fields=list(changed))
        access.refresh_from_db(fields=["month_cap_nanousd"])
        mail.take_back(of_access(membership))
        record(
            team=membership.team,
            by=by,
            action=action,
            subject=membership.user.email,
            details=changed,
            at=at,
        )
    return access


@one_transaction()
def set_team_credits(
    *, team: Team, overflow: str, low_balance_nanousd: int, at: datetime, by: User | None
) -> TeamCredits:
    """The Team's overflow policy, which counts for calls from `at` on, and the balance below which its
    Owner is warned. Raises InvalidValue.
    """
    if overflow not in OVERFLOW:
        raise InvalidValue(_("Overflow is never or allow."), pointer="/overflow")
    if not 0 <= low_balance_nanousd <= MAX_NANOUSD:
        raise InvalidValue(
            _("The balance to warn at is from 0 to %(most)s Credits.") % {"most": credits_words(MAX_NANOUSD)},
            pointer="/low_balance",
        )
    rules = lock_credits(team)
    if (rules.overflow, rules.low_balance_nanousd) != (overflow, low_balance_nanousd):
        if rules.overflow != overflow:
            PastTeamOverflow.objects.create(team=team, until=at, overflow=rules.overflow)
        rules.overflow, rules.low_balance_nanousd = overflow, low_balance_nanousd
        rules.save(update_fields=["overflow", "low_balance_nanousd"])
        details = {"overflow": overflow, "low_balance_credits": credits_text(low_balance_nanousd)}
        record(team=team, by=by, action="credits.policy", subject=team.name, details=details, at=at)
    return rules
