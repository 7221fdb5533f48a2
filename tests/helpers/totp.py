"""An authenticator app without a phone: it has the key, and shows the code of a moment."""

from __future__ import annotations

import re
from typing import Any

from allauth.mfa import app_settings
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.test import Client
from django.utils import timezone

ADD = "/account/authenticator-app/add/"
REMOVE = "/account/authenticator-app/remove/"
CONFIRM = "/accounts/reauthenticate/app/"


class SoftApp:
    """One app; `key` is what the page gave it."""

    def __init__(self, key: str) -> None:
        self.key = key.replace(" ", "")

    def code(self, *, periods: int = 0) -> str:
        """Of now, or of so many periods of 30 seconds from now."""
        counter = int(timezone.now().timestamp()) // app_settings.TOTP_PERIOD + periods
        return str(format_hotp_value(hotp_value(self.key, counter)))


def app_shown(page: str) -> SoftApp:
    """The app that is given the key which the page shows."""
    found = re.search(r'id="totp-key">([A-Z2-7 ]+)<', page)
    assert found, page
    return SoftApp(found[1])


def add_app(client: Client) -> tuple[SoftApp, Any]:
    """As the person of that client, who has just given a proof; the app, and the answer."""
    app = app_shown(client.get(ADD).content.decode())
    return app, client.post(ADD, {"code": app.code()})
