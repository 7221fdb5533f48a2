"""CSV is made line by line, and no cell of it is run by a spreadsheet."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from tempfile import SpooledTemporaryFile

import pytest
from django.db import DataError, connection
from django.http import StreamingHttpResponse
from django.test.utils import CaptureQueriesContext
from django.utils.translation import get_language, override

from teams.models import AuditEntry, User
from tests.helpers.factories import make_team
from tokenplan.kit import csv_answers
from tokenplan.kit.csv_answers import (
    csv_answer,
    csv_answer_of_one_read,
    csv_file,
    csv_file_in_steps,
    csv_lines,
    moment_cell,
    person_cells,
    person_heading,
    read_in_batches,
    rows_in_steps,
    safe_cell,
    yes_cell,
)


@pytest.mark.parametrize(
    "text", ["=cmd()", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠SUM(A1)"]
)
def test_text_that_a_spreadsheet_would_run_is_text_again(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=b", "'=1", "2026-06-03", "{}", " =1"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert safe_cell(text) == text


def test_numbers_stay_numbers_and_text_is_quoted_where_it_must_be() -> None:
    assert list(csv_lines(["a", "b", "c"], [["=1", -5, 'x,"y"']])) == ["a,b,c\r\n", '\'=1,-5,"x,""y"""\r\n']


def test_a_moment_is_written_in_utc_to_the_second_as_spreadsheets_read_it() -> None:
    shanghai = datetime(2026, 6, 4, 0, 30, tzinfo=timezone(timedelta(hours=8)))
    assert moment_cell(shanghai) == "2026-06-03 16:30:00"
    assert moment_cell(datetime(2026, 6, 3, 10, 2, 0, 999_999, UTC)) == "2026-06-03 10:02:00"
    assert moment_cell(None) == ""


def test_a_person_is_name_and_address_of_whom_the_line_is_or_of_who_had_a_part_in_it() -> None:
    assert person_heading() == ("Name", "E-mail address")
    assert person_heading("Answered by") == ("Answered by: name", "Answered by: e-mail address")
    assert person_cells(User(name="Mia", email="mia@example.com")) == ("Mia", "mia@example.com")
    assert person_cells(None) == ("", "")


def test_a_row_is_asked_for_when_its_line_is_sent() -> None:
    taken = []

    def rows() -> Iterator[list[object]]:
        for number in range(3):
            taken.append(number)
            yield [number]

    answer = csv_answer("x.csv", ["n"], rows())
    lines = iter(answer)
    assert (next(lines), taken) == (b"n\r\n", [])
    assert (next(lines), taken) == (b"0\r\n", [0])
    assert answer.headers["Content-Disposition"] == 'attachment; filename="x.csv"'


@pytest.mark.django_db
def test_rows_come_in_batches_of_one_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes: list[int] = []

    def read(emails: list[str]) -> Iterator[str]:
        sizes.append(len(emails))
        return (email[:2].upper() for email in emails)

    monkeypatch.setattr(csv_answers, "ROWS_AT_ONCE", 2)
    for number in range(5):
        User.objects.create_user(email=f"m{number}@example.com")
    with CaptureQueriesContext(connection) as queries:
        found = list(read_in_batches(User.objects.order_by("email").values_list("email", flat=True), read))
    assert sizes == [2, 2, 1]
    assert found == ["M0", "M1", "M2", "M3", "M4"]
    assert len([query for query in queries if "teams_user" in query["sql"]]) == 1


@pytest.fixture
def no_garbage_is_collected() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("no_garbage_is_collected")
def test_no_transaction_is_left_of_rows_to_which_more_could_not_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(csv_answers, "ROWS_AT_ONCE", 1)
    for name in ("mia", "ben"):
        User.objects.create_user(email=f"{name}@example.com")

    def read(_users: list[User]) -> list[list[object]]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
        return []

    with suppress(DataError):  # as a server does that answers with an error: nobody holds it after that
        csv_answer_of_one_read("x.csv", ["n"], read_in_batches(User.objects.all(), read))
    assert not connection.in_atomic_block


