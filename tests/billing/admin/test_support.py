"""The support desk: what it shows to whom, and that every act asks why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from quota.errors import ModelUnknown
from quota.ids import first_id_at
from quota.models import CreditGrant, KeptCalls, OwedUsage, UsageEvent
from quota.services.refusals import remember_refusal
from teams.models import AuditEntry, Mail, User
from teams.services import accounts
from teams.services import mail as mails
from tests.helpers.admin_urls import change_url, verb_url
from tests.helpers.bought import make_customer, say_payment
from tests.helpers.factories import (
    CREDIT,
    T0,
    USD,
    Scene,
    allow_credits,
    give_credits,
    limits,
    make_desk,
    make_member,
    make_scene,
    make_seat,
    make_team,
    make_user,
)
from tests.helpers.proof import prove
from tests.helpers.reading import read, submit, words
from tests.helpers.staff import staff
from tests.helpers.world import all_rows

pytestmark = pytest.mark.django_db
SEARCH = reverse("support-search")
CENT = USD // 100
HOUR = timedelta(hours=1)


@pytest.fixture
def scene() -> Scene:
    return make_scene(limits(10 * CENT, USD), at=T0 - 3 * HOUR)


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", "x"))
    return prove(client)


def page_of(user: User) -> str:
    return reverse("support-person", args=[user.pk])


def page_of_team(scene: Scene) -> str:
    return reverse("support-team", args=[scene.team.pk])


def go(client: Client, text: str) -> Any:
    return client.post(SEARCH, {"q": text})


# Finding


def test_one_exact_hit_leads_straight_there(scene: Scene, operator: Client) -> None:
    owner = scene.owner.user
    charge = scene.desk.use(2, at=T0)

    assert go(operator, owner.email).headers["Location"] == page_of(owner)
    assert go(operator, scene.desk.key).headers["Location"] == page_of(owner)
    assert go(operator, scene.team.slug).headers["Location"] == page_of_team(scene)
    assert go(operator, str(charge.pk)).headers["Location"] == change_url(charge)
    assert "5-hour: $0.00, then $0.02 of $0.10; weekly: $0.00, then $0.02 of $1.00" in read(
        operator, change_url(charge)
    )


def test_what_is_a_part_of_several_is_a_list_of_links(operator: Client) -> None:
    ada, adam = make_user("ada@example.com"), make_user("adam@example.com")

    answer = go(operator, "ada")

    assert "ada@example.com Person" in words(answer)
    for user in (ada, adam):
        assert f'href="{page_of(user)}"' in answer.content.decode()
    assert "Nothing that you may see has “nobody” in its name, or as its id." in words(go(operator, "nobody"))


def test_a_whole_key_is_nowhere_in_an_answer_and_no_address_searches(scene: Scene, operator: Client) -> None:
    key = scene.desk.key
    unknown = key[:6] + "000000000000" + key[18:]

    answer = go(operator, f"Bearer {unknown}")

    assert answer.status_code == 200
    assert unknown[18:] not in answer.content.decode()
    assert 'value="sk-cp-000000000000"' in answer.content.decode()
    assert key[18:] not in go(operator, key).headers["Location"]
    assert (
        page_of(scene.owner.user) not in operator.get(SEARCH, {"q": scene.owner.user.email}).content.decode()
    )


def test_the_front_page_has_the_box_and_what_waits(scene: Scene, operator: Client) -> None:
    mails.queue(kind="seat_assigned", to="a@example.com", context={}, dedupe_key="k", at=T0)
    Mail.objects.filter(dedupe_key="k").update(last_error="refused")
    refuse(scene, at=T0)

    page = read(operator, reverse("admin:index"))

    assert "Find a person, a Team, a seat, a key, a call, a payment" in page
    assert "Mails that could not be sent 1 They are tried again by themselves." in page
    assert "Refused calls, last 24 hours 1 Each says why." in page
    assert "In quarantine 0 Nothing." in page
    assert "In quarantine" not in read(staff("view_mail"), reverse("admin:index"))


def refuse(scene: Scene, at: Any) -> None:
    remember_refusal(
        gateway=scene.desk.gateway,
        key_text=scene.desk.key,
        request_id="req-8",
        model="x",
        refusal=ModelUnknown("The model 'x' is not on the rate card"),
        at=at,
    )


# Who may


def test_staff_see_what_they_have_a_right_to_and_nobody_else_comes_in(scene: Scene) -> None:
    owner = scene.owner.user
    addresses = [SEARCH, page_of(owner), page_of_team(scene)]
    stranger = Client()
    stranger.force_login(make_user())
    for url in addresses:
        assert Client().get(url).headers["Location"].startswith("/admin/login/")
        assert stranger.get(url, follow=True).status_code == 403
    nothing = staff()
    assert [nothing.get(url).status_code for url in addresses] == [200, 403, 403]
    assert "Nothing that you may see" in words(go(nothing, owner.email))
    assert go(staff("view_team"), owner.email).status_code == 200
    assert staff("view_user").get(page_of_team(scene)).status_code == 403
    assert staff("view_user").get(reverse("support-person", args=[10**6])).status_code == 404


def test_a_part_of_a_page_is_for_those_who_may_see_such_rows(scene: Scene) -> None:
    refuse(scene, at=T0)
    charge = scene.desk.use(2, at=T0)
    parts = {
        "Usage": ("view_membership", "view_usageevent"),
        "Keys": ("view_subscriptionkey",),
        "Charges": ("view_usageevent",),
        "Refused calls": ("view_refusedcall",),
        "Payments": ("view_payment",),
        "Mails": ("view_mail",),
        "Audit": ("view_auditentry",),
    }
    bare = staff("view_user").get(page_of(scene.owner.user)).content.decode()
    for part, rights in parts.items():
        heading = f'id="{part.lower().split()[0].replace("usage", "bars")}"'
        assert heading not in bare
        assert heading in staff("view_user", *rights).get(page_of(scene.owner.user)).content.decode(), part
    assert "Close the account" not in bare
    reads = staff("view_user", "view_usageevent").get(page_of(scene.owner.user)).content.decode()
    assert verb_url(charge, "correct") not in reads


# A person


def test_a_persons_page_says_what_they_have_and_what_was_done(scene: Scene, operator: Client) -> None:
    owner = scene.owner.user
    scene.desk.use(8, at=T0)
    refuse(scene, at=T0)
    make_customer(scene.team)
    payment = say_payment(scene.team, "pi_1")

    page = read(operator, page_of(owner))

    assert (
        f"Seat {scene.seat.number}, Max May use 0 of the Team’s 0 Credits 5-hour window ▲ nearly full 80%"
        in page
    )
    assert "Weekly window 8%" in page
    assert "sk-cp-" in page
    assert scene.desk.key not in page
    assert "$0.08 quota $0.08 Correct" in page
    assert "The model 'x' is not on the rate card (model_unknown) req-8 Their tool names a model" in page
    assert f"{payment.stripe_id} $5.00 $0.00 Paid" in page
    team = scene.team.name
    assert f"Created the Team {team}. {team} {owner.email}" in page


def test_bars_are_as_at_the_moment_that_is_asked_for(scene: Scene, operator: Client) -> None:
    owner = scene.owner.user
    scene.desk.use(3, at=T0 - 2 * HOUR)
    scene.desk.use(5, at=T0 - HOUR)

    def at(moment: str) -> str:
        return read(operator, f"{page_of(owner)}?at={moment}")

    assert "5-hour window ▲ nearly full 80%" in read(operator, page_of(owner))
    then = at("2026-06-03T08:30")
    assert "5-hour window 30%" in then
    assert "As at 3 Jun 2026, 08:30 UTC: what the charges say that were recorded by then." in then
    assert then.count("Correct 3 Jun 2026") == 1
    assert "This moment has not come yet." in at("2026-06-03T10:03")
    assert "no longer kept" not in then
    KeptCalls.objects.create(events_from=first_id_at(datetime(2026, 6, 1, tzinfo=UTC)))
    dropped = "Calls of before 1 Jun 2026 are no longer kept: their windows show too little."
    assert dropped in at("2026-06-03T08:30")
    assert "A member of no Team then." in at("2025-01-01T00:00")
    assert "There was no account yet." in at("0001-01-01T00:00")
    assert "Refused calls are kept for 7 days: those of that moment are gone." in at("2026-05-27T10:01")
    assert "None; they are kept for 7 days." in at("2026-05-27T10:03")
    assert "Enter a valid date/time." in at("yesterday")


def test_a_charge_is_corrected_and_the_operator_comes_back(scene: Scene, operator: Client) -> None:
    owner = scene.owner.user
    charge = scene.desk.use(8, at=T0)
    back = page_of(owner)
    assert (
        f'href="{verb_url(charge, "correct")}?back={back.replace("/", "%2F")}"'
        in operator.get(back).content.decode()
    )

    answer = operator.post(
        f"{verb_url(charge, 'correct')}?back={back}", {"meter-calls": "2", "reason": "Ticket 1"}
    )

    assert answer.headers["Location"] == back
    page = read(operator, back)
    assert "The charge is undone; $0.02 are charged instead." in page
    assert "5-hour window 20%" in page
    corrected = f"Corrected a charge of {owner.email} from $0.08 to $0.02: Ticket 1"
    assert f"{corrected} {scene.team.name} root@example.com" in page
    assert page.count("Ticket 1") == 1


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example/", "/teams/", "/admin/\\..", ""])
def test_a_verb_leads_back_to_the_operators_pages_alone(scene: Scene, operator: Client, back: str) -> None:
    charge = scene.desk.use(8, at=T0)

    answer = operator.post(f"{verb_url(charge, 'correct')}?back={back}", {"meter-calls": "", "reason": "x"})

    leads_to = answer.headers["Location"]
    assert leads_to == change_url(charge) or leads_to.startswith("/admin/")
    assert answer.status_code == 302


def owes(scene: Scene) -> OwedUsage:
    """The Owner's, of a call without a seat."""
    member = make_member(scene.team, at=T0 - HOUR)
    allow_credits(member, at=T0 - HOUR)
    give_credits(scene.team, 10_000, at=T0 - HOUR)
    desk = make_desk(member)
    held = desk.ask(1, at=T0, model="nano")
    desk.settle(held, 1, at=T0)
    desk.report(desk.ask(1, at=T0, model="nano"), {"calls": 9_000_000}, at=T0, model="nano")
    return OwedUsage.objects.get()


