"""How the variables of the environment are read."""

import pytest

from tokenplan.runtime import environment
from tokenplan.runtime.environment import InvalidEnvironment


def test_text_flags_numbers_and_words_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", " ")
    assert environment.text("A", "default") == "default"
    assert environment.flag("A") is False
    monkeypatch.setenv("A", "Yes")
    assert environment.flag("A") is True
    monkeypatch.setenv("A", "off")
    assert environment.flag("A", True) is False
    monkeypatch.setenv("A", "7")
    assert environment.number("A", 1) == 7
    monkeypatch.setenv("A", "x, y,")
    assert environment.words("A", []) == ["x", "y"]


def test_a_variable_that_cannot_be_used_is_named_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "maybe")
    with pytest.raises(InvalidEnvironment, match="A must be 1 or 0"):
        environment.flag("A")
    with pytest.raises(InvalidEnvironment, match="A must be a whole number"):
        environment.number("A", 1)
    with pytest.raises(InvalidEnvironment, match="EMAIL_URL"):
        environment.email_settings("imap://x")


def test_a_mail_server_is_read_from_its_url() -> None:
    plain = environment.email_settings("smtp://me:p%40ss@mail.example:2525?tls=0")
    assert (plain["EMAIL_HOST"], plain["EMAIL_PORT"]) == ("mail.example", 2525)
    assert (plain["EMAIL_HOST_USER"], plain["EMAIL_HOST_PASSWORD"]) == ("me", "p@ss")
    assert (plain["EMAIL_USE_TLS"], plain["EMAIL_USE_SSL"]) == (False, False)
    secure = environment.email_settings("smtps://mail.example")
    assert (secure["EMAIL_PORT"], secure["EMAIL_USE_TLS"], secure["EMAIL_USE_SSL"]) == (465, False, True)
