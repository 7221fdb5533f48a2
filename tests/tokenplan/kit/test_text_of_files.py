"""Files that operators write, by whatever program."""

from pathlib import Path

import pytest

from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.text import read_operator_file


@pytest.mark.parametrize(
    "written",
    [b"a,b\n1,\xc3\xa9\n", b"\xef\xbb\xbfa,b\n1,\xc3\xa9\n", b"a,b\r\n1,\xc3\xa9\r\n", b"a,b\r1,\xc3\xa9\r"],
)
def test_a_byte_order_mark_and_the_ends_of_lines_make_no_difference(tmp_path: Path, written: bytes) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(written)
    assert read_operator_file(file) == "a,b\n1,é\n"


@pytest.mark.parametrize(("written", "byte"), [(b"a\xe9", 1), ("a,é".encode("utf-16"), 0)])
def test_text_that_is_not_utf_8_is_refused_by_name(tmp_path: Path, written: bytes, byte: int) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(written)
    with pytest.raises(InvalidValue) as refused:
        read_operator_file(file)
    assert refused.value.detail == (
        f"{file} is not text in UTF-8 (byte {byte}). Save it as UTF-8 and load it again."
    )
