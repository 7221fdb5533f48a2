"""An operator helps whoever has lost passkeys and recovery codes."""

from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.core.mail import EmailMessage

from teams.models import AuditEntry, Mail, User
from teams.services import mail, passkeys
from tests.helpers.factories import T0, make_user
from tokenplan.kit.errors import NotFound, PermissionRefused

pytestmark = pytest.mark.django_db


def person(email: str, *, staff: bool = False, superuser: bool = False) -> User:
    user = make_user(email)
    user.is_staff, user.is_superuser = staff, superuser
    user.save()
    return user


def with_passkeys(user: User) -> User:
    for kind in ("webauthn", "webauthn", "recovery_codes"):
        Authenticator.objects.create(user=user, type=kind, data={"name": "phone"})
    return user


def test_all_are_removed_recorded_and_mailed_to_every_confirmed_address(
    mailoutbox: list[EmailMessage],
) -> None:
    ada, bob = with_passkeys(person("ada@example.com")), with_passkeys(person("bob@example.com"))
    EmailAddress.objects.create(user=ada, email="ada@work.example", verified=True)
    EmailAddress.objects.create(user=ada, email="ada@old.example", verified=False)
    operator = person("op@example.com", staff=True)

    passkeys.remove_all(user=ada, by=operator, at=T0)

    assert {row.user_id for row in Authenticator.objects.all()} == {bob.pk}
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.subject, entry.by) == ("passkey.all_removed", "ada@example.com", operator)
    mail.deliver_due(at=T0)
    assert sorted(one.to[0] for one in mailoutbox) == ["ada@example.com", "ada@work.example"]
    assert {one.subject for one in mailoutbox} == {"An operator removed your passkeys and authenticator app"}
    assert "/account/security/" in mailoutbox[0].body


def test_there_has_to_be_one() -> None:
    with pytest.raises(NotFound):
        passkeys.remove_all(user=person("ada@example.com"), by=person("op@example.com", staff=True), at=T0)


@pytest.mark.parametrize("staff", [True, False])
def test_those_of_a_superuser_are_removed_by_superusers_alone(staff: bool) -> None:
    root = with_passkeys(person("root@example.com", staff=True, superuser=True))

    with pytest.raises(PermissionRefused):
        passkeys.remove_all(user=root, by=person("op@example.com", staff=staff), at=T0)

    assert Authenticator.objects.count() == 3
    assert not Mail.objects.exists()
    passkeys.remove_all(user=root, by=person("r2@example.com", staff=True, superuser=True), at=T0)
    assert not Authenticator.objects.exists()
