"""What a browser loads: little, compressed, once; and all that the pages use."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as now_set
from django.contrib.staticfiles.finders import find
from django.http import HttpResponse
from django.test import Client, RequestFactory
from pytest_django.fixtures import Settings
from whitenoise.middleware import WhiteNoiseMiddleware

from teams.models import User
from tests.helpers.factories import CREDIT, T0, give_credits, make_member, make_scene
from tests.helpers.page_fixtures import as_user, at_t0
from tests.helpers.usage_rows import write_event
from tests.helpers.weight import MOST_BYTES, size_of
from tokenplan.static_files import STAMP, TABLER, gather

__all__ = ["as_user", "at_t0"]
AsUser = Callable[[User], Client]

LOADED = re.compile(r'(?:href|src)="/static/([^"]+)"')
CLASSES = re.compile(r'class="([^"]+)"')
IN_SHEET = re.compile(r"\.([A-Za-z][\w-]*)")
# Before anybody has signed in, and in a Team.
OPEN = ("/", "/plans/", "/models/", "/faq/", "/quickstart/", "/promotions/", "/accounts/login/")
OF_A_PERSON = ("/account/", "/account/usage/{team}/", "/account/profile/", "/accounts/email/", "/tools/")
OF_A_TEAM = (
    "",
    "members/",
    "invitations/",
    "requests/",
    "seats/",
    "usage/",
    "usage/?by=hour&start=2026-05-28&end=2026-06-03",
    "charges/",
    "credits/",
    "api-keys/",
    "balance/",
    "billing/",
    "audit/",
    "settings/",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gather(tmp_path_factory.mktemp("gathered") / "static")


@pytest.fixture
def gathered(folder: Path, settings: Settings) -> Iterator[Path]:
    """The pages name the gathered files."""
    settings.STATIC_ROOT = str(folder)
    backend = {"BACKEND": "tokenplan.static_files.Gathered"}
    settings.STORAGES = {**now_set.STORAGES, "staticfiles": backend}
    yield folder


@pytest.mark.django_db
def test_the_first_load_of_a_page_is_at_most_150_kb_and_no_class_on_it_lost_its_rule(
    gathered: Path, as_user: AsUser
) -> None:
    scene = make_scene(at=T0 - timedelta(days=30))
    give_credits(scene.team, 5000 * CREDIT, at=T0 - timedelta(days=20))
    for number in range(60):
        member = make_member(scene.team)
        for day in range(0, 30, 5):
            at = T0 - timedelta(days=day, hours=number % 9)
            write_event(member, 10**9 + number, at=at, model=f"model {number % 12}", tags=["night", "web"])
    signed_in = as_user(scene.owner.user)
    team = scene.team.slug
    pages = [(Client(), path) for path in OPEN]
    pages += [(signed_in, path.format(team=team)) for path in OF_A_PERSON]
    pages += [(signed_in, f"/teams/{team}/{path}") for path in OF_A_TEAM]
    sheet = next(gathered.glob(TABLER.replace(".min.css", ".min.*.css"))).read_text()
    whole = Path(str(find(TABLER))).read_text()
    known, kept = set(IN_SHEET.findall(whole)), set(IN_SHEET.findall(sheet))
    for client, path in pages:
        answer = client.get(path, headers={"Accept-Encoding": "gzip"})
        assert answer.status_code == 200, path
        is_compressed = answer.headers.get("Content-Encoding") == "gzip"
        html = (gzip.decompress(answer.content) if is_compressed else answer.content).decode()
        loaded = {name: size_of(gathered / name) for name in LOADED.findall(html)}
        assert any(name.startswith("vendor/tabler/") for name in loaded), path
        weight = len(answer.content) + sum(loaded.values())
        assert weight <= MOST_BYTES, (path, weight, len(answer.content), loaded)
        on_page = {name for names in CLASSES.findall(html) for name in names.split()}
        assert not (on_page & known) - kept, path


def test_a_file_is_sent_compressed_and_kept_for_good(gathered: Path, settings: Settings) -> None:
    settings.WHITENOISE_USE_FINDERS = settings.WHITENOISE_AUTOREFRESH = False
    served = WhiteNoiseMiddleware(lambda request: HttpResponse(status=404))
    name = next(gathered.glob("console.*.css")).name

    answer = served(RequestFactory().get(f"/static/{name}", headers={"Accept-Encoding": "gzip"}))

    assert answer.status_code == 200
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Cache-Control"] == "max-age=315360000, public, immutable"
    assert served(RequestFactory().get("/static/console.css")).status_code == 404
    for resource in answer._resource_closers:
        resource()


def test_what_is_gathered_already_is_not_gathered_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*")}

    assert gather(folder) == folder
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*")} == before

    (folder / STAMP).write_text("of other code")
    (folder / "old.css").write_text("")
    monkeypatch.setattr("tokenplan.static_files.pruned", lambda sheet, used: "a{}")
    gather(folder)
    assert not (folder / "old.css").exists()
    assert next(folder.glob(TABLER.replace(".min.css", ".min.*.css"))).read_text() == "a{}"
