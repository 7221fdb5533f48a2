"""Static files are the same, whichever command gathers them."""

from pathlib import Path

from django.core.management import call_command
from pytest_django.fixtures import Settings

from tokenplan.static_files import STAMP, gather


def names_in(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} - {STAMP}


def test_collectstatic_gathers_what_up_does(tmp_path: Path, settings: Settings) -> None:
    settings.STATIC_ROOT = str(tmp_path / "collected")
    storage = {"BACKEND": "tokenplan.static_files.Gathered"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": storage}
    call_command("collectstatic", interactive=False, verbosity=0)
    assert names_in(tmp_path / "collected") == names_in(gather(tmp_path / "gathered"))