def test_what_is_owed_is_waived_from_the_persons_page(scene: Scene, operator: Client) -> None:
    owed = owes(scene)
    back = page_of(owed.membership.user)
    page = operator.get(back).content.decode()
    url = verb_url(owed, "waive")
    assert url in page
    assert operator.post(url, {"reason": " "}).status_code == 422
    owed.refresh_from_db()
    assert (owed.left_nanousd > 0, owed.waived_nanousd) == (True, 0)

    answer = submit(operator, f"{url}?back={back}", reason="Our mistake")

    assert "Nothing is left to pay of it." in answer
    owed.refresh_from_db()
    assert owed.left_nanousd == 0
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.details["reason"]) == ("credits.waived", "Our mistake")


Act = tuple[Callable[[Scene], Any], str, dict[str, str]]
ACTS: dict[str, Act] = {
    "correct a charge": (lambda scene: scene.desk.use(1, at=T0), "correct", {"meter-calls": ""}),
    "waive": (owes, "waive", {}),
    "grant Credits": (lambda scene: scene.team, "grant-credits", {"credits": "5000"}),
    "grant a seat": (lambda scene: scene.team, "grant-seat", {}),
    "give a voucher": (
        lambda scene: scene.team,
        "give-voucher",
        {"amount": "5", "expires_at": "2027-01-01T00:00"},
    ),
    "hand a Team over": (lambda scene: scene.team, "hand-over", {"email": "ada@example.com"}),
    "close an account": (lambda scene: scene.owner.user, "close", {}),
}


