"""Reads the process environment: text, booleans, whole numbers, lists. An empty variable counts as not
set.
"""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent


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


def number(name: str, default: int) -> int:
    """A whole number."""
    value = text(name)
    try:
        return int(value) if value else default
    except ValueError:
        raise InvalidEnvironment(f"{name} must be a whole number, not {value!r}.") from None


def words(name: str, default: list[str]) -> list[str]:
    """Words separated by commas."""
    value = text(name)
    return [word.strip() for word in value.split(",") if word.strip()] if value else default


def data_folder() -> Path:
    """Where this installation keeps its data: DATA, or `var` in the checkout. A relative DATA is seen from
    here.
    """
    return Path(text("DATA", str(ROOT / "var"))).expanduser().absolute()


def private_folder(folder: Path) -> Path:
    """The folder, made if missing, for this account alone: mails and logs are nobody else's business."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def email_settings(url: str) -> dict[str, object]:
    """Django's e-mail settings from `smtp://user:password@host:587?tls=1`; `smtps://` for TLS from the first
    byte.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise InvalidEnvironment("EMAIL_URL must look like smtp://user:password@host:587 or smtps://….")
    implicit_tls = parts.scheme == "smtps"
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or (465 if implicit_tls else 587),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": implicit_tls,
        # STARTTLS unless the URL says otherwise: passwords should not travel in the clear by default.
        "EMAIL_USE_TLS": not implicit_tls and "tls=0" not in parts.query,
        "EMAIL_TIMEOUT": 10,
    }
