"""Each write of the sign-in library's pages, as a request that does what it is for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import reverse

from teams.models import User
from tests.helpers.browsing import last_link, path_of
from tests.helpers.console_pages import PASSWORD, signed_in
from tests.helpers.factories import make_user
from tests.helpers.lost_connections import cookies_of, form_call
from tests.helpers.passkeys import ADD, CONFIRM, SECOND_FACTOR, SIGN_IN, SoftPasskey, options
from tests.helpers.proof import prove
from tests.helpers.totp import SoftApp, add_app, app_shown
from tests.helpers.writes import SESSION, Write

NEW = {"password1": "another-horse-battery", "password2": "another-horse-battery"}


LIBRARY = "the sign-in library writes it in steps, each a transaction, and mails last"
IN_STEPS = {
    *("account_signup", "account_change_password", "account_set_password", "account_email"),
    *("mfa_activate_totp", "mfa_generate_recovery_codes"),
}


def post(name: str, values: dict[str, Any], client: Client | None = None, **kwargs: Any) -> Write:
    why = kwargs.pop("why", "")
    headers = cookies_of(client) if client else {}
    call = form_call(name, reverse(name, kwargs=kwargs or None), values, headers)
    # A code that cannot be remembered as used is not taken.
    refused = frozenset({200} if "code" in values else ())
    return Write(call, why, steps=LIBRARY if name in IN_STEPS else "", refused=refused)


def writes_of_accounts() -> Iterator[Write]:
    yield from _of_a_password()
    yield from _of_addresses()
    yield from _of_second_factors()


def _of_a_password() -> Iterator[Write]:
    user = make_user("ada@example.com", password=PASSWORD)
    never_here = make_user("never@example.com", password=PASSWORD)
    yield post("account_login", {"login": never_here.email, "password": PASSWORD})
    yield post("account_signup", {"email": "eve@example.com", **NEW})
    yield post("account_signup", {"email": user.email, **NEW})
    yield post("account_reset_password", {"email": user.email})
    yield _new_password_by_a_link(make_user("forgot@example.com", password=PASSWORD))
    yield post("account_change_password", {"oldpassword": PASSWORD, **NEW}, signed_in(user))
    without = signed_in(make_user("nopassword@example.com"))
    yield post("account_set_password", NEW, without)
    yield post("account_logout", {}, signed_in(user), why=SESSION)
    yield post("account_reauthenticate", {"password": PASSWORD}, signed_in(user), why=SESSION)
    yield post("account_reauthenticate_by_code", {"send": ""}, without)


def _new_password_by_a_link(user: User) -> Write:
    client = Client()
    client.post(reverse("account_reset_password"), {"email": user.email})
    url = client.get(path_of(last_link())).headers["Location"]
    call = form_call("account_reset_password_from_key", url, NEW, cookies_of(client))
    return Write(call, steps=LIBRARY)


def _of_addresses() -> Iterator[Write]:
    user = make_user("eva@example.com", password=PASSWORD)
    for email, verified in (("eva@work.example", True), ("eva@home.example", False)):
        EmailAddress.objects.create(user=user, email=email, verified=verified)
    client = signed_in(user)
    for action, email in (
        *(("add", "eva@new.example"), ("remove", "eva@work.example"), ("primary", "eva@work.example")),
        ("send", "eva@home.example"),
    ):
        yield post("account_email", {"email": email, f"action_{action}": ""}, client)
    key = EmailConfirmationHMAC(EmailAddress.objects.get(email="eva@home.example")).key
    yield post("account_confirm_email", {}, client, key=key)


@dataclass
class WithFactors:
    """Who has a passkey, an app and recovery codes."""

    user: User
    client: Client
    passkey: SoftPasskey
    app: SoftApp

    def code(self) -> dict[str, str]:
        """Another one than that by which the app was added, which is good once."""
        return {"code": self.app.code(periods=1)}


def with_factors() -> WithFactors:
    user = make_user("bea@example.com", password=PASSWORD)
    client, passkey = signed_in(user), SoftPasskey()
    passkey.add_to(client)
    app, _ = add_app(prove(client))
    return WithFactors(user, prove(client), passkey, app)


def _of_second_factors() -> Iterator[Write]:
    adding = signed_in(make_user("cat@example.com", password=PASSWORD))
    made = json.dumps(SoftPasskey().made(options(adding.get(ADD))))
    yield post("mfa_add_webauthn", {"name": "phone", "credential": made}, adding)
    app = app_shown(adding.get(reverse("mfa_activate_totp")).content.decode())
    yield post("mfa_activate_totp", {"code": app.code()}, adding)

    has = with_factors()
    pk = Authenticator.objects.get(user=has.user, type=Authenticator.Type.WEBAUTHN).pk
    yield post("mfa_edit_webauthn", {"name": "other"}, has.client, pk=pk)
    yield post("mfa_remove_webauthn", {}, has.client, pk=pk)
    yield post("mfa_deactivate_totp", {}, has.client)
    yield post("mfa_generate_recovery_codes", {}, has.client)
    yield post("mfa_reauthenticate", has.code(), has.client)
    for name, url, client in (
        ("mfa_reauthenticate_webauthn", CONFIRM, signed_in(has.user)),
        ("mfa_authenticate", SECOND_FACTOR, _after_the_password(has.user)),
    ):
        yield post(name, {"credential": has.passkey.answer(options(client.get(url)))}, client)
    yield post("mfa_authenticate", has.code(), _after_the_password(has.user))
    client = Client()
    asked = client.get(SIGN_IN, headers={"Accept": "application/json"}).json()["request_options"]
    yield post("mfa_login_webauthn", {"credential": has.passkey.answer(asked)}, client)


def _after_the_password(user: User) -> Client:
    client = Client()
    client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD})
    return client
