"""A member asks for access to the Team's Credits; the Owner or an Admin answers."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from quota.errors import CreditRequestClosed, CreditRequestOpen
from quota.models import CreditRequest
from quota.money import MAX_NANOUSD, credits_text, credits_words
from quota.selectors.credits import credit_access, team_balance, team_credits
from quota.selectors.member_requests import who_answers
from quota.services.credits import of_access, set_credit_access
from quota.services.seat_requests import MAX_MESSAGE
from teams.models import Membership, User
from teams.services import mail
from teams.services.audit import record
from teams.services.locks import lock_membership
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.text import clean_name
from tokenplan.kit.transactions import one_transaction, refused_by


@one_transaction()
def request_credits(
    *, membership: Membership, wanted_nanousd: int | None, message: str, at: datetime, by: User
) -> CreditRequest:
    """The request waits in the Team's inbox, and its Owner and Admins get a mail. `wanted_nanousd`: how much
    a calendar month; None: the member names no number.

    Raises CreditRequestOpen while an earlier one waits; InvalidValue for what is no amount, for a member
    whose access has no limit already, and for the Owner, who has nobody to ask.
    """
    membership = lock_membership(membership)
    if membership.is_owner:
        raise InvalidValue(_("You own this Team: give yourself access under Credits."))
    if wanted_nanousd is not None and not 0 < wanted_nanousd <= MAX_NANOUSD:
        raise InvalidValue(
            _("Ask for more than 0 Credits, and at most %(most)s.") % {"most": credits_words(MAX_NANOUSD)},
            pointer="/wanted",
        )
    if credit_access(membership).is_unlimited:
        raise InvalidValue(_("You may use the Team's Credits already, without a cap."))
    message = clean_name(message, pointer="/message", limit=MAX_MESSAGE, required=False)
    with refused_by(one_open_credit_request_per_member=CreditRequestOpen):
        request = CreditRequest.objects.create(
            team=membership.team,
            membership=membership,
            wanted_nanousd=wanted_nanousd,
            message=message,
            created_at=at,
        )
    wanted = {} if wanted_nanousd is None else {"wanted_credits": credits_text(wanted_nanousd)}
    record(
        team=membership.team,
        by=by,
        action="credits.requested",
        subject=membership.user.email,
        details=wanted,
        at=at,
    )
    for manager in who_answers(membership):
        mail.queue(
            kind="credits_requested",
            to=manager.user.email,
            context={
                "team": membership.team.kept_name,
                "slug": membership.team.slug,
                "member": membership.user.display_name,
                "wanted_nanousd": wanted_nanousd or 0,
                "message": message,
            },
            dedupe_key=f"{asked_in(request)}{manager.pk}",
            at=at,
        )
    return request


def asked_in(request: CreditRequest) -> str:
    """What the keys of the mails to those who may answer begin with."""
    return f"member:{request.membership_id}:credit_request:{request.pk}:"


@one_transaction()
def grant_credit_request(
    *, request: CreditRequest, overflow: str, month_cap_nanousd: int | None, at: datetime, by: User
) -> CreditRequest:
    """The member may use the Team's Credits from `at` on: with `overflow` `allow` also when a window of the
    seat is full, up to the cap a calendar month (None: no cap). Closes the request and mails what was given.

    Raises CreditRequestClosed, NotFound once the member left, InvalidValue.
    """
    membership, locked = _lock_open(request)
    if month_cap_nanousd == 0:
        raise InvalidValue(_("A cap of 0 gives nothing: decline instead."), pointer="/month_cap")
    set_credit_access(
        membership=membership,
        allowed=True,
        overflow=overflow,
        month_cap_nanousd=month_cap_nanousd,
        at=at,
        by=by,
    )
    locked.granted, locked.overflow, locked.month_cap_nanousd = True, overflow, month_cap_nanousd
    return _close(locked, membership, at=at, by=by)


@one_transaction()
def decline_credit_request(*, request: CreditRequest, at: datetime, by: User) -> CreditRequest:
    """Closes the request, changes no access, and mails that to the member.

    Raises CreditRequestClosed, NotFound once the member left.
    """
    membership, locked = _lock_open(request)
    locked.granted = False
    return _close(locked, membership, at=at, by=by)


def _lock_open(request: CreditRequest) -> tuple[Membership, CreditRequest]:
    """The member before the request, as requests for seats are locked."""
    membership = lock_membership(request.membership)
    locked = CreditRequest.objects.select_for_update(no_key=True).get(pk=request.pk)
    if locked.closed_at is not None:
        raise CreditRequestClosed
    return membership, locked


def _close(request: CreditRequest, membership: Membership, *, at: datetime, by: User) -> CreditRequest:
    request.closed_at, request.closed_by = at, by
    request.save(update_fields=["closed_at", "closed_by", "granted", "overflow", "month_cap_nanousd"])
    mail.take_back(asked_in(request))
    given: dict[str, str | int | None] = (
        {"overflow": request.overflow, "month_cap_nanousd": request.month_cap_nanousd}
        if request.granted
        else {}
    )
    record(
        team=membership.team,
        by=by,
        action="credits.request_answered",
        subject=membership.user.email,
        details={"granted": request.granted, **given},
        at=at,
    )
    mail.queue(
        kind="credit_request_answered",
        to=membership.user.email,
        context={
            "team": membership.team.kept_name,
            "answer": "granted" if request.granted else "declined",
            "by": by.display_name,
            "at": at.isoformat(),
            "overflow": request.overflow,
            "month_cap_nanousd": request.month_cap_nanousd or 0,
            "team_overflow": team_credits(membership.team_id).overflow,
            "balance_nanousd": team_balance(membership.team_id, at),
        },
        dedupe_key=f"{of_access(membership)}{request.pk}",
        at=at,
    )
    return request
