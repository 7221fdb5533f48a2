"""Each write of the operators' pages, as a request that does what it is for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from billing.models import InviteCampaign, InviteLink, Promotion, StripeEvent
from quota.models import (
    Account,
    CreditGrant,
    GatewayCredential,
    OwedUsage,
    Plan,
    QuarantinedRow,
    UsageEvent,
)
from quota.services.entitlements import suspend_seat
from quota.services.quarantine import RejectedRow, keep_rejected
from quota.services.rate_cards import load_rate_card
from teams.models import Invitation, Mail, Membership, Seat, SubscriptionKey, User
from teams.services import access_tokens
from teams.services.accounts import deactivate
from tests.helpers.admin_forms import hidden
from tests.helpers.admin_urls import change_url, verb_url
from tests.helpers.bought import buy, say_promotion
from tests.helpers.factories import (
    RATE_CARD,
    T0,
    key_of,
    make_draft,
    make_gateway,
    make_member,
    make_seat,
    make_user,
    owe,
)
from tests.helpers.lost_connections import cookies_of, form_call
from tests.helpers.proof import prove
from tests.helpers.signed import deliver_event, event
from tests.helpers.writes import AWAY, Write
from tests.keepers.test_tenancy import Scene
from tokenplan.kit.admin import VerbsAdmin

CONFIRMED = {"confirmed": "yes"}
REASON = "Ticket 7"
VERSION: dict[str, Any] = {
    "name": "Plan",
    "agents_min": 4,
    "agents_max": 6,
    "limit_5h": "12.50",
    "limit_week": "125",
    "month": "55",
    "year": "550",
}
SOON = "2026-07-03T00:00"


def verbs_of_the_desk() -> set[str]:
    """Every verb that a page of the operators has, as its address is named."""
    return {
        f"{model._meta.app_label}_{model._meta.model_name}_{verb.name}"
        for model, page in admin.site._registry.items()
        if isinstance(page, VerbsAdmin)
        for verb in page.verbs
    }


def writes_of_operators(scene: Scene) -> Iterator[Write]:
    user = make_user("root@example.com")
    User.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(user)
    prove(client)
    desk = Desk(client, Membership.objects.get(user=scene.people["owner"], team__slug=scene.slug))
    yield from desk.verbs()
    yield from desk.actions()
    yield from desk.forms()


class Desk:
    def __init__(self, client: Client, owner: Membership) -> None:
        self.client, self.owner = client, owner
        self.headers = cookies_of(client)

    def verb(self, row: Model, verb: str, why: str = "", **values: Any) -> Write:
        url = verb_url(row, verb)
        name = f"{row._meta.app_label}_{row._meta.model_name}_{verb}"
        return Write(form_call(name, url, self._complete(url, values), self.headers), why)

    def _complete(self, url: str, values: dict[str, Any]) -> dict[str, Any]:
        """With the hidden fields that the page of the form has."""
        return {**hidden(self.client.get(url)), "reason": REASON, **values}

    def verbs(self) -> Iterator[Write]:
        yield from self._of_teams()
        yield from self._of_seats()
        yield from self._of_calls()
        yield from self._of_sales()

    def _of_teams(self) -> Iterator[Write]:
        team, member = self.owner.team, make_member(self.owner.team)
        closed, with_passkey = make_user(), make_user()
        deactivate(user=closed, reason="x", by=None, at=T0)
        Authenticator.objects.create(user=with_passkey, type="webauthn", data={"name": "phone"})
        yield self.verb(team, "hand-over", email=member.user.email, **CONFIRMED)
        yield self.verb(team, "grant-seat", plan=Plan.objects.current("max").pk)
        yield self.verb(team, "grant-credits", credits="5")
        yield self.verb(team, "give-voucher", amount="2.50", expires_at=SOON)
        yield self.verb(member.user, "close")
        yield self.verb(closed, "reopen")
        yield self.verb(with_passkey, "remove-passkeys")
        yield self.verb(Mail.objects.latest("pk"), "send-again")

    def _of_seats(self) -> Iterator[Write]:
        seat, suspended = (make_seat(self.owner.team, Plan.objects.current("max")) for _ in range(2))
        suspend_seat(seat=suspended, reason="x", at=T0, by=None)
        yield self.verb(seat, "entitle", plan=Plan.objects.current("plus").pk)
        yield self.verb(seat, "suspend")
        yield self.verb(suspended, "resume")
        yield self.verb(seat, "withdraw")

    def _of_calls(self) -> Iterator[Write]:
        gateway = make_gateway()
        owe(self.owner, Account.BALANCE)  # what is bought below pays for no API balance
        dearer = RATE_CARD.replace("penny,language,calls,1,0.01", "penny,language,calls,1,0.02")
        card, _ = load_rate_card(text=dearer, effective_from=T0 + timedelta(days=1), at=T0, by=None)
        row = {"id": "kept", "key": key_of(self.owner), "model": "penny", "usage": {"calls": 3}}
        kept = RejectedRow({**row, "occurred_at": T0.isoformat()}, "model_unknown", "why")
        keep_rejected(gateway=gateway, kind=QuarantinedRow.Kind.EVENT, rows=[kept], at=T0)
        yield self.verb(
            CreditGrant.objects.earliest("pk"), "correct", kind="adjustment", amount="-1", cause=REASON
        )
        yield self.verb(OwedUsage.objects.get(membership=self.owner), "waive")
        yield self.verb(gateway, "replace-credential", overlap_hours=2)
        credential = GatewayCredential.objects.get(gateway=gateway)
        yield self.verb(gateway, "end-credential", credential=credential.pk)
        yield self.verb(gateway, "limits", max_lifetime_seconds=3600, flush_seconds=60)
        yield self.verb(QuarantinedRow.objects.get(), "replay")
        yield self.verb(QuarantinedRow.objects.get(), "write-off")
        yield self.verb(card, "withdraw", **CONFIRMED)
        charge = UsageEvent.objects.filter(team_id=self.owner.team_id).earliest("pk")
        used: dict[str, Any] = {"meter-calls": 2}
        yield self.verb(charge, "correct", **used)

    def _of_sales(self) -> Iterator[Write]:
        deliver_event(Client(), event("invoice.paid", {"id": "in_9", "object": "invoice"}, id="evt_kept"))
        draft, sold = make_draft("plus"), Plan.objects.current("max")
        yield self.verb(InviteCampaign.objects.get(), "words", title_en="Bring a friend")
        yield self.verb(InviteCampaign.objects.get(), "end", **CONFIRMED)
        yield self.verb(InviteLink.objects.get(), "block")
        yield self.verb(StripeEvent.objects.get(stripe_id="evt_kept"), "replay", **CONFIRMED)
        yield self.verb(buy(self.owner.team), "refund", AWAY, amount="1", **CONFIRMED)
        yield self.verb(say_promotion("BYHAND"), "terms", scope="credits", once_a_team="on", title_en="x")
        yield self.verb(sold, "new-version", **VERSION)
        yield self.verb(sold, "withdraw", **CONFIRMED)
        yield self.verb(draft, "change-draft", **VERSION)
        yield self.verb(draft, "discard")
        shown = self.client.post(verb_url(draft, "publish"), {"reason": REASON})
        yield self.verb(draft, "publish", AWAY, **hidden(shown))

    def actions(self) -> Iterator[Write]:
        user = self.owner.user
        token, _ = access_tokens.create(user=user, name="ci", scope="read", expires_in_days=9, by=user, at=T0)
        lot, frozen = CreditGrant.objects.order_by("pk")[:2]
        CreditGrant.objects.filter(pk=frozen.pk).update(frozen_at=T0)
        for row, action, why in (
            (lot, "freeze", ""),
            (frozen, "unfreeze", ""),
            (GatewayCredential.objects.earliest("pk").gateway, "revoke", ""),
            (QuarantinedRow.objects.get(), "replay", ""),
            (Seat.objects.filter(holdings__ended_at=None).exclude(holdings=None).earliest("pk"), "free", ""),
            (StripeEvent.objects.get(stripe_id="evt_kept"), "replay", ""),
            (Promotion.objects.get(code="BYHAND"), "deactivate", AWAY),
            (Invitation.objects.earliest("created_at"), "resend", ""),
            (Invitation.objects.earliest("created_at"), "revoke", ""),
            (token, "revoke", ""),
            (SubscriptionKey.objects.earliest("pk"), "revoke", ""),
            (Mail.objects.filter(sent_at=None).earliest("pk"), "retry", ""),
        ):
            name = f"{row._meta.app_label}_{row._meta.model_name}_changelist"
            values = {"action": action, "_selected_action": row.pk, "reason": REASON}
            yield Write(form_call(name, reverse(f"admin:{name}"), values, self.headers), why)

    def forms(self) -> Iterator[Write]:
        group, user = Group.objects.create(name="support"), make_user()
        for name, url, values, why in (
            ("quota_gateway_add", reverse("admin:quota_gateway_add"), {"name": "one more"}, ""),
            ("auth_group_add", reverse("admin:auth_group_add"), {"name": "one more"}, ""),
            ("auth_group_change", change_url(group), {"name": "other"}, ""),
            ("teams_user_change", change_url(user), {"name": "Ann", "is_staff": "on"}, ""),
            ("billing_promotion_add", reverse("admin:billing_promotion_add"), PROMOTION, AWAY),
            ("billing_invitecampaign_add", reverse("admin:billing_invitecampaign_add"), CAMPAIGN, AWAY),
        ):
            yield Write(form_call(name, url, self._complete(url, values), self.headers), why)


PROMOTION = {"code": "FIVE", "amount": "5", "duration": "once", "scope": "seats"}
CAMPAIGN = {
    "title_en": "Bring a friend",
    "off": "12.5",
    "duration": "once",
    "voucher": "10",
    "voucher_days": "30",
    "starts_at": "2027-06-01T00:00",
    "ends_at": "2027-07-01T00:00",
}