def close(answer: StreamingHttpResponse) -> None:
    """What the server does with an answer that is sent or given up, but for the end of the request."""
    for release in answer._resource_closers:  # type: ignore[attr-defined]
        release()


def test_a_file_for_people_begins_with_the_mark_by_which_spreadsheets_know_utf_8() -> None:
    answer = csv_file("x.csv", ["名称"], [["é"]])
    assert answer.getvalue() == b"\xef\xbb\xbf" + "名称\r\né\r\n".encode()
    close(answer)


def test_a_file_in_steps_has_the_mark_and_is_in_the_language_in_which_it_was_asked_for() -> None:
    taken = []

    def rows() -> Iterator[list[object]]:
        for number in range(2):
            taken.append(number)
            yield [number, yes_cell(True)]

    with override("zh-hans"):
        answer = csv_file_in_steps("x.csv", ["n", "yes"], rows())
    parts = iter(answer)
    assert [next(parts) for _ in range(3)] == [b"\xef\xbb\xbf", b"n,yes\r\n", "0,是\r\n".encode()]
    assert (taken, get_language()) == ([0], "en")
    assert list(parts) == ["1,是\r\n".encode()]


@pytest.mark.django_db
def test_rows_in_steps_are_all_of_them_each_once_and_read_as_they_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(csv_answers, "ROWS_AT_ONCE", 3)
    team, at = make_team(), datetime(2026, 6, 3, tzinfo=UTC)
    AuditEntry.objects.bulk_create(
        AuditEntry(team=team, action="seat.added", subject="x", at=at + timedelta(days=day))
        for day in (0, 1, 1, 1, 1, 2, 2, 3)
    )
    found = AuditEntry.objects.for_team(team).filter(action="seat.added")
    newest = list(found.order_by("-at", "-pk"))

    with CaptureQueriesContext(connection) as queries:
        rows = rows_in_steps(found, "at")
        assert len(queries) == 1
        assert [next(rows) for _ in range(3)] == newest[:3]
        assert len(queries) == 1
        assert list(rows) == newest[3:]
    assert len(queries) == 3
    assert list(rows_in_steps(found.none(), "at")) == []


@pytest.mark.parametrize("in_memory", [1, 1024], ids=["on disk", "in memory"])
def test_an_answer_of_one_read_has_its_rows_before_it_is_sent(
    monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    monkeypatch.setattr(csv_answers, "IN_MEMORY", in_memory)
    monkeypatch.setattr(csv_answers, "PART", 7)
    taken: list[int] = []

    def rows() -> Iterator[list[object]]:
        for number in range(30):
            taken.append(number)
            yield [number, "é"]

    answer = csv_answer_of_one_read("x.csv", ["n", "é"], rows())
    assert len(taken) == 30
    assert answer.getvalue().decode() == "n,é\r\n" + "".join(f"{number},é\r\n" for number in range(30))
    close(answer)
    left = csv_answer_of_one_read("x.csv", ["n", "é"], rows())
    close(left)
    with pytest.raises(ValueError, match="closed"):
        next(iter(left))


def test_what_is_more_than_memory_keeps_goes_to_disk_as_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    rolled_over: list[int] = []

    class Watched(SpooledTemporaryFile[str]):
        def rollover(self) -> None:
            rolled_over.append(len(taken))
            super().rollover()

    def rows() -> Iterator[list[object]]:
        for number in range(30):
            taken.append(number)
            yield [number]

    monkeypatch.setattr(csv_answers, "IN_MEMORY", 10)
    monkeypatch.setattr(csv_answers, "SpooledTemporaryFile", Watched)
    close(csv_answer_of_one_read("x.csv", ["n"], rows()))
    assert rolled_over == [3]


def test_an_answer_of_one_read_that_fails_is_no_answer() -> None:
    def rows() -> Iterator[list[object]]:
        yield [1]
        raise OSError("the database is gone")

    with pytest.raises(OSError, match="the database is gone"):
        csv_answer_of_one_read("x.csv", ["n"], rows())
