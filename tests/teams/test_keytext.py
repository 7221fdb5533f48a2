"""The text of a key: what is in it, and what cannot be one."""

import hmac
import string
import zlib
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teams import keytext
from teams.keytext import (
    API_KEY,
    BODY_LENGTH,
    SUBSCRIPTION_KEY,
    _checksum,
    handle,
    key_id_of,
    key_id_of_handle,
    key_text,
    kind_of,
    new_key_id,
    new_salt,
    same_text,
)


def test_a_key_is_its_prefix_an_id_a_secret_and_a_checksum() -> None:
    key_id, salt = new_key_id(), new_salt()
    text = key_text(root=b"root", key_id=key_id, salt=salt)
    assert len(text) == 6 + BODY_LENGTH == 64
    assert text.startswith("sk-cp-" + key_id)
    assert key_id_of(text) == key_id
    assert same_text(text, key_text(root=b"root", key_id=key_id, salt=salt))


def test_the_text_of_a_key_never_changes() -> None:
    """A row has the id, the salt and the name of the root alone: another text would end every key."""
    text = key_text(root=b"a root of a test", key_id="0123456789ab", salt=bytes(range(16)))
    assert text == "sk-cp-0123456789abLVyvdYsLuDbM6sdsyOkasTRC9D3bb1GmG7hj8vSp0cxkq3"
    kind = keytext.SUBSCRIPTION_KEY
    assert key_text(root=b"a root of a test", key_id="0123456789ab", salt=bytes(range(16)), kind=kind) == text
    body = text.removeprefix("sk-cp-").removesuffix("0cxkq3")
    mac = hmac.new(b"a root of a test", b"subscription-key\x000123456789ab\0" + bytes(range(16)), "sha256")
    secret, crc = int.from_bytes(mac.digest()) % 62**40, zlib.crc32(b"sk-cp-" + body.encode())
    assert (read(body[12:]), read("0cxkq3")) == (secret, crc)


def test_an_api_key_has_its_own_prefix_and_its_own_secret() -> None:
    """The same id, salt and root make another secret, so neither kind can be rewritten as the other."""
    key_id, salt = new_key_id(), new_salt()
    ours = key_text(root=b"root", key_id=key_id, salt=salt)
    text = key_text(root=b"root", key_id=key_id, salt=salt, kind=API_KEY)

    assert text.startswith("sk-api-" + key_id)
    assert len(text) == 65
    assert key_id_of(text, API_KEY) == key_id
    assert text[19:-6] != ours[18:-6]
    assert key_id_of(text) is None
    assert key_id_of(ours, API_KEY) is None


def test_the_text_of_an_api_key_never_changes() -> None:
    text = key_text(root=b"a root of a test", key_id="0123456789ab", salt=bytes(range(16)), kind=API_KEY)
    mac = hmac.new(b"a root of a test", b"api-key\x000123456789ab\0" + bytes(range(16)), "sha256")

    assert read(text[19:-6]) == int.from_bytes(mac.digest()) % 62**40


def test_a_text_is_of_the_kind_that_it_begins_like() -> None:
    kinds = [kind_of(text) for text in ("sk-cp-x", "sk-api-x", "sk-", "gw-x", "")]

    assert kinds == [SUBSCRIPTION_KEY, API_KEY, None, None, None]


def read(digits: str) -> int:
    """A number to base 62."""
    alphabet = string.digits + string.ascii_uppercase + string.ascii_lowercase
    return reduce(lambda number, digit: number * 62 + alphabet.index(digit), digits, 0)


def test_ids_and_salts_are_long_and_never_the_same() -> None:
    ids, salts = {new_key_id() for _ in range(20)}, {new_salt() for _ in range(20)}
    assert (len(ids), len(salts)) == (20, 20)
    assert {len(key_id) for key_id in ids} == {12}
    assert {len(salt) for salt in salts} == {16}


def test_only_the_very_same_text_is_the_same() -> None:
    assert same_text(GOOD, GOOD)
    assert not same_text(GOOD[:-1] + "0", GOOD)
    assert not same_text("é", GOOD)


def test_another_root_or_salt_gives_another_key() -> None:
    key_id, salt = new_key_id(), new_salt()
    texts = {
        key_text(root=b"root", key_id=key_id, salt=salt),
        key_text(root=b"other", key_id=key_id, salt=salt),
        key_text(root=b"root", key_id=key_id, salt=new_salt()),
        key_text(root=b"root", key_id=new_key_id(), salt=salt),
    }
    assert len(texts) == 4


GOOD = key_text(root=b"root", key_id="0123456789ab", salt=b"salt")
# These have the right checksum: too short, too long, of another kind, with a sign that is no digit.
WRONG_BODIES = (GOOD[:-7], GOOD[:-6] + "0", "sk-cq-" + GOOD[6:-6], GOOD[:-7] + "-", "sk-cp--" + GOOD[7:-6])


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "sk-cp-",
        "sk-api-" + GOOD[7:],
        GOOD[:-1],
        GOOD + "0",
        GOOD[:-1] + "_",
        GOOD.replace("0", "é", 1),
        "\0" * 64,
        *(body + _checksum(body) for body in WRONG_BODIES),
    ],
)
def test_garbage_has_no_id(garbage: str) -> None:
    assert key_id_of(garbage) is None


@given(st.integers(6, 63), st.sampled_from("0Az"))
def test_one_changed_character_makes_garbage(position: int, character: str) -> None:
    changed = GOOD[:position] + character + GOOD[position + 1 :]
    assert (key_id_of(changed) is None) == (changed != GOOD)


def test_a_handle_names_the_key_and_gives_back_its_id_alone() -> None:
    assert handle("0123456789Az") == "kh-0123456789Az"
    assert key_id_of_handle("kh-0123456789Az") == "0123456789Az"


@pytest.mark.parametrize(
    "text",
    [
        *("", "kh-", "0123456789Az", "kh_0123456789Az", "sk-0123456789Az", "KH-0123456789Az"),
        *("kh-0123456789A", "kh-0123456789Azz", "kh-0123456789A-", "kh-0123456789A\N{DIGIT ONE}z"),
        *("kh-0123456789A\N{ARABIC-INDIC DIGIT ONE}", " kh-0123456789Az"),
    ],
)
def test_other_text_is_no_handle(text: str) -> None:
    assert key_id_of_handle(text) is None
