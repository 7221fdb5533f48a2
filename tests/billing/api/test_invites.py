"""One's own invite link, and coming by somebody else's, for scripts."""

from __future__ import annotations

import pytest
import time_machine
from django.conf import settings

from billing.models import Invitee, InviteLink
from tests.helpers.api_client import Caller, person, script_of
from tests.helpers.invites import make_campaign, make_friend, make_inviter, make_person
from tests.helpers.stripe_account import StripeAccount

pytestmark = pytest.mark.django_db


@pytest.mark.slow
def test_ones_link_is_made_once_and_says_what_it_has_brought(stripe_account: StripeAccount) -> None:
    link = make_inviter(stripe_account)
    InviteLink.objects.all().delete()
    make_campaign(stripe_account.at)
    inviter = person(link.user)
    with time_machine.travel(stripe_account.at, tick=False):
        nothing = {"url": None, "people": 0, "vouchers": 0, "vouchers_nanousd": 0}
        assert inviter.get("me/invite").body == nothing
        made = [inviter.post("me/invite") for _ in range(2)]
        assert [answer.status for answer in made] == [200, 200]
        code = InviteLink.objects.get().code
        assert made[0].body == made[1].body == nothing | {"url": f"{settings.BASE_URL}/invite/{code}/"}
        make_friend(stripe_account, InviteLink.objects.get()).subscribe(max=2)
        stripe_account.deliver()
        body = inviter.get("me/invite").body
    assert (body["people"], body["vouchers"], body["vouchers_nanousd"]) == (1, 1, 9_000_000_000)


def test_who_never_paid_makes_no_link_and_a_reading_token_none_either(stripe_account: StripeAccount) -> None:
    newcomer = make_person(stripe_account.at)
    payer = make_inviter(stripe_account).user
    InviteLink.objects.all().delete()
    with time_machine.travel(stripe_account.at, tick=False):
        assert person(newcomer).post("me/invite").code == "invites_after_paying"
        assert script_of(payer, "read").post("me/invite").status == 403
        assert person(payer).post("me/invite", {"color": "red"}).code == "invalid"
    assert not InviteLink.objects.exists()


def test_a_link_is_taken_by_its_code(stripe_account: StripeAccount) -> None:
    link, friend = make_inviter(stripe_account), make_person(stripe_account.at)
    make_campaign(stripe_account.at)
    with time_machine.travel(stripe_account.at, tick=False):
        caller = person(friend)
        came = [caller.post("invites/accept", {"code": link.code}) for _ in range(2)]
        assert [answer.status for answer in came] == [200, 200]
        assert came[0].body == came[1].body
        assert caller.post("invites/accept", {"code": "a2b3c4d5e6f7"}).code == "invite_unknown"
        assert caller.post("invites/accept", {"code": "\u0000"}).status in (410, 422)
        assert person(link.user).post("invites/accept", {"code": link.code}).code == "invite_oneself"
        assert Caller().post("invites/accept", {"code": link.code}).status == 401
    assert Invitee.objects.get().inviter == link.user
