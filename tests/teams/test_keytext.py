"""The text of a key: what is in it, and what cannot be one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teams.keytext import LENGTH, key_id_of, key_text, new_key_id, new_salt, same_text


def test_a_key_is_its_prefix_an_id_a_secret_and_a_checksum() -> None:
    key_id, salt = new_key_id(), new_salt()
    text = key_text(root=b"root", key_id=key_id, salt=salt)
    assert len(text) == LENGTH == 64
    assert text.startswith("sk-cp-" + key_id)
    assert key_id_of(text) == key_id
    assert same_text(text, key_text(root=b"root", key_id=key_id, salt=salt))


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
        "\0" * LENGTH,
    ],
)
def test_garbage_has_no_id(garbage: str) -> None:
    assert key_id_of(garbage) is None


@given(st.integers(6, LENGTH - 1), st.sampled_from("0Az"))
def test_one_changed_character_makes_garbage(position: int, character: str) -> None:
    changed = GOOD[:position] + character + GOOD[position + 1 :]
    assert (key_id_of(changed) is None) == (changed != GOOD)
