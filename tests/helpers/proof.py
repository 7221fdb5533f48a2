"""A recent proof in a client's session, as the page that asks for it leaves it there."""

from __future__ import annotations

import time

from allauth.account.internal.flows import login
from django.test import Client


def prove(client: Client) -> Client:
    """Whoever has signed in with this client has just confirmed the password."""
    session = client.session
    session[login._AUTHENTICATION_METHODS_USER_SESSION_KEY] = session["_auth_user_id"]
    session[login.AUTHENTICATION_METHODS_SESSION_KEY] = [
        {"method": "password", "at": time.time(), "reauthenticated": True}
    ]
    session.save()
    return client
