"""The operators' pages: everything opens, nothing with a rule can be edited, actions go through services."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.contrib.admin import site
from django.contrib.auth.models import Group, Permission
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from teams import models
from teams.models import AuditEntry, Invitation, Mail, PersonalAccessToken, Seat, SeatHolding, User
from teams.services import access_tokens, invitations, jobs, seats
from tests.helpers.admin_forms import hidden
from tests.helpers.admin_urls import change_url, verb_url
from tests.helpers.people import NOON, everything, member, person, team
from tests.helpers.proof import prove
from tests.helpers.reading import read, submit, words

pytestmark = pytest.mark.django_db
OURS = [model for model in site._registry if model._meta.app_label == "teams"]


@pytest.fixture(autouse=True)
def nothing_enqueued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenplan.kit.enqueue._send", lambda task: None)


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", "x"))
    return prove(client)


@pytest.fixture
def scene() -> None:
    """One row of each kind at least."""
    owner = team()
    bob = member(owner.team, "bob@example.com")
    seat = seats.add_seat(team=owner.team, by=None, at=NOON)
    seats.assign_seat(seat=seat, membership=bob, by=None, at=NOON)
    invitations.invite(
        team=owner.team, email="new@example.com", role="member", by=owner.user, at=timezone.now()
    )
    jobs.begin_run(job="teams.deliver_mail", at=NOON)
    access_tokens.create(
        user=bob.user, name="ci", scope="read", expires_in_days=1, by=bob.user, at=timezone.now()
    )


def run(client: Client, model: type, action: str, *rows: object) -> str:
    answer = client.post(
        reverse(f"admin:teams_{model.__name__.lower()}_changelist"),
        {"action": action, "_selected_action": [getattr(row, "pk") for row in rows], "reason": "Ticket 7"},  # noqa: B009
        follow=True,
    )
    assert answer.status_code == 200
    return answer.content.decode()


def reasons(action: str) -> list[object]:
    """Of the operator's acts of this kind."""
    done = AuditEntry.objects.filter(action=action, by__email="root@example.com").order_by("pk")
    return [entry.details["reason"] for entry in done]


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_every_list_and_row_opens(model: type[models.Team], operator: Client, scene: None) -> None:
    name = model._meta.model_name
    row = model._default_manager.order_by("pk").first()
    assert row is not None
    assert operator.get(reverse(f"admin:teams_{name}_changelist"), {"q": "a"}).status_code == 200
    answer = operator.get(reverse(f"admin:teams_{name}_change", args=[row.pk]))
    assert answer.status_code == 200
    hidden = getattr(row, "token_hash", None)
    assert hidden is None or hidden not in answer.content.decode()


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_nothing_is_added_deleted_or_edited_but_an_account(
    model: type[models.Team], operator: Client, scene: None
) -> None:
    name = model._meta.model_name
    row = model._default_manager.order_by("pk").first()
    assert row is not None
    before = everything()
    assert operator.get(reverse(f"admin:teams_{name}_add")).status_code == 403
    assert (
        operator.post(reverse(f"admin:teams_{name}_delete", args=[row.pk]), {"post": "yes"}).status_code
        == 403
    )
    if name != "user":
        change = reverse(f"admin:teams_{name}_change", args=[row.pk])
        assert operator.post(change, {"role": "owner", "name": "x"}).status_code == 403
    assert everything() == before


def test_the_name_of_an_account_is_changed_and_audited_and_its_address_and_state_are_not(
    operator: Client,
) -> None:
    ann = person("ann@example.com")
    change = reverse("admin:teams_user_change", args=[ann.pk])
    body = {"name": "Ann", "email": "other@example.com"}
    assert operator.post(change, body).status_code == 200  # shown again: no reason
    ann.refresh_from_db()
    assert ann.name != "Ann"
    assert operator.post(change, {**body, "reason": "Ticket 7"}).status_code == 302
    ann.refresh_from_db()
    assert (ann.name, ann.email, ann.is_active) == ("Ann", "ann@example.com", True)
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.subject, str(entry.by)) == (
        "account.changed",
        "ann@example.com",
        "root@example.com",
    )
    assert entry.details == {"changed": "name", "active": True, "staff": False, "reason": "Ticket 7"}


