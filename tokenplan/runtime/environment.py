"""Reads the process environment: text, flags, whole numbers, lists. An empty variable counts as not set."""

import os
import re
from urllib.parse import unquote, urlsplit


class InvalidEnvironment(Exception):
    """A variable is set to something that cannot be used. The message names it."""


def text(name: str, default: str = "") -> str:
    """The variable's text without surrounding blanks, or the default."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, default: bool = False) -> bool:
    """1/true/yes/on or 0/false/no/off, in any case."""
    value = text(name).lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise InvalidEnvironment(f"{name} must be 1 or 0, not {value!r}.")


def number(name: str, default: int, *, least: int = 0, most: int = 2**31 - 1, or_zero: bool = False) -> int:
    """A whole number from `least` to `most`; with `or_zero` also 0."""
    value = text(name)
    if not value:
        return default
    if not re.fullmatch(r"-?[0-9]{1,18}", value):
        raise InvalidEnvironment(f"{name} must be a whole number, not {value!r}.")
    if not least <= int(value) <= most and not (or_zero and int(value) == 0):
        bounds = f"0, or from {least} to {most}" if or_zero else f"from {least} to {most}"
        raise InvalidEnvironment(f"{name} must be {bounds}, not {value}.")
    return int(value)


def words(name: str, default: list[str]) -> list[str]:
    """Words separated by commas."""
    value = text(name)
    return [word.strip() for word in value.split(",") if word.strip()] if value else default


def secret(name: str, *starts: str) -> str:
    """A credential that starts with one of these; empty where there is none. It is never in a message."""
    value = text(name)
    if value and not value.startswith(starts):
        raise InvalidEnvironment(f"{name} must start with {' or '.join(starts)}.")
    return value


def choice(name: str, default: str, known: list[str]) -> str:
    """One of these words, in any case."""
    value = text(name, default).upper()
    if value not in known:
        raise InvalidEnvironment(f"{name} must be one of {', '.join(known)}, not {value!r}.")
    return value


def email_settings(url: str) -> dict[str, object]:
    """Django's e-mail settings from `smtp://user:password@host:587`; `smtps://` means TLS from the start.

    With `smtp://`, STARTTLS is used unless the URL ends in `?tls=0`.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"smtp", "smtps"} and parts.hostname and parts.port != 0
    except ValueError:  # the port
        usable = False
    if not usable:
        raise InvalidEnvironment("EMAIL_URL must look like smtp://user:password@host:587 or smtps://….")
    implicit_tls = parts.scheme == "smtps"
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or (465 if implicit_tls else 587),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": implicit_tls,
        # By default no password travels in the clear.
        "EMAIL_USE_TLS": not implicit_tls and "tls=0" not in parts.query,
        "EMAIL_TIMEOUT": 10,
    }
