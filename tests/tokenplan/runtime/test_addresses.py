"""An address that cannot work is refused in one sentence, before anything is started."""

from typing import Any

import pytest
from django.http import HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.test import RequestFactory
from pytest_django.fixtures import Settings

from tokenplan.runtime.addresses import (
    broker_url,
    console_address,
    database_settings,
    gateway_addresses,
    is_this_machine,
)
from tokenplan.runtime.environment import InvalidEnvironment

HOST_ALONE = "BASE_URL must be a host and perhaps a port, without a path"
SCHEME = "BASE_URL must start with http:// or https://"
BRACKETS = "IPv6 address stands in brackets"


@pytest.mark.parametrize(
    ("given", "url", "host", "https"),
    [
        ("", "http://127.0.0.1:8000", "127.0.0.1", False),
        ("https://console.example.com/", "https://console.example.com", "console.example.com", True),
        ("http://[::1]:8000", "http://[::1]:8000", "[::1]", False),
        ("https://[2001:db8::1]", "https://[2001:db8::1]", "[2001:db8::1]", True),
        ("http://localhost:99", "http://localhost:99", "localhost", False),
        ("https://console.example.com:443", "https://console.example.com", "console.example.com", True),
        ("http://console.example.com:80/", "http://console.example.com", "console.example.com", False),
        ("http://a.example:443", "http://a.example:443", "a.example", False),
        ("https://a.example:08443", "https://a.example:8443", "a.example", True),
        ("https://a.example:", "https://a.example", "a.example", True),
        ("HTTPS://Console.Example.com", "https://console.example.com", "console.example.com", True),
        ("https://console.example.com.", "https://console.example.com", "console.example.com", True),
        ("https://[2001:DB8:0::0:1]:443", "https://[2001:db8::1]", "[2001:db8::1]", True),
    ],
)
def test_an_address_of_the_console_is_read(
    monkeypatch: pytest.MonkeyPatch, given: str, url: str, host: str, https: bool
) -> None:
    monkeypatch.setenv("BASE_URL", given)
    address = console_address(8000)
    assert (address.url, address.host, address.https) == (url, host, https)


def test_the_port_of_the_web_server_is_not_said_where_browsers_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("BASE_URL", raising=False)
    assert console_address(80).url == "http://127.0.0.1"
    assert console_address(8000).url == "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    "given",
    ["https://console.example.com:443", "HTTPS://Console.Example.com", "https://console.example.com./"],
)
def test_forms_of_the_origin_that_a_browser_makes_of_it_are_taken(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, given: str
) -> None:
    """Behind a proxy that does not say that it speaks TLS, the origin is compared with BASE_URL's."""
    monkeypatch.setenv("BASE_URL", given)
    address = console_address(8000)
    settings.ALLOWED_HOSTS, settings.CSRF_TRUSTED_ORIGINS = [address.host], [address.url]
    request = RequestFactory().post(
        "/", headers={"host": "console.example.com", "origin": "https://console.example.com"}
    )

    assert request.get_host() == "console.example.com"
    csrf: Any = CsrfViewMiddleware(lambda _: HttpResponse())
    assert csrf._origin_verified(request)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("https://a.example/plan", HOST_ALONE),
        ("https://a.example/?x=1", HOST_ALONE),
        ("https://a.example#x", HOST_ALONE),
        ("https://user:password@a.example", HOST_ALONE),
        ("console.example.com", SCHEME),
        ("localhost:8000", SCHEME),
        ("//a.example", SCHEME),
        ("ftp://a.example", SCHEME),
        ("https://", SCHEME),
        ("http://::1:8000", BRACKETS),
        ("http://2001:db8::1", BRACKETS),
        ("http://[::1:8000", BRACKETS),
        ("http://a.example:70000", "A port is from 1 to 65535"),
        ("http://a.example:0", "A port is from 1 to 65535"),
        ("http://a.example:x", "A port is from 1 to 65535"),
        ("http://a b.example", "BASE_URL names no host"),
        ("http://*", "BASE_URL names no host"),
    ],
)
def test_an_address_of_the_console_that_cannot_work_is_refused(
    monkeypatch: pytest.MonkeyPatch, given: str, sentence: str
) -> None:
    monkeypatch.setenv("BASE_URL", given)
    with pytest.raises(InvalidEnvironment) as refused:
        console_address(8000)
    assert sentence in str(refused.value)
    assert "password" not in str(refused.value)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "a.localhost", "127.8.8.8", "[::1]"])