def test_staff_never_widen_their_own_rights() -> None:
    staff = person("staff@example.com")
    User.objects.filter(pk=staff.pk).update(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    client = Client()
    client.force_login(staff)
    change = reverse("admin:teams_user_change", args=[staff.pk])
    body = {"name": "", "is_active": "on", "is_staff": "on", "is_superuser": "on", "reason": "x"}
    assert client.post(change, body).status_code == 302
    staff.refresh_from_db()
    assert (staff.is_staff, staff.is_superuser) == (True, False)


def test_an_operator_frees_a_seat_and_reads_when_nobody_holds_it(operator: Client, scene: None) -> None:
    seat = Seat.objects.get()
    assert "1 freed." in run(operator, Seat, "free", seat)
    assert not SeatHolding.objects.current().exists()
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, str(entry.by)) == ("seat.freed", "root@example.com")
    assert entry.details == {"seat": seat.pk, "reason": "Ticket 7"}
    assert "Nobody holds this seat" in run(operator, Seat, "free", seat)


def test_an_operator_sends_an_invitation_again_and_revokes_it(operator: Client, scene: None) -> None:
    invitation = Invitation.objects.get()
    assert "1 sent again." in run(operator, Invitation, "resend", invitation)
    assert "1 revoked." in run(operator, Invitation, "revoke", invitation)
    invitation.refresh_from_db()
    assert reasons("invitation.sent") == ["Ticket 7"]
    assert reasons("invitation.revoked") == ["Ticket 7"]
    assert invitation.times_sent == 2
    assert invitation.revoked_at is not None


def test_an_operator_revokes_an_access_token(operator: Client, scene: None) -> None:
    token = PersonalAccessToken.objects.get()
    assert "1 revoked." in run(operator, PersonalAccessToken, "revoke", token)
    token.refresh_from_db()
    assert token.revoked_at is not None
    assert reasons("access_token.revoked") == ["Ticket 7"]


def test_an_operator_revokes_keys_for_a_reason_once_the_rows_were_shown(
    operator: Client, scene: None
) -> None:
    key = models.SubscriptionKey.objects.get(membership__user__email="bob@example.com", team__slug="acme")
    listed = reverse("admin:teams_subscriptionkey_changelist")
    chosen = {"action": ["revoke", ""], "index": "0", "select_across": "0", "_selected_action": key.pk}

    asked = operator.post(listed, chosen)
    refused = operator.post(listed, {**hidden(asked), "reason": " "})

    # These rows are kept, not that all were chosen: others may have come since.
    everything = operator.post(listed, {**chosen, "select_across": "1"})
    assert "select_across" not in hidden(everything)
    shown = re.findall(r'name="_selected_action" value="(\d+)"', everything.content.decode())
    assert sorted(map(int, shown)) == sorted(models.SubscriptionKey.objects.values_list("pk", flat=True))
    assert str(key) in words(asked)
    assert "Revoke all keys of the member in this Team" in words(asked)
    assert (refused.status_code, reasons("key.revoked")) == (422, [])
    assert "1 revoked." in submit(operator, listed, **hidden(refused), reason="Ticket 7")
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert reasons("key.revoked") == ["Ticket 7"]


def test_an_operator_has_a_mail_tried_again(operator: Client, scene: None) -> None:
    Mail.objects.update(next_attempt_at=timezone.now() + timedelta(days=1))
    mail = Mail.objects.first()
    assert "1 due now." in run(operator, Mail, "retry", mail)
    assert Mail.objects.due(timezone.now()).get() == mail
    assert reasons("mail.sent_again") == ["Ticket 7"]


