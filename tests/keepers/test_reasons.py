"""Whatever an operator does to a row asks for a reason, which the audit keeps."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.contrib.admin import ModelAdmin, site
from django.db.models import UUIDField
from django.test import Client
from django.urls import reverse

from teams.models import User
from tests.helpers.staff import staff
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


def test_what_makes_something_new_asks_for_a_reason() -> None:
    client = staff(superuser=True)
    opened, without = set(), set()
    for model, page in site._registry.items():
        answer = client.get(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add"))
        if answer.status_code == 200:
            opened.add(model._meta.label_lower)
            if b'name="reason"' not in answer.content:
                without.add(name_of(page, "add"))

    assert opened == {"auth.group", "quota.gateway", "billing.promotion", "billing.invitecampaign"}
    assert without == {"auth.group add"}  # Django's own page: it names rights, and gives nobody any


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
