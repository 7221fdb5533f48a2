"""The operators' pages of quota: everything opens, and giving goes through the services."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urljoin

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from quota.hot_path.credentials import recognise_gateway
from quota.models import CreditGrant, CreditLedgerEntry, Entitlement, Gateway, RateCard
from quota.selectors.usage_bar import usage_bar
from quota.services.balance import add_to_balance
from quota.services.gateways import create_gateway
from quota.services.rate_cards import load_rate_card
from quota.services.seat_requests import request_seat
from teams.models import AuditEntry, SeatHolding, SubscriptionKey, User
from tests.helpers.admin_forms import hidden
from tests.helpers.admin_urls import change_url, verb_url
from tests.helpers.cases import many
from tests.helpers.factories import (
    CREDIT,
    RATE_CARD,
    T0,
    Scene,
    give_credits,
    make_member,
    make_plan,
    make_scene,
)
from tests.helpers.proof import prove
from tests.helpers.reading import submit, words

pytestmark = pytest.mark.django_db
OURS = [model for model in site._registry if model._meta.app_label == "quota"]


@pytest.fixture
def scene() -> Scene:
    """A row of each kind, or nearly."""
    scene = make_scene()
    give_credits(scene.team, 5000 * CREDIT)
    scene.desk.use(3)
    scene.desk.ask(1)
    member = make_member(scene.team)
    request_seat(membership=member, plan_code="max", message="", at=T0, by=member.user)
    return scene


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", "x"))
    return prove(client)


@pytest.mark.parametrize("model", many(OURS, quick=2), ids=lambda model: model._meta.model_name)
def test_lists_and_rows_open_and_nothing_can_be_edited_or_deleted(
    scene: Scene, operator: Client, model: type
) -> None:
    name = f"admin:quota_{model._meta.model_name}"  # type: ignore[attr-defined]

    assert operator.get(reverse(f"{name}_changelist"), {"q": "a"}).status_code == 200
    for row in model.objects.all():  # type: ignore[attr-defined]
        assert operator.get(change_url(row)).status_code == 200
        assert operator.post(change_url(row), {"name": "x"}).status_code == 403
        assert operator.post(change_url(row).replace("/change/", "/delete/")).status_code == 403
    if model is not Gateway:
        assert operator.get(reverse(f"{name}_add")).status_code == 403


def test_the_buttons_of_a_row_lead_to_their_pages(scene: Scene, operator: Client) -> None:
    for row, buttons in ((scene.team, 4), (scene.seat, 4), (scene.plan, 2), (CreditGrant.objects.get(), 1)):
        tools = operator.get(change_url(row)).content.decode().partition('class="object-tools"')[2]
        links = re.findall(r'<a href="(\.\./[\w-]+/)"', tools.partition("</ul>")[0])
        assert len(links) == buttons
        for link in links:
            assert operator.get(urljoin(change_url(row), link)).status_code == 200, link


def test_no_page_shows_a_hash_or_a_salt(scene: Scene, operator: Client) -> None:
    for row in (Gateway.objects.first(), SubscriptionKey.objects.first()):
        page = operator.get(change_url(row)).content.decode()
        assert "hash" not in page
        assert "salt" not in page.lower()


def test_granting_a_seat_to_a_member(scene: Scene, operator: Client) -> None:
    member = make_member(scene.team)
    form = {"plan": scene.plan.pk, "ends_at": "2026-07-03T00:00", "holder": member.pk, "reason": "pilot"}

    page = submit(operator, verb_url(scene.team, "grant-seat"), **form)

    holding = SeatHolding.objects.get(membership=member)
    assert f"Seat {holding.seat.number}, Max, is held by {member.user.email}." in page
    entitlement = Entitlement.objects.get(seat=holding.seat)
    assert entitlement.source == "operator: pilot"
    assert f"{entitlement.ends_at:%Y-%m-%d %H:%M}" == "2026-07-03 00:00"
    assert usage_bar(member, T0).plan is not None


def test_granting_a_seat_nobody_holds_yet(scene: Scene, operator: Client) -> None:
    page = submit(operator, verb_url(scene.team, "grant-seat"), plan=scene.plan.pk, reason="pilot")

    assert "Nobody holds it yet." in page
    assert AuditEntry.objects.get(action="seat.entitled", details__reason="pilot").at == T0


def test_a_grant_that_is_refused_grants_nothing(scene: Scene, operator: Client) -> None:
    form = {"plan": scene.plan.pk, "ends_at": "2026-06-01T00:00", "reason": "too late"}

    answer = operator.post(verb_url(scene.team, "grant-seat"), form)

    assert answer.status_code == 422
    assert "It must end after it begins." in words(answer)
    assert Entitlement.objects.count() == 1


def test_granting_credits_twice_for_one_reason_is_two_lots(scene: Scene, operator: Client) -> None:
    for _ in range(2):
        page = submit(operator, verb_url(scene.team, "grant-credits"), credits="2,500", reason="sorry")

    assert "has 2,500 Credits more, until 3 Jun 2027." in page
    assert CreditGrant.objects.filter(amount_nanousd=2500 * CREDIT).count() == 2
    assert (
        operator.post(verb_url(scene.team, "grant-credits"), {"credits": "0", "reason": "x"}).status_code
        == 422
    )


def test_another_plan_suspending_resuming_and_withdrawing_a_seat(scene: Scene, operator: Client) -> None:
    ultra = make_plan("ultra")

    submit(operator, verb_url(scene.seat, "entitle"), plan=ultra.pk, reason="upgrade")
    assert AuditEntry.objects.get(action="seat.entitled", details__reason="upgrade").at == T0
    assert Entitlement.objects.open().get(seat=scene.seat).plan == ultra
    submit(operator, verb_url(scene.seat, "suspend"), reason="Ticket 7")
    assert usage_bar(scene.owner, T0).suspended
    submit(operator, verb_url(scene.seat, "resume"), reason="Ticket 7")
    assert not usage_bar(scene.owner, T0).suspended
    submit(operator, verb_url(scene.seat, "withdraw"), reason="Ticket 7")
    scene.seat.refresh_from_db()
    assert scene.seat.removed_at == T0
    assert operator.post(verb_url(scene.seat, "suspend"), {"reason": "Ticket 7"}).status_code == 422


def test_a_rate_card_to_come_is_withdrawn_after_what_that_changes_was_shown(
    scene: Scene, operator: Client
) -> None:
    dearer = RATE_CARD.replace("penny,language,calls,1,0.01", "penny,language,calls,1,0.02")
    card, _ = load_rate_card(text=dearer, effective_from=T0 + timedelta(days=1), at=T0, by=None)
    url = verb_url(card, "withdraw")
    assert "../withdraw/" in operator.get(change_url(card)).content.decode()
    assert "../withdraw/" not in operator.get(change_url(RateCard.objects.earliest("pk"))).content.decode()

    shown = words(operator.post(url, {"reason": "a typo"}))

    assert "will never be in force" in shown
    assert "changed: penny calls: $0.02 for 1 (language) -> $0.01 for 1 (language)" in shown
    assert RateCard.objects.in_force(T0 + timedelta(days=2)) == card
    assert "is withdrawn." in submit(operator, url, confirmed="yes", reason="a typo")
    assert RateCard.objects.in_force(T0 + timedelta(days=2)) != card
    assert operator.post(url, {"confirmed": "yes", "reason": "a typo"}).status_code == 422


def test_a_gateways_credential_is_shown_once_and_works_until_revoked(operator: Client) -> None:
    answer = operator.post(reverse("admin:quota_gateway_add"), {"name": "eu-1", "reason": "Frankfurt"})

    text = answer.content.decode().partition('id="shown-once">')[2].partition("<")[0]
    assert "no-store" in answer.headers["Cache-Control"]
    gateway = recognise_gateway(text=text, at=T0)
    assert gateway is not None
    assert text not in operator.get(change_url(gateway)).content.decode()
    assert AuditEntry.objects.get(action="gateway.created").details["reason"] == "Frankfurt"
    again = operator.post(reverse("admin:quota_gateway_add"), {"name": "eu-1", "reason": "Frankfurt"})
    assert again.status_code == 422

    act(operator, "gateway", "revoke", gateway.pk)
    assert recognise_gateway(text=text, at=T0) is None
    assert AuditEntry.objects.get(action="gateway.revoked").details == {"reason": "Ticket 7"}


def test_the_limits_of_a_gateways_holds_are_set(operator: Client) -> None:
    gateway, _text = create_gateway(name="eu-1", at=T0, by=None)
    done = submit(
        operator,
        verb_url(gateway, "limits"),
        max_lifetime_seconds=3600,
        flush_seconds=60,
        charge_hold="on",
        reason="long calls",
    )
    assert "from now on" in done
    gateway.refresh_from_db()
    limits = gateway.max_lifetime_seconds, gateway.flush_seconds, gateway.charge_hold
    assert limits == (3600, 60, True)
    assert AuditEntry.objects.get(action="gateway.limits").details["reason"] == "long calls"


def test_a_gateways_credential_is_replaced_and_ended(operator: Client) -> None:
    gateway, first = create_gateway(name="eu-1", at=T0, by=None)
    url = verb_url(gateway, "replace-credential")

    form = {**hidden(operator.get(url)), "overlap_hours": "2", "reason": "yearly"}
    answer = operator.post(url, form)
    again = operator.post(url, form)

    assert (again.status_code, gateway.credentials.count()) == (422, 2)
    assert "This form was sent already" in words(again)
    assert AuditEntry.objects.get(action="gateway.credential_added").details["reason"] == "yearly"
    text = answer.content.decode().partition('id="shown-once">')[2].partition("<")[0]
    assert "no-store" in answer.headers["Cache-Control"]
    assert recognise_gateway(text=text, at=T0) == recognise_gateway(text=first, at=T0) == gateway
    assert recognise_gateway(text=first, at=T0 + timedelta(hours=2)) is None
    assert operator.post(url, {"overlap_hours": "721", "reason": "yearly"}).status_code == 422
    page = operator.get(change_url(gateway)).content.decode()
    assert (text in page, text[:8] in page, first[:8] in page) == (False, True, True)

    newest = gateway.credentials.latest("pk")
    assert "has ended." in submit(
        operator, verb_url(gateway, "end-credential"), credential=newest.pk, reason="leaked"
    )
    assert recognise_gateway(text=text, at=T0) is None
    assert recognise_gateway(text=first, at=T0) == gateway


def act(operator: Client, model: str, action: str, pk: object, *, floor: str = "quota") -> str:
    url = reverse(f"admin:{floor}_{model}_changelist")
    return submit(operator, url, action=action, _selected_action=pk, reason="Ticket 7")


def test_giving_a_voucher_twice_for_one_reason_is_two_lots(scene: Scene, operator: Client) -> None:
    form = {"amount": "$2.50", "expires_at": "2026-07-03T00:00", "reason": "sorry"}
    for _ in range(2):
        page = submit(operator, verb_url(scene.team, "give-voucher"), **form)

    assert "has $2.50 more to spend with API keys, until 3 Jul 2026." in page
    lots = CreditGrant.objects.for_team(scene.team).api_balance()
    assert [(lot.amount_nanousd, lot.expires_at) for lot in lots] == [
        (2_500_000_000, datetime(2026, 7, 3, tzinfo=UTC))
    ] * 2
    for wrong in ({"amount": "0"}, {"expires_at": ""}, {"expires_at": "2026-06-01T00:00"}):
        assert operator.post(verb_url(scene.team, "give-voucher"), {**form, **wrong}).status_code == 422
    assert lots.count() == 2


def test_a_lot_of_the_api_balance_is_corrected_in_dollars(scene: Scene, operator: Client) -> None:
    lot = add_to_balance(
        team=scene.team, nanousd=5_000_000_000, source="pi_1", cause="Bought", at=T0, by=None
    )

    page = submit(operator, verb_url(lot, "correct"), kind="adjustment", amount="-1.25", cause="oops")

    assert "The lot holds $3.75 now." in page


def test_freezing_adjusting_and_refunding_a_lot(scene: Scene, operator: Client) -> None:
    lot = CreditGrant.objects.get()

    act(operator, "creditgrant", "freeze", lot.pk)
    assert CreditGrant.objects.get().frozen_at == T0
    act(operator, "creditgrant", "unfreeze", lot.pk)
    assert CreditGrant.objects.get().frozen_at is None
    log = AuditEntry.objects.filter(action__in=["credits.frozen", "credits.unfrozen"])
    assert list(log.values_list("details", flat=True)) == [{"reason": "Ticket 7"}, {"reason": "Ticket 7"}]
    page = submit(operator, verb_url(lot, "correct"), kind="refund", amount="-1000", cause="paid back")
    assert "The lot holds 4,000 Credits now." in page
    entry = CreditLedgerEntry.objects.get(kind="refund")
    assert (entry.amount_nanousd, entry.by) == (-1000 * CREDIT, User.objects.get(email="root@example.com"))

    too_much = operator.post(
        verb_url(lot, "correct"), {"kind": "adjustment", "amount": "-4001", "cause": "oops"}
    )
    assert too_much.status_code == 422
    assert "The lot holds 4,000 Credits of 5,000 Credits." in words(too_much)


def test_revoking_a_key(scene: Scene, operator: Client) -> None:
    key = SubscriptionKey.objects.get(membership=scene.owner)

    act(operator, "subscriptionkey", "revoke", key.pk, floor="teams")

    key.refresh_from_db()
    assert key.revoked_at == T0


def test_staff_without_the_right_to_change_may_read_and_no_more(scene: Scene) -> None:
    support = User.objects.create_user(email="support@example.com", is_staff=True)
    support.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client()
    client.force_login(support)

    page = client.get(change_url(scene.team))
    assert page.status_code == 200
    assert "Grant a seat" not in page.content.decode()
    assert client.get(verb_url(scene.team, "grant-seat")).status_code == 403
    assert client.post(verb_url(scene.team, "grant-credits"), {"credits": "1"}).status_code == 403
    assert client.get(reverse("admin:quota_gateway_add")).status_code == 403
    assert CreditGrant.objects.count() == 1


def test_a_row_that_is_gone_is_404_and_grants_are_audited(scene: Scene, operator: Client) -> None:
    assert (
        operator.get(verb_url(scene.team, "grant-seat").replace(f"/{scene.team.pk}/", "/0/")).status_code
        == 404
    )
    submit(operator, verb_url(scene.team, "grant-credits"), credits="5", reason="goodwill")

    entry = AuditEntry.objects.get(action="credits.granted", by__email="root@example.com")
    assert entry.details.pop("source").startswith("operator ")
    assert entry.details == {"credits": "5.000", "reason": "goodwill"}
    assert CreditLedgerEntry.objects.latest("pk").cause == "goodwill"
    assert entry.at == T0