@pytest.mark.parametrize("reason", ["", "  "])
@pytest.mark.parametrize("act", ACTS)
def test_an_act_without_a_reason_changes_nothing(
    scene: Scene, operator: Client, act: str, reason: str
) -> None:
    make, verb, form = ACTS[act]
    row = make(scene)
    if verb == "grant-seat":
        form = {**form, "plan": str(scene.plan.pk)}
    make_user("ada@example.com")
    before = all_rows()

    answer = operator.post(verb_url(row, verb), {**form, "reason": reason, "confirmed": "yes"})

    assert answer.status_code == 422
    assert "This field is required." in words(answer)
    assert all_rows() == before


def test_an_act_with_a_reason_has_it_on_the_audit(scene: Scene, operator: Client) -> None:
    submit(operator, verb_url(scene.team, "grant-credits"), credits="5000", reason="Sorry for Tuesday")

    entry = AuditEntry.objects.latest("pk")
    assert "Sorry for Tuesday" in str(entry.details)
    assert CreditGrant.objects.get().amount_nanousd == 5000 * CREDIT


# A Team


def test_a_teams_page_says_who_owns_it_what_it_has_and_what_it_owes(scene: Scene, operator: Client) -> None:
    give_credits(scene.team, 5000 * CREDIT, at=T0)
    member = make_member(scene.team, at=T0)
    make_seat(scene.team, scene.plan, at=T0)

    page = read(operator, page_of_team(scene))

    assert f"Owner {scene.owner.user.email} People Owner 1, Admin 0, Member 1" in page
    assert "Seats 2, of which 1 are held and 1 free to give: 2 × Max v1" in page
    assert "Subscription None Credits 5,000 API balance $0.00" in page
    assert member.user.email in page
    assert "Credits 5,000 Credits" in page
    assert "hand the Team over" not in page
    assert "Hand over" in page


def test_a_team_whose_owner_is_gone_says_so(scene: Scene, operator: Client) -> None:
    accounts.deactivate(user=scene.owner.user, reason="x", by=None, at=T0)

    page = read(operator, page_of_team(scene))

    assert "The account is closed: hand the Team over." in page


# Cost


def queries(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


def test_the_number_of_queries_does_not_grow_with_what_there_is(scene: Scene, operator: Client) -> None:
    owner = scene.owner.user
    scene.desk.use(1, at=T0)
    make_member(scene.team, at=T0)  # whose key was never used: of such members it is asked what was reported
    moment = f"{page_of(owner)}?at=2026-06-03T10:01"
    urls = [page_of(owner), moment, page_of_team(scene)]
    for url in urls:
        operator.get(url)
    before = [queries(operator, url) for url in urls]

    for number in range(3):
        member = make_member(make_team(at=T0 - HOUR), owner, at=T0 - HOUR)
        make_seat(member.team, scene.plan, holder=member, at=T0 - HOUR)
        make_desk(member).use(1, at=T0 - HOUR)
        scene.desk.use(1, at=T0)
        refuse(scene, at=T0 - number * HOUR)
        make_seat(scene.team, scene.plan, holder=make_member(scene.team, at=T0), at=T0)
        give_credits(scene.team, CREDIT, at=T0)

    assert [queries(operator, url) for url in urls] == before
    assert UsageEvent.objects.count() == 7
