"""Whether a page offers passkeys."""

from __future__ import annotations

from django import template

from teams import passkeys

register = template.Library()


@register.simple_tag
def passkey_host() -> str | None:
    """The host that passkeys are made for; None where browsers have none."""
    return passkeys.passkey_host()
