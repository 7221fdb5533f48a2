"""Every file that the console has for a spreadsheet is made alike (decision 89)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise

import pytest
from django.test import Client
from django.urls import reverse

from quota.services.refusals import remember_refusal
from teams.models import User
from tests.helpers.address_table import PAGES, TEAMS
from tests.helpers.factories import T0, owner_of
from tests.helpers.large_team import LargeTeam
from tests.helpers.page_fixtures import as_user, at_t0, nothing_enqueued
from tests.helpers.stripe_says import Bill, put_on_sale
from tokenplan.kit.errors import Refusal

__all__ = ["as_user", "at_t0", "nothing_enqueued"]
pytestmark = pytest.mark.django_db

MOMENT, DAY = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), re.compile(r"\d{4}-\d\d-\d\d")
EXACT = re.compile(r"-?\d+\.\d{2,9}")
ADDRESS = re.compile(r"\S+@\S+\.\S+")
NAMES, ADDRESSES = re.compile(r"Name|.+: name"), re.compile(r"E-mail address|.+: e-mail address")
# What people wrote, or what an entry is about, may be anything.
FREE = {"About", "Cause", "Message", "Reason", "What", "Detail"}
WITH_SUMS = {"account-usage", "team-usage", "team-charges"}


class File:
    """A file as a spreadsheet reads it."""

    def __init__(self, content: bytes) -> None:
        self.mark = content[:3]
        self.heading, *self.rows = csv.reader(io.StringIO(content.decode("utf-8-sig")))

    def cells(self) -> Iterator[tuple[str, str]]:
        """Each that is not empty, after its heading."""
        for row in self.rows:
            yield from ((name, cell) for name, cell in zip(self.heading, row, strict=True) if cell)

    def faults(self) -> list[object]:
        found: list[object] = []
        if self.mark != b"\xef\xbb\xbf":
            found.append("it lacks the mark of UTF-8")
        if len(set(self.heading)) != len(self.heading) or not all(self.heading):
            found.append(self.heading)
        for place, name in enumerate(self.heading):
            if ADDRESSES.fullmatch(name) and not NAMES.fullmatch(self.heading[place - 1]):
                found.append(f"no name before {name}")
            if NAMES.fullmatch(name) and not ADDRESSES.fullmatch(self.heading[place + 1]):
                found.append(f"no address after {name}")
        return found + [(name, cell) for name, cell in self.cells() if not fits(name, cell)]


def fits(name: str, cell: str) -> bool:
    """Whether a cell is what its heading says: a moment, an amount, an address, or none of these."""
    if name in ("Day (UTC)", "Hour (UTC)") or name.endswith("(UTC)"):
        pattern, form = (DAY, "%Y-%m-%d") if name == "Day (UTC)" else (MOMENT, "%Y-%m-%d %H:%M:%S")
        return bool(pattern.fullmatch(cell) and datetime.strptime(cell, form))
    if name.endswith("(USD)") or name == "Credits" or name.startswith("Credits "):
        return bool(EXACT.fullmatch(cell))
    if ADDRESSES.fullmatch(name):
        return bool(ADDRESS.fullmatch(cell))
    return name in FREE or not (DAY.match(cell) or "$" in cell or ADDRESS.fullmatch(cell))


def files_of(client: Client, slug: str, language: str = "en") -> dict[str, File]:
    """Whatever page of the console answers with a CSV, of itself or where one is asked for."""
    found = {}
    for name, address in PAGES.items():
        if "GET" not in address.methods or address.pk or address.fixed:
            continue
        url = reverse(name, kwargs={"slug": slug})
        answer = client.get(url, {"format": "csv"}, headers={"Accept-Language": language})
        if answer.headers["Content-Type"].startswith("text/csv"):
            found[name] = File(answer.getvalue())
    return found


@pytest.fixture
def firm() -> LargeTeam:
    put_on_sale()
    firm = LargeTeam()
    Bill(firm.team).say({"plus": 2})
    remember_refusal(
        gateway=firm.scene.desk.gateway,
        key_text=firm.scene.desk.key,
        request_id="r2",
        model="=x",
        refusal=Refusal("No"),
        at=T0,
    )
    firm.grow(3)
    return firm


def test_every_file_has_the_mark_moments_money_and_people_alike(
    as_user: Callable[[User], Client], firm: LargeTeam
) -> None:
    files = files_of(as_user(firm.owner.user), firm.team.slug)

    assert (
        set(files)
        == {name for name in TEAMS if name.endswith("-csv") and name in PAGES and not PAGES[name].pk}
        | WITH_SUMS
    )
    assert {name for name, file in files.items() if not file.rows} == set()
    assert {name: faults for name, file in files.items() if (faults := file.faults())} == {}


def test_in_chinese_a_file_has_the_mark_and_headings_that_differ_too(
    as_user: Callable[[User], Client], firm: LargeTeam
) -> None:
    files = files_of(as_user(owner_of(firm.team).user), firm.team.slug, "zh-hans")

    assert {name for name, file in files.items() if len(set(file.heading)) < len(file.heading)} == set()
    assert {file.mark for file in files.values()} == {b"\xef\xbb\xbf"}
    before = {
        name for file in files.values() for name, after in pairwise(file.heading) if after == "邮箱地址"
    }
    assert before == {"姓名"}


@pytest.mark.parametrize(
    ("heading", "cell"),
    [
        ("When (UTC)", "2026-06-03T10:02:00+00:00"),
        ("Day (UTC)", "2026-06-31"),
        ("Seen", "2026-06-03 10:02:00"),
        ("Amount (USD)", "1,234.50"),
        ("Paid", "$5.00"),
        ("Held by", "mia@example.com"),
    ],
)
def test_a_cell_of_another_form_is_a_fault(heading: str, cell: str) -> None:
    def faults() -> list[object]:
        return File(f'\ufeff{heading}\r\n"{cell}"\r\n'.encode()).faults()

    if heading == "Day (UTC)":
        with pytest.raises(ValueError, match="out of range"):
            faults()
    else:
        assert faults() == [(heading, cell)]


def test_a_file_without_the_mark_with_a_heading_twice_or_half_a_person_is_a_fault() -> None:
    assert File(b"Name,E-mail address,Lot,Lot\r\n").faults() == [
        "it lacks the mark of UTF-8",
        ["Name", "E-mail address", "Lot", "Lot"],
    ]
    assert File("\ufeffSeat,E-mail address\r\n".encode()).faults() == ["no name before E-mail address"]
