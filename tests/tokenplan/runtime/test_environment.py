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
    for url in ("imap://x", "smtp://", "smtp://h:x", "smtp://h:70000", "smtp://h:0"):
        with pytest.raises(InvalidEnvironment, match="EMAIL_URL must look like"):
            environment.email_settings(url)


def test_a_number_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("0", "10", "-1"):
        monkeypatch.setenv("A", value)
        with pytest.raises(InvalidEnvironment, match=f"A must be from 1 to 9, not {value}"):
            environment.number("A", 5, least=1, most=9)
    for value in ("1_0", "٣", "9" * 5000):
        monkeypatch.setenv("A", value)
        with pytest.raises(InvalidEnvironment, match="A must be a whole number"):
            environment.number("A", 5)
    monkeypatch.setenv("A", "9")
    assert environment.number("A", 5, least=1, most=9) == 9


def test_a_number_may_be_nothing_or_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.number("A", 0, least=3, most=9, or_zero=True) == 0
    for value in ("1", "2"):
        monkeypatch.setenv("A", value)
        with pytest.raises(InvalidEnvironment, match=f"A must be 0, or from 3 to 9, not {value}"):
            environment.number("A", 0, least=3, most=9, or_zero=True)
    for value, number in (("0", 0), ("3", 3), ("9", 9)):
        monkeypatch.setenv("A", value)
        assert environment.number("A", 0, least=3, most=9, or_zero=True) == number


def test_a_secret_of_another_kind_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.secret("A", "sk_") == ""
    monkeypatch.setenv("A", "sk_test_1")
    assert environment.secret("A", "sk_", "rk_") == "sk_test_1"
    monkeypatch.setenv("A", "whsec_1")
    with pytest.raises(InvalidEnvironment) as refused:
        environment.secret("A", "sk_", "rk_")
    assert str(refused.value) == "A must start with sk_ or rk_."


def test_a_choice_is_one_of_the_known_words(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.choice("A", "INFO", ["INFO", "DEBUG"]) == "INFO"
    monkeypatch.setenv("A", "debug")
    assert environment.choice("A", "INFO", ["INFO", "DEBUG"]) == "DEBUG"
    monkeypatch.setenv("A", "loud")
    with pytest.raises(InvalidEnvironment, match="A must be one of INFO, DEBUG, not 'LOUD'"):
        environment.choice("A", "INFO", ["INFO", "DEBUG"])


def test_a_mail_server_is_read_from_its_url() -> None:
    plain = environment.email_settings("smtp://me:p%40ss@mail.example:2525?tls=0")
    assert (plain["EMAIL_HOST"], plain["EMAIL_PORT"]) == ("mail.example", 2525)
    assert (plain["EMAIL_HOST_USER"], plain["EMAIL_HOST_PASSWORD"]) == ("me", "p@ss")
    assert (plain["EMAIL_USE_TLS"], plain["EMAIL_USE_SSL"]) == (False, False)
    secure = environment.email_settings("smtps://mail.example")
    assert (secure["EMAIL_PORT"], secure["EMAIL_USE_TLS"], secure["EMAIL_USE_SSL"]) == (465, False, True)
