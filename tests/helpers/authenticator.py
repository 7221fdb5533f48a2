"""Chromium's own authenticator, for passkeys in a real browser."""

from __future__ import annotations

from playwright.sync_api import CDPSession, Page


class Authenticator:
    """The browser's, which keeps passkeys and verifies its owner until told otherwise."""

    def __init__(self, page: Page) -> None:
        self.devtools: CDPSession = page.context.new_cdp_session(page)
        self.devtools.send("WebAuthn.enable")
        added = self.devtools.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "internal",
                    "hasResidentKey": True,
                    "hasUserVerification": True,
                    "isUserVerified": True,
                    "automaticPresenceSimulation": True,
                }
            },
        )
        self.id = added["authenticatorId"]

    def verifies(self, its_owner: bool) -> None:
        self.devtools.send(
            "WebAuthn.setUserVerified", {"authenticatorId": self.id, "isUserVerified": its_owner}
        )
