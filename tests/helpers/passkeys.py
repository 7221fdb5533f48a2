"""A passkey without a browser: it makes a key pair, and signs what a page asks for."""

from __future__ import annotations

import hashlib
import html
import json
import re
import secrets
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.test import Client
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

ADD = "/account/passkeys/add/"
# A person's own, by the names that the sign-in library knows them by.
PAGES = {
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_deactivate_totp",
    "mfa_download_recovery_codes",
    "mfa_edit_webauthn",
    "mfa_generate_recovery_codes",
    "mfa_index",
    "mfa_remove_webauthn",
    "mfa_view_recovery_codes",
}
SIGN_IN = "/accounts/passkey/"
CONFIRM = "/accounts/reauthenticate/passkey/"
SECOND_FACTOR = "/accounts/second-factor/"
FLAG = AuthenticatorData.FLAG


class SoftPasskey:
    """One passkey. `verifies` says whether it asks its owner for a finger or a PIN."""

    def __init__(self, *, origin: str | None = None, verifies: bool = True) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = secrets.token_bytes(16)
        self.origin = origin or settings.BASE_URL
        self.flags = FLAG.UP | (FLAG.UV if verifies else FLAG(0))
        self.user_handle = ""

    def add_to(self, client: Client, name: str = "phone", **credential: Any) -> Any:
        """As the person of that client, on the page that adds one; whoever has just given a proof."""
        asked = options(client.get(ADD))
        answer = {**self.made(asked), **credential}
        return client.post(ADD, {"name": name, "credential": json.dumps(answer)})

    def made(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The browser's answer to `navigator.credentials.create`."""
        wanted = asked["publicKey"]
        self.user_handle = wanted["user"]["id"]
        public = ES256.from_cryptography_key(self.key.public_key())  # type: ignore[no-untyped-call]
        credential = AttestedCredentialData.create(bytes(16), self.id, public)
        data = AuthenticatorData.create(
            self._rp(wanted["rp"]["id"]), self.flags | FLAG.AT, 0, credential_data=credential
        )
        return self._credential(
            clientDataJSON=self._client_data("webauthn.create", wanted["challenge"]),
            attestationObject=AttestationObject.create("none", data, {}),
        )

    def answer(self, asked: dict[str, Any], **parts: bytes) -> str:
        """The browser's answer to `navigator.credentials.get`."""
        wanted = asked["publicKey"]
        client_data = self._client_data("webauthn.get", wanted["challenge"])
        data = AuthenticatorData.create(self._rp(wanted["rpId"]), self.flags, 0)
        signed = data + hashlib.sha256(client_data).digest()
        response = {
            "clientDataJSON": client_data,
            "authenticatorData": data,
            "signature": self.key.sign(signed, ec.ECDSA(hashes.SHA256())),
            "userHandle": websafe_decode(self.user_handle),
            **parts,
        }
        return json.dumps(self._credential(**response))

    def sign_in(self, client: Client, **form: str) -> Any:
        asked = client.get(SIGN_IN, headers={"Accept": "application/json"}).json()["request_options"]
        return client.post(SIGN_IN, {"credential": self.answer(asked), **form})

    def confirm(self, client: Client, url: str = CONFIRM, **form: str) -> Any:
        """On the page that asks for a recent proof, or for a second factor."""
        return client.post(url, {"credential": self.answer(options(client.get(url))), **form})

    def _client_data(self, kind: str, challenge: str) -> bytes:
        return CollectedClientData.create(kind, challenge, self.origin)

    def _rp(self, host: str) -> bytes:
        return hashlib.sha256(host.encode()).digest()

    def _credential(self, **response: bytes) -> dict[str, Any]:
        own = websafe_encode(self.id)
        parts = {name: websafe_encode(part) for name, part in response.items()}
        return {
            "id": own,
            "rawId": own,
            "type": "public-key",
            "response": parts,
            "clientExtensionResults": {},
        }


def options(page: Any) -> dict[str, Any]:
    """What the page has the browser ask for."""
    found = re.search(
        r'<script id="passkey-options" type="application/json">(.*?)</script>', page.content.decode()
    )
    assert found, page
    asked: dict[str, Any] = json.loads(html.unescape(found[1]))
    return asked
