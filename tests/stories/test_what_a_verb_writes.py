"""Which rows each verb writes, in a world in which there are two of everything: those and no others.

A verb that forgets whose row it is to change changes more than one here, or another one's.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from quota.models import CreditLedgerEntry, OwedUsage, Plan
from quota.services import (
    balance,
    credit_requests,
    credits,
    entitlements,
    gateways,
    members,
    notice_settings,
    notices,
    owed,
    reservations,
    seat_requests,
)
from quota.services import invitations as promises
from quota.services import seats as seats_of_plans
from quota.services.windows_history import close_windows
from teams.invitation_tokens import token_of
from teams.models import Mail
from teams.services import (
    access_tokens,
    accounts,
    api_keys,
    invitations,
    keys,
    mail,
    memberships,
    seats,
    teams,
)
from teams.services.invitations import Promise
from teams.services.seats import Change
from tests.helpers.factories import T0, USD
from tests.helpers.life import HOUR, NOW
from tests.helpers.verbs_of_billing import BILLING, Verb
from tests.helpers.world import all_rows, world, written_by

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
NONE = timedelta(0)


TEAMS: dict[str, Verb] = {
    "revoke a token": (
        lambda w: access_tokens.revoke(token=w.token, by=None, at=NOW),
        "AuditEntry +1, PersonalAccessToken ~1",
    ),
    "use a token": (lambda w: access_tokens.recognise(text=w.token_text, at=NOW), "PersonalAccessToken ~1"),
    "close an account": (
        lambda w: accounts.deactivate(user=w.shared, by=None, at=NOW),
        "AuditEntry +1, User ~1",
    ),
    "close and reopen an account": (
        lambda w: accounts.reactivate(
            user=accounts.deactivate(user=w.shared, by=None, at=NOW), reason="x", by=None, at=NOW
        ),
        "AuditEntry +2",
    ),
    "open an account": (lambda w: accounts.open_account(user=w.shared, at=NOW), ""),
    "send an invitation again": (
        lambda w: invitations.resend(invitation=w.invitation, by=w.owner_user, at=NOW),
        "AuditEntry +1, Invitation ~1, Mail +1",
    ),
    "revoke an invitation": (
        lambda w: invitations.revoke(invitation=w.invitation, by=None, at=NOW),
        "AuditEntry +1, Invitation ~1",
    ),
    "accept an invitation": (
        lambda w: invitations.accept_invitation(token=token_of(w.invitation.pk, 1), by=w.new, at=NOW),
        "AuditEntry +2, Invitation ~1, Membership +1, SubscriptionKey +1",
    ),
    "rotate a key": (
        lambda w: keys.rotate_key(membership=w.bob, overlap=NONE, at=NOW, by=w.shared),
        "AuditEntry +1, SubscriptionKey +1, SubscriptionKey ~1",
    ),
    "revoke a key": (
        lambda w: keys.revoke_keys(membership=w.bob, at=NOW, by=None),
        "AuditEntry +1, SubscriptionKey ~1",
    ),
    "make an API key": (
        lambda w: api_keys.create_api_key(
            membership=w.bob, name="x", month_cap_nanousd=None, expires_at=None, at=NOW, by=w.shared
        ),
        "ApiKey +1, ApiKeyText +1, AuditEntry +1",
    ),
    "change an API key": (
        lambda w: api_keys.change_api_key(key=w.api_key, name="y", month_cap_nanousd=1, at=NOW, by=w.shared),
        "ApiKey ~1, AuditEntry +1",
    ),
    "rotate an API key": (
        lambda w: api_keys.rotate_api_key(key=w.api_key, membership=w.bob, overlap=NONE, at=NOW, by=w.shared),
        "ApiKeyText +1, ApiKeyText ~1, AuditEntry +1",
    ),
    "revoke an API key": (
        lambda w: api_keys.revoke_api_key(key=w.api_key, at=NOW, by=None),
        "ApiKey ~1, ApiKeyText ~1, AuditEntry +2",
    ),
    "let members make API keys": (
        lambda w: api_keys.set_api_key_policy(team=w.team, members_make=True, at=NOW, by=w.shared),
        "AuditEntry +1, Team ~1",
    ),
    "add a member": (
        lambda w: memberships.add_member(team=w.team, user=w.new, role="member", by=None, at=NOW),
        "AuditEntry +1, Membership +1, SubscriptionKey +1",
    ),
    "change a role": (
        lambda w: memberships.change_role(membership=w.bob, role="admin", by=None, at=NOW),
        "AuditEntry +1, Mail +1, Membership ~1",
    ),
    "remove a holder": (
        lambda w: memberships.end_membership(membership=w.bob, by=None, at=NOW),
        "ApiKeyText ~2, AuditEntry +5, Mail +1, Mail -5, Membership ~1, SeatHolding ~1, SubscriptionKey ~1",
    ),
    "remove a member": (
        lambda w: memberships.end_membership(membership=w.dan, by=None, at=NOW),
        "AuditEntry +2, Mail +1, Membership ~1, SubscriptionKey ~1",
    ),
    "assign a seat": (
        lambda w: seats.assign_seat(seat=w.spare, membership=w.dan, by=None, at=NOW),
        "AuditEntry +1, Mail +1, SeatHolding +1",
    ),
    "move a seat": (
        lambda w: seats.move_seat(seat=w.seat, to=w.dan, by=None, at=NOW),
        "AuditEntry +2, Mail +1, Mail -1, SeatHolding +1, SeatHolding ~1",
    ),
    "undo that a seat was freed": (
        lambda w: seats.undo_change(
            seat=w.seat,
            change=Change(seats.free_seat(seat=w.seat, by=None, at=NOW).pk, False, w.bob.pk, NOW),
            by=w.owner_user,
            at=NOW,
        ),
        "AuditEntry +2, Mail -1, SeatHolding +1, SeatHolding ~1",
    ),
    "free a seat": (
        lambda w: seats.free_seat(seat=w.seat, by=None, at=NOW),
        "AuditEntry +1, Mail -1, SeatHolding ~1",
    ),
    "remove a seat": (
        lambda w: seats.remove_seat(seat=w.seat, by=None, at=NOW),
        "AuditEntry +2, Mail -1, Seat ~1, SeatHolding ~1",
    ),
    "rename": (
        lambda w: teams.rename_team(team=w.team, name="New", by=None, at=NOW),
        "AuditEntry +1, Team ~1",
    ),
    "transfer": (
        lambda w: teams.transfer_ownership(team=w.team, to=w.dan, by=None, at=NOW),
        "AuditEntry +1, Mail +2, Membership ~2",
    ),
    "delete a Team": (
        lambda w: teams.delete_team(team=w.plain, by=None, at=NOW),
        "AuditEntry +3, Invitation ~1, Membership ~2, SubscriptionKey ~2, Team ~1",
    ),
    "try a mail again": (
        lambda w: mail.retry(mail=Mail.objects.filter(to=w.new.email)[0], at=NOW),
        "Mail ~1",
    ),
    "send a mail again": (
        lambda w: mail.send_again(mail=Mail.objects.filter(to=w.new.email)[0], reason="x", by=None, at=NOW),
        "AuditEntry +1, Mail ~1",
    ),
}

ADJUSTMENT = CreditLedgerEntry.Kind.ADJUSTMENT
QUOTA: dict[str, Verb] = {
    "add to the API balance": (
        lambda w: balance.add_to_balance(
            team=w.team, nanousd=USD, source="x", cause="Bought", at=NOW, by=None
        ),
        "AuditEntry +1, CreditGrant +1, CreditLedgerEntry +1",
    ),
    "give a voucher": (
        lambda w: balance.give_voucher(
            team=w.team, nanousd=USD, expires_at=NOW + DAY, source="x", reason="r", at=NOW, by=None
        ),
        "AuditEntry +1, CreditGrant +1, CreditLedgerEntry +1",
    ),
    "warn of the API balance": (
        lambda w: balance.set_balance_alert(
            team=w.team, enabled=False, low_balance_nanousd=1, at=NOW, by=None
        ),
        "AuditEntry +1, TeamCredits ~1",
    ),
    "grant Credits": (
        lambda w: credits.grant_credits(team=w.team, nanousd=USD, source="x", at=NOW, by=None),
        "AuditEntry +1, CreditGrant +1, CreditLedgerEntry +3, OwedUsage ~2",
    ),
    "adjust a lot": (
        lambda w: credits.adjust_lot(lot=w.lot, nanousd=-1, kind=ADJUSTMENT, cause="x", at=NOW, by=None),
        "AuditEntry +1, CreditGrant ~1, CreditLedgerEntry +1",
    ),
    "freeze a lot": (
        lambda w: credits.freeze_lot(lot=w.lot, frozen=True, at=NOW, by=None),
        "AuditEntry +1, CreditGrant ~1",
    ),
    "expire lots": (lambda w: credits.expire_lots(at=T0 + 2 * HOUR), "CreditGrant ~3, CreditLedgerEntry +3"),
    "set access": (
        lambda w: credits.set_credit_access(
            membership=w.bob, allowed=False, overflow="never", month_cap_nanousd=None, at=NOW, by=None
        ),
        "AuditEntry +1, CreditAccess ~1, PastCreditAccess +1",
    ),
    "set an own cap": (
        lambda w: credits.set_own_cap(membership=w.bob, month_cap_nanousd=0, at=NOW, by=w.shared),
        "AuditEntry +1, CreditAccess ~1, PastCreditAccess +1",
    ),
    "choose notices": (
        lambda w: notice_settings.set_notices(
            user=w.shared, thresholds=[50], credits_low=True, balance_low=False
        ),
        "NoticeSettings +1",
    ),
    "set the policy": (
        lambda w: credits.set_team_credits(
            team=w.team, overflow="never", low_balance_nanousd=1, at=NOW, by=None
        ),
        "AuditEntry +1, PastTeamOverflow +1, TeamCredits ~1",
    ),
    "entitle": (
        lambda w: entitlements.entitle_seat(
            seat=w.seat,
            plan=Plan.objects.current("plus"),
            starts_at=NOW,
            ends_at=None,
            source="x",
            at=NOW,
            by=None,
        ),
        "AuditEntry +1, Entitlement +1, Entitlement ~1",
    ),
    "suspend": (
        lambda w: entitlements.suspend_seat(seat=w.seat, at=NOW, by=None),
        "AuditEntry +1, Entitlement ~1",
    ),
    "withdraw": (
        lambda w: entitlements.withdraw_seat(seat=w.seat, at=NOW, by=None),
        "AuditEntry +2, Entitlement ~1, Mail -1, Seat ~1, SeatHolding ~1",
    ),
    "revoke a gateway": (
        lambda w: gateways.revoke_gateway(gateway=w.gone_gateway, at=NOW, by=None),
        "AuditEntry +1, Gateway ~1",
    ),
    "ask for a seat": (
        lambda w: seat_requests.request_seat(
            membership=w.dan,
            plan_code="max",
            message="",
            at=NOW,
            by=w.dan.user,
        ),
        "AuditEntry +1, Mail +2, SeatRequest +1",
    ),
    "grant a request": (
        lambda w: seat_requests.answer_request(
            request=w.request, granted=True, seat=w.granted_seat, at=NOW, by=w.owner_user
        ),
        "AuditEntry +3, Mail +2, Mail -3, SeatHolding +1, SeatHolding ~1, SeatRequest ~1",
    ),
    "ask for Credits": (
        lambda w: credit_requests.request_credits(
            membership=w.dan,
            wanted_nanousd=USD,
            message="",
            at=NOW,
            by=w.dan.user,
        ),
        "AuditEntry +1, CreditRequest +1, Mail +2",
    ),
    "grant Credits that were asked for": (
        lambda w: credit_requests.grant_credit_request(
            request=w.credit_request, overflow="never", month_cap_nanousd=7, at=NOW, by=w.owner_user
        ),
        "AuditEntry +2, CreditAccess ~1, CreditRequest ~1, Mail +1, Mail -2, PastCreditAccess +1",
    ),
    "decline Credits that were asked for": (
        lambda w: credit_requests.decline_credit_request(request=w.credit_request, at=NOW, by=w.owner_user),
        "AuditEntry +1, CreditRequest ~1, Mail +1, Mail -2",
    ),
    "give a seat of a plan": (
        lambda w: seats_of_plans.give_seat_of_plan(membership=w.dan, plan_code="plus", by=None, at=NOW),
        "AuditEntry +1, Mail +1, SeatHolding +1",
    ),
    "invite with a promise": (
        lambda w: promises.invite(
            team=w.team,
            email="promised@example.com",
            role="member",
            promise=Promise("max"),
            by=w.owner_user,
            at=NOW,
        ),
        "AuditEntry +1, Invitation +1, Mail +1",
    ),
    "join": (
        lambda w: promises.join(token=token_of(w.invitation.pk, 1), by=w.new, at=NOW),
        "AuditEntry +2, Invitation ~1, Membership +1, SubscriptionKey +1",
    ),
    "remove many": (
        lambda w: members.act_on_each(
            verb=members.Verb.REMOVE, members=[w.dan], terms=members.Terms(), by=w.owner_user, at=NOW
        ),
        "AuditEntry +2, Mail +1, Membership ~1, SubscriptionKey ~1",
    ),
    "waive": (
        lambda w: owed.waive_owed_usage(
            owed=OwedUsage.objects.filter(team=w.team).order_by("pk")[0], reason="x", at=NOW, by=None
        ),
        "AuditEntry +1, OwedUsage ~1",
    ),
    "lapse": (lambda w: reservations.expire_reservations(at=NOW + HOUR), "Reservation ~9"),
    "notices": (lambda w: notices.send_notices(at=NOW), "JobProgress +1, Mail +9"),
    "close windows": (lambda w: close_windows(at=T0 + 8 * DAY), "ClosedWindow +18, JobProgress +1"),
}


@pytest.mark.slow
def test_each_verb_writes_its_rows_and_no_others() -> None:
    home = world()
    before = all_rows()
    verbs = TEAMS | QUOTA | BILLING
    written = {
        name: written_by(partial(verb, home), before=before) for name, (verb, _expected) in verbs.items()
    }
    assert written == {name: expected for name, (_verb, expected) in verbs.items()}
