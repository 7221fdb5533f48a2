"""Staff neither plant a passkey on an account nor read what checks it; they remove those that are lost."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.urls import reverse

from teams.models import AuditEntry
from tests.helpers.admin_urls import change_url, verb_url
from tests.helpers.factories import make_user
from tests.helpers.reading import read, submit
from tests.helpers.staff import staff

pytestmark = pytest.mark.django_db
LIST = reverse("admin:mfa_authenticator_changelist")


@pytest.fixture(autouse=True)
def _nothing_enqueued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenplan.kit.enqueue._send", lambda task: None)


@pytest.fixture
def rows() -> list[Authenticator]:
    ada = make_user("ada@example.com")
    return [
        Authenticator.objects.create(
            user=ada, type="webauthn", data={"name": "phone", "credential": "c-r-e-d"}
        ),
        Authenticator.objects.create(user=ada, type="recovery_codes", data={"seed": "s-e-e-d"}),
    ]


def test_nobody_adds_edits_or_reads_one(rows: list[Authenticator]) -> None:
    client = staff(superuser=True)
    eve = make_user("eve@example.com")
    planted = {"user": eve.pk, "type": "webauthn", "data": "{}", "created_at_0": "2026-01-01"}

    assert client.get(LIST).status_code == 200
    assert client.post(reverse("admin:mfa_authenticator_add"), planted).status_code == 403
    for row in rows:
        shown = client.get(change_url(row)).content.decode()
        assert "c-r-e-d" not in shown
        assert "s-e-e-d" not in shown
        assert client.post(change_url(row), planted).status_code == 403
        delete = reverse("admin:mfa_authenticator_delete", args=[row.pk])
        assert client.post(delete, {"post": "yes"}).status_code == 403
    assert list(Authenticator.objects.order_by("pk").values_list("user__email")) == [("ada@example.com",)] * 2


def test_whoever_may_change_accounts_and_passkeys_removes_all_of_one_with_a_reason(
    rows: list[Authenticator],
) -> None:
    ada = rows[0].user
    url = verb_url(ada, "remove-passkeys")
    for rights in (("view_user", "change_user"), ("view_user", "change_authenticator")):
        assert staff(*rights).post(url, {"reason": "lost"}).status_code == 403
    assert Authenticator.objects.count() == 2

    page = submit(staff("view_user", "change_user", "change_authenticator"), url, reason="Lost phone")

    assert "The account ada@example.com signs in by the password alone now" in page
    assert not Authenticator.objects.exists()
    entry = AuditEntry.objects.get(action="passkey.all_removed")
    assert (entry.subject, entry.details) == ("ada@example.com", {"reason": "Lost phone"})
    assert "Remove all passkeys" not in read(staff(superuser=True), change_url(ada))
