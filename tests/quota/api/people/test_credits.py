"""A Team's Credits for people: lots, ledger, access, policy."""

from __future__ import annotations

from quota.models import CreditAccess
from teams.models import Membership, Role, Team
from teams.services.memberships import set_billing_right
from tests.helpers import factories
from tests.helpers.api_client import Caller, person
from tests.helpers.factories import CREDIT


def test_credits_are_shown_with_lots_and_ledger(
    scene: factories.Scene, team: Team, owner: Caller, member: Membership
) -> None:
    factories.give_credits(team, 100 * CREDIT)
    factories.allow_credits(member)
    event = factories.make_desk(member).use(3)
    base = f"teams/{team.slug}/credits"
    assert owner.get(base).body == {"balance": "70.000", "overflow": "allow", "low_balance": "1000.000"}
    lot = owner.get(f"{base}/lots").body["results"][0]
    assert (lot["amount"], lot["remaining"], lot["expires_at"]) == (
        "100.000",
        "70.000",
        "2027-06-03T10:02:00Z",
    )
    use, purchase = owner.get(f"{base}/ledger").body["results"]
    assert (use["kind"], use["amount"], use["member"]["id"]) == ("use", "-30.000", member.pk)
    assert (use["receipt"], use["lot"]) == (str(event.pk), lot["id"])
    assert (purchase["kind"], purchase["amount"], purchase["member"]) == ("purchase", "100.000", None)
    for path in ("", "/lots", "/ledger"):
        assert person(member.user).get(base + path).status == 403


def test_access_to_credits_is_switched_and_capped(team: Team, owner: Caller, member: Membership) -> None:
    path = f"teams/{team.slug}/members/{member.pk}/credits"
    assert owner.get(path).body == {"allowed": False, "overflow": "allow", "month_cap": None}
    body = {"allowed": True, "overflow": "never", "month_cap": "12.5"}
    assert owner.put(path, body).body == body | {"month_cap": "12.500"}
    assert CreditAccess.objects.of_one(member).month_cap_nanousd == 12_500_000
    for wrong, pointer in (
        ({"allowed": "perhaps"}, "/allowed"),
        ({"overflow": "sometimes"}, "/overflow"),
        ({"month_cap": 5}, "/month_cap"),
        ({"month_cap": "-5"}, "/month_cap"),
        ({"month_cap": "1e3"}, "/month_cap"),
        ({"month_cap": "NaN"}, "/month_cap"),
        ({"month_cap": "0.0000001"}, "/month_cap"),
        ({"month_cap": "99999999999"}, "/month_cap"),
    ):
        answer = owner.put(path, body | wrong)
        assert (answer.status, answer.body["pointer"]) == (422, pointer)
    assert CreditAccess.objects.of_one(member).month_cap_nanousd == 12_500_000
    assert person(member.user).put(path, body).status == 403


def test_the_overflow_policy_is_the_owners(team: Team, owner: Caller) -> None:
    admin = factories.make_member(team, role=Role.ADMIN)
    path = f"teams/{team.slug}/credits/policy"
    body = {"overflow": "never", "low_balance": "250"}
    assert person(admin.user).put(path, body).status == 403
    assert owner.put(path, body).body == {"balance": "0.000", "overflow": "never", "low_balance": "250.000"}
    assert owner.put(path, {"overflow": "never"}).body["pointer"] == "/low_balance"


def test_the_billing_right_shows_no_member_and_no_call(
    scene: factories.Scene, team: Team, member: Membership
) -> None:
    factories.give_credits(team, 100 * CREDIT)
    factories.allow_credits(member)
    factories.make_desk(member).use(3)
    finance = factories.make_member(team)
    set_billing_right(membership=finance, allowed=True, by=None, at=factories.T0)
    for path in ("credits", "balance"):
        for row in person(finance.user).get(f"teams/{team.slug}/{path}/ledger").body["results"]:
            assert (row["member"], row["receipt"]) == (None, None)
    assert person(finance.user).get(f"teams/{team.slug}/credits/ledger").body["results"][0]["kind"] == "use"
    assert person(finance.user).get(f"teams/{team.slug}/members/{member.pk}/credits").status == 403
