"""The addresses that the environment names: the console's own, the database's, the broker's.

Each is looked at before anything is started, and one that cannot work is refused in one sentence.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

import dj_database_url

from tokenplan.runtime import environment
from tokenplan.runtime.environment import InvalidEnvironment

POSTGRES_SCHEMES = ("postgres", "postgresql", "pgsql")
BROKER_SCHEMES = ("redis", "rediss", "redis+socket", "sentinel", "amqp", "amqps")
# What may stand in a base URL of the gateway: guides put it into commands and files as it is.
GATEWAY_URL = re.compile(r"https?://[A-Za-z0-9._:\[\]/-]+", re.ASCII)
DEFAULT_PORTS = {"http": 80, "https": 443}
HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?", re.IGNORECASE)


@dataclass(frozen=True)
class ConsoleAddress:
    """Where people reach the console, as browsers write an origin: in small letters, without a default port,
    without a slash at the end. An IPv6 `host` stands in brackets.
    """

    url: str
    host: str
    https: bool
    is_this_machine: bool


def console_address(port: int) -> ConsoleAddress:
    """BASE_URL, or the web server's own address. Raises InvalidEnvironment."""
    url = environment.text("BASE_URL", f"http://127.0.0.1:{port}").rstrip("/")
    parts = _split("BASE_URL", url)
    if parts.scheme not in DEFAULT_PORTS or "://" not in url:
        raise InvalidEnvironment(
            f"BASE_URL must start with http:// or https://, as in https://console.example.com, not {url!r}."
        )
    if parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        raise InvalidEnvironment(
            "BASE_URL must be a host and perhaps a port, without a path or anything else after it, as in"
            " https://console.example.com: the console is served at the root of a host."
        )
    host = _host("BASE_URL", parts)
    # An origin is compared sign by sign: of forms, and of passkeys.
    said = "" if parts.port in (None, DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    url = f"{parts.scheme}://{host}{said}"
    return ConsoleAddress(url, host, parts.scheme == "https", is_this_machine(host))


def gateway_addresses() -> tuple[str, str]:
    """Base URLs of the platform's gateway for Anthropic's and for OpenAI's protocol, which people's tools are
    pointed at, without a slash at the end. Empty: not set. Raises InvalidEnvironment.
    """
    return (
        _gateway_url("GATEWAY_ANTHROPIC_URL", environment.text("GATEWAY_ANTHROPIC_URL")),
        _gateway_url("GATEWAY_OPENAI_URL", environment.text("GATEWAY_OPENAI_URL")),
    )


def _gateway_url(name: str, text: str) -> str:
    url = text.rstrip("/")
    if url and not GATEWAY_URL.fullmatch(url):
        raise InvalidEnvironment(
            f"{name} must be a base URL, as in https://gateway.example.com/v1, with nothing after its path,"
            f" not {text!r}."
        )
    if url:
        _host(name, _split(name, url))
    return url


def is_this_machine(host: str) -> bool:
    """Whether the name always means the machine that it is used on."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def database_settings(url: str, *, name: str = "DATABASE_URL") -> dict[str, Any]:
    """Django's settings for a PostgreSQL, which the variable `name` has. Raises InvalidEnvironment; the
    message never has the password.
    """
    scheme = url.partition(":")[0]
    example = "as in postgres://user:password@host:5432/name"
    if scheme not in POSTGRES_SCHEMES or "://" not in url:
        raise InvalidEnvironment(f"{name} must name a PostgreSQL, {example}, not {scheme[:20]!r}.")
    _split(name, url)
    try:
        settings = dict(dj_database_url.parse(url))
    except ValueError:
        raise InvalidEnvironment(f"{name} cannot be read; it must look {example[3:]}.") from None
    if not settings["NAME"]:
        raise InvalidEnvironment(f"{name} must name a database after the last slash, {example}.")
    return settings


def broker_url() -> str:
    """REDIS_URL, or nothing. Raises InvalidEnvironment."""
    url = environment.text("REDIS_URL")
    scheme = url.partition(":")[0]
    if url and (scheme not in BROKER_SCHEMES or "://" not in url):
        raise InvalidEnvironment(
            f"REDIS_URL must name a broker, as in redis://host:6379/0 or amqp://…, not {scheme[:20]!r}."
        )
    _split("REDIS_URL", url)
    return url


def _split(name: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.port != 0  # a port is read only now
    except ValueError:
        usable = False
    if not usable:
        raise InvalidEnvironment(
            f"{name} has a port or an IPv6 address that cannot be read. A port is from 1 to 65535, and an"
            " IPv6 address stands in brackets, as in http://[2001:db8::1]:8000."
        )
    return parts


def _host(name: str, parts: SplitResult) -> str:
    """In its one form, as in the Host header of a request once Django has read it."""
    host = parts.hostname or ""
    if parts.netloc.startswith("["):
        return f"[{_short(host)}]"
    if ":" in parts.netloc.rpartition(":")[0]:
        raise InvalidEnvironment(
            f"{name}: an IPv6 address stands in brackets, as in http://[2001:db8::1]:8000."
        )
    if not HOST_NAME.fullmatch(host):
        raise InvalidEnvironment(f"{name} names no host: {parts.geturl()!r}.")
    return host.removesuffix(".")


def _short(host: str) -> str:
    try:
        return ipaddress.IPv6Address(host).compressed
    except ValueError:
        return host