def test_names_of_this_machine(host: str) -> None:
    assert is_this_machine(host)


@pytest.mark.parametrize(
    "host",
    ["console.example.com", "localhost.example", "192.168.1.5", "0.0.0.0", "[::]", "[2001:db8::1]"],
)
def test_names_of_other_machines(host: str) -> None:
    assert not is_this_machine(host)


def test_a_postgresql_is_read() -> None:
    settings = database_settings("postgres://me:p%40ss@db.example:6432/plan?sslmode=require")
    assert (settings["HOST"], settings["PORT"], settings["NAME"]) == ("db.example", 6432, "plan")
    assert (settings["USER"], settings["PASSWORD"]) == ("me", "p@ss")
    assert settings["OPTIONS"] == {"sslmode": "require"}


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://u:password@h/x", "must name a PostgreSQL"),
        ("sqlite:///x", "must name a PostgreSQL"),
        ("host=h password=password", "must name a PostgreSQL"),
        ("postgres:h/x", "must name a PostgreSQL"),
        ("postgres://u:password@h", "must name a database after the last slash"),
        ("postgres://u:password@h/", "must name a database after the last slash"),
        ("postgres://u:password@h:x/d", "A port is from 1 to 65535"),
        ("postgres://u:password@h:70000/d", "A port is from 1 to 65535"),
    ],
)
def test_what_is_no_postgresql_is_refused_without_its_password(url: str, sentence: str) -> None:
    with pytest.raises(InvalidEnvironment) as refused:
        database_settings(url)
    assert str(refused.value).startswith("DATABASE_URL ")
    assert sentence in str(refused.value)
    assert "password@h" not in str(refused.value).replace("user:password@host", "")


def test_a_broker_is_read_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("", "redis://h:6379/0", "rediss://h", "amqp://u:p@h//"):
        monkeypatch.setenv("REDIS_URL", url)
        assert broker_url() == url
    for url in ("localhost:6379", "http://h", "redis:h", "redis://h:70000"):
        monkeypatch.setenv("REDIS_URL", url)
        with pytest.raises(InvalidEnvironment, match="REDIS_URL"):
            broker_url()


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("", ""),
        ("https://gateway.example.com/v1/", "https://gateway.example.com/v1"),
        ("http://127.0.0.1:8002/anthropic", "http://127.0.0.1:8002/anthropic"),
        ("http://[::1]:8002", "http://[::1]:8002"),
    ],
)
def test_the_gateways_base_urls_are_read(monkeypatch: pytest.MonkeyPatch, given: str, url: str) -> None:
    monkeypatch.setenv("GATEWAY_ANTHROPIC_URL", given)
    monkeypatch.setenv("GATEWAY_OPENAI_URL", "https://other.example/v1")
    assert gateway_addresses() == (url, "https://other.example/v1")


@pytest.mark.parametrize(
    "given",
    [
        "gateway.example.com",
        "ftp://gateway.example.com",
        "https://gateway.example.com/v1?key=1",
        "https://user:password@gateway.example.com",
        "https://gateway.example.com/'; rm -rf ~",
        'https://gateway.example.com/"',
        "https://gateway.example.com/`id`",
        "https://gateway.example.com/$(id)",
        "https://gateway.example.com:99999/v1",
        "https://",
    ],
)
def test_what_cannot_stand_in_a_command_is_no_base_url(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("GATEWAY_OPENAI_URL", given)
    with pytest.raises(InvalidEnvironment, match="GATEWAY_OPENAI_URL"):
        gateway_addresses()