def test_staff_who_may_only_read_have_no_actions(scene: None) -> None:
    staff = person("staff@example.com")
    User.objects.filter(pk=staff.pk).update(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_seat"))
    client = Client()
    client.force_login(staff)
    run(client, Seat, "free", Seat.objects.get())
    assert SeatHolding.objects.current().exists()


@pytest.fixture
def staff() -> User:
    """With every permission there is, and no superuser; in a group that may do little."""
    user = person("staff@example.com")
    User.objects.filter(pk=user.pk).update(is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    group = Group.objects.create(name="support")
    group.permissions.set(Permission.objects.filter(codename="view_seat"))
    user.groups.add(group)
    return user


def as_operator(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def form_fields(request: HttpRequest, model: type, row: object) -> Iterator[str]:
    """Every field that this operator could fill in for the row, also of the rows shown below it."""
    page = site._registry[model]
    if row is None and not page.has_add_permission(request):
        return
    if row is not None and not page.has_change_permission(request, row):
        return
    yield from page.get_form(request, row, change=row is not None).base_fields
    for inline in page.get_inline_instances(request, row):
        if inline.has_add_permission(request, row) or inline.has_change_permission(request, row):
            yield from inline.get_formset(request, row).form.base_fields


def test_no_form_of_staff_gives_rights_or_moves_an_address(
    staff: User, scene: None, rf: RequestFactory
) -> None:
    request = rf.get("/admin/")
    request.user = User.objects.get(pk=staff.pk)
    rights = {"email", "is_staff", "is_superuser", "groups", "user_permissions", "permissions", "password"}
    found = {
        (model.__name__, name)
        for model in site._registry
        for row in [None, *model._default_manager.all()]
        for name in form_fields(request, model, row)
    }

    assert ("User", "name") in found
    assert {pair for pair in found if pair[1] in rights} == set()
    assert not {name for name, _ in found} & {"Group", "Permission", "EmailAddress"}


def test_staff_do_not_widen_the_group_they_are_in(staff: User) -> None:
    group = Group.objects.get()
    every = list(Permission.objects.values_list("pk", flat=True))

    change = reverse("admin:auth_group_change", args=[group.pk])
    answer = as_operator(staff).post(change, {"name": "support", "permissions": every})

    assert answer.status_code == 403
    assert [one.codename for one in group.permissions.all()] == ["view_seat"]


def test_a_superuser_gives_a_group_its_rights(operator: Client, staff: User) -> None:
    group = Group.objects.get()
    may = Permission.objects.get(codename="view_team")

    change = reverse("admin:auth_group_change", args=[group.pk])
    body = {"name": "support", "permissions": [may.pk]}
    assert operator.post(change, body).status_code == 200  # shown again: no reason
    assert [one.codename for one in group.permissions.all()] == ["view_seat"]
    assert operator.post(change, {**body, "reason": "first line"}).status_code == 302

    assert list(group.permissions.all()) == [may]
    entry = AuditEntry.objects.get(action="group.changed")
    assert (entry.subject, str(entry.by)) == ("support", "root@example.com")
    assert entry.details == {"rights": "view_team", "reason": "first line"}
    deleted = operator.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"})
    assert deleted.status_code == 403


def test_nobody_retargets_the_address_of_another(operator: Client, staff: User, scene: None) -> None:
    address = EmailAddress.objects.get(email="bob@example.com")
    unverified = EmailAddress.objects.create(user=address.user, email="thief@example.com")
    change = reverse("admin:account_emailaddress_change", args=[address.pk])
    before = list(EmailAddress.objects.values())
    for client in (as_operator(staff), operator):
        body = {"user": staff.pk, "email": "thief@example.com", "verified": "on", "primary": "on"}
        assert client.post(change, body).status_code == 403
        assert client.post(reverse("admin:account_emailaddress_add"), body).status_code == 403
        listed = reverse("admin:account_emailaddress_changelist")
        client.post(listed, {"action": "make_verified", "_selected_action": [unverified.pk]})

    assert list(EmailAddress.objects.values()) == before


def test_staff_do_not_close_the_account_of_a_superuser(operator: Client, staff: User) -> None:
    root = User.objects.get(email="root@example.com")
    before = everything()

    assert as_operator(staff).post(change_url(root), {"name": ""}).status_code == 403
    answer = as_operator(staff).post(verb_url(root, "close"), {"reason": "mine now"})

    assert "Only a superuser closes or opens the account of a superuser." in words(answer)
    root.refresh_from_db()
    assert root.is_active
    assert everything() == before


@pytest.mark.parametrize(
    ("term", "found"), [("BOB@Example", True), ("bob", True), ("b\u014fb", False), ("bob@example.com", True)]
)
def test_an_address_is_found_in_whatever_case_it_is_typed(
    operator: Client, scene: None, term: str, found: bool
) -> None:
    page = operator.get(reverse("admin:teams_user_changelist"), {"q": term}).content.decode()

    assert ("bob@example.com</a>" in page) == found


def test_a_long_s_is_no_s_where_an_operator_searches(operator: Client) -> None:
    person("sam@example.com")
    for model in ("teams_user", "account_emailaddress", "teams_membership"):
        page = operator.get(reverse(f"admin:{model}_changelist"), {"q": "\u017fam@example.com"})
        assert ">sam@example.com" not in page.content.decode(), model


def test_an_operator_hands_a_team_over_once_it_was_said_what_that_means(
    operator: Client, scene: None
) -> None:
    acme = models.Team.objects.get(slug="acme")
    url = verb_url(acme, "hand-over")
    assert "Hand over" in read(operator, change_url(acme))
    form = {"email": "bob@example.com", "reason": "Ticket 7"}

    shown = words(operator.post(url, form))

    assert (
        "bob@example.com will own the Team Acme instead of owner@acme.example, who becomes an Admin." in shown
    )
    assert "Both get a mail that says so, with the reason." in shown
    assert not AuditEntry.objects.filter(action="ownership.handed_over").exists()
    assert "The Team belongs to bob@example.com now." in submit(operator, url, confirmed="yes", **form)
    owner = models.Membership.objects.get(team=acme, role="owner", ended_at=None)
    assert owner.user.email == "bob@example.com"
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, str(entry.by), entry.details["reason"]) == (
        "ownership.handed_over",
        "root@example.com",
        "Ticket 7",
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"email": "nobody@example.com"}, "There is no open account with this address, confirmed."),
        ({"email": "owner@acme.example"}, "This person owns the Team already."),
        ({"reason": ""}, "This field is required."),
    ],
)
@pytest.mark.parametrize("confirmed", [{}, {"confirmed": "yes"}])
def test_what_cannot_be_handed_over_is_refused_at_the_form(
    operator: Client, scene: None, change: dict[str, str], why: str, confirmed: dict[str, str]
) -> None:
    acme = models.Team.objects.get(slug="acme")
    before = everything()
    form = {"email": "bob@example.com", "reason": "Ticket 7", **change, **confirmed}
    answer = operator.post(verb_url(acme, "hand-over"), form)
    assert answer.status_code == 422
    assert why in words(answer)
    assert everything() == before


def test_staff_without_the_right_to_change_teams_hand_none_over(scene: None) -> None:
    staff = person("staff@example.com")
    User.objects.filter(pk=staff.pk).update(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["view_team", "change_user"]))
    client = Client()
    client.force_login(staff)
    acme = models.Team.objects.get(slug="acme")
    before = everything()
    assert "Hand over" not in read(client, change_url(acme))
    form = {"email": "bob@example.com", "reason": "Ticket 7", "confirmed": "yes"}
    assert client.post(verb_url(acme, "hand-over"), form).status_code == 403
    assert everything() == before
