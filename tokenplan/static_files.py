"""Static files as browsers get them: compressed, with a fingerprint in their names, so that they are kept for
good; and of Tabler's style sheet what some page uses, a quarter of it.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from whitenoise.storage import CompressedManifestStaticFilesStorage

from tokenplan.runtime.folders import ROOT
from tokenplan.style_sheets import pruned

TABLER = "vendor/tabler/css/tabler.min.css"
# Of the front-end packages, the files that pages load.
VENDORED = (TABLER, "vendor/chart.js/chart.umd.min.js")
# Pages that are not shown: of the API's documentation one alone is, and none of the API framework's.
NOT_SERVED = ["redoc*", "rest_framework", "*.map"]
# Where names of classes stand.
SOURCES = [ROOT / name for name in ("templates", "static", "teams", "quota", "billing", "tokenplan")]
SUFFIXES = (".html", ".js", ".py")
WORD = re.compile(r"[A-Za-z][\w-]*")
STAMP = "gathered"


class Gathered(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # it has no types
    """The storage of gathered files. `{% static %}` fails for one that is not there."""

    # Where a source map is, nobody needs to know: none is served.
    patterns = (("*.css", CompressedManifestStaticFilesStorage.patterns[0][1][:2]),)

    def post_process(self, paths: dict[str, Any], dry_run: bool = False, **options: Any) -> Iterator[Any]:
        """First prunes the style sheet, then has all files that pages load named and compressed."""
        paths = {name: path for name, path in paths.items() if is_served(name)}
        if TABLER in paths and not dry_run:
            sheet = Path(self.path(TABLER))
            sheet.write_text(pruned(sheet.read_text(), words_of_sources()))
            paths = {**paths, TABLER: (self, TABLER)}
        yield from super().post_process(paths, dry_run=dry_run, **options)


def gather(folder: Path) -> Path:
    """Has the folder hold the static files of the code as it is now: nothing is done where it does already.
    Whatever else is in it is removed.
    """
    sources = dict(_served())
    stamp = _stamp([*sources.values(), *_sources()])
    note = folder / STAMP
    if note.is_file() and note.read_text() == stamp:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    for name, source in sources.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)
    storage = Gathered(location=folder, base_url=settings.STATIC_URL)
    for _name, _hashed, processed in storage.post_process({name: (storage, name) for name in sources}):
        if isinstance(processed, Exception):
            raise processed
    note.write_text(stamp)
    return folder


def words_of_sources() -> set[str]:
    """Every word in templates, scripts and Python: a name of a class that is none of them is used nowhere."""
    return {word for source in _sources() for word in WORD.findall(source.read_text())}


def is_served(name: str) -> bool:
    """Whether pages load it: of the front-end packages they do so of a few files."""
    return not name.startswith("vendor/") or name in VENDORED


def _served() -> Iterator[tuple[str, Path]]:
    """Each file's name and where it is now. Of two with one name, the one that is found first."""
    found: set[str] = set()
    for finder in get_finders():
        for path, storage in finder.list(NOT_SERVED):
            name = f"{prefix}/{path}" if (prefix := getattr(storage, "prefix", None)) else path
            if name not in found and is_served(name):
                found.add(name)
                yield name, Path(storage.path(path))


def _sources() -> list[Path]:
    files = (file for folder in SOURCES for file in folder.rglob("*") if file.suffix in SUFFIXES)
    return sorted(file for file in files if "local_stripe" not in file.parts)


def _stamp(files: list[Path]) -> str:
    """Another one when any of the files changed."""
    stats = ((str(file), file.stat()) for file in files)
    lines = [f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
