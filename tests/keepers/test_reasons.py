"""Whatever an operator does to a row asks for a reason, which the audit keeps."""

from __future__ import annotations

from uuid import UUID

import pytest
import time_machine
from django.contrib.admin import ModelAdmin, site
from django.contrib.auth.models import Group
from django.db.models import UUIDField
from django.test import Client, RequestFactory
from django.urls import reverse

from billing.services.prices import set_stripe_price_id
from quota.models import Plan
from teams.models import AuditEntry, User
from tests.helpers.admin_urls import change_url
from tests.helpers.bought import promotion_snapshot
from tests.helpers.factories import T0
from tests.helpers.lost_connections import Call
from tests.helpers.staff import staff
from tests.helpers.writes import everything, writes_of_newcomers
from tests.helpers.writes_of_operators import REASON, verbs_of_the_desk, writes_of_operators
from tests.keepers.test_tenancy import undone
from tokenplan.kit.admin import VerbsAdmin

pytestmark = pytest.mark.django_db


def name_of(page: ModelAdmin[User], act: str) -> str:
    return f"{page.opts.app_label}.{page.opts.model_name} {act}"


def test_a_button_of_a_row_asks_for_a_reason() -> None:
    without = {
        name_of(page, verb.name)
        for page in site._registry.values()
        if isinstance(page, VerbsAdmin)
        for verb in page.verbs
        if not {"reason", "cause"} & set(verb.form.base_fields)  # type: ignore[attr-defined]
    }

    assert without == set()


def test_a_page_that_makes_or_edits_a_row_asks_for_a_reason() -> None:
    client, group = staff(superuser=True), Group.objects.create(name="support")
    made = {f"admin:{model._meta.app_label}_{model._meta.model_name}_add" for model in site._registry}
    opened = {name: client.get(reverse(name)) for name in made}
    rows = (User.objects.get(), group)
    edited = [change_url(row) for row in rows]

    without = {
        name
        for name, answer in [*opened.items(), *((url, client.get(url)) for url in edited)]
        if answer.status_code == 200 and b'name="reason"' not in answer.content
    }

    assert sum(answer.status_code == 200 for answer in opened.values()) == 4
    assert without == set()


def test_only_accounts_and_groups_are_edited_in_a_form_and_nothing_is_deleted() -> None:
    request = RequestFactory().get("/admin/")
    request.user = User.objects.create_superuser("root@example.com", "x")
    pages = site._registry.items()

    assert {model for model, page in pages if page.has_change_permission(request)} == {User, Group}
    assert {model for model, page in pages if page.has_delete_permission(request)} == set()


def test_an_action_on_rows_asks_for_a_reason_before_it_does_anything() -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", "x"))
    asked: set[str] = set()
    without: set[str] = set()
    for model, page in site._registry.items():
        listed = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        pk = UUID(int=0) if isinstance(model._meta.pk, UUIDField) else 0
        for action in page.actions or ():
            answer = client.post(listed, {"action": action, "_selected_action": pk})
            ask = b'name="reason"' in answer.content and answer.status_code == 200
            (asked if ask else without).add(name_of(page, str(action)))

    assert without == set()
    assert {"teams.subscriptionkey revoke", "quota.creditgrant freeze", "billing.promotion activate"} < asked


@time_machine.travel(T0, tick=False)
def test_the_reason_of_every_act_is_in_the_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what Stripe is asked for it is there before; of these two, once Stripe has answered."""
    monkeypatch.setattr("billing.workflows.plans.publish_draft_prices", price_at_stripe)
    monkeypatch.setattr(
        "billing.stripe_api.set_promotion_active",
        lambda _id, *, active: promotion_snapshot("BYHAND", active=active),
    )
    scene = everything()
    list(writes_of_newcomers(scene))  # an invite campaign and a link, to be ended
    acts = [write.call for write in writes_of_operators(scene)]

    without = {call.name for call in acts if not is_kept(call)}

    assert verbs_of_the_desk() < {call.name for call in acts}
    assert len(acts) > 45
    assert without == set()


def price_at_stripe(draft: Plan) -> None:
    for price in draft.prices.all():
        set_stripe_price_id(price=price, stripe_id=f"price_{price.pk}")


def is_kept(call: Call) -> bool:
    """Whether an entry that is written when it is done says why."""
    latest = AuditEntry.objects.latest("pk").pk
    with undone():
        kind = "application/x-www-form-urlencoded"
        Client(raise_request_exception=False).generic(
            call.method, call.url, call.body, content_type=kind, headers=call.headers
        )
        written = list(AuditEntry.objects.filter(pk__gt=latest))
    return any(REASON in str(value) for entry in written for value in entry.details.values())
