"""Django's command; it gathers what `manage.py up` does, and no more."""

from __future__ import annotations

from typing import Any

from django.contrib.staticfiles.management.commands import collectstatic

from tokenplan.static_files import NOT_SERVED, is_served


class Command(collectstatic.Command):
    """The packages' other files name files that are not here, at which the storage would stop."""

    def set_options(self, **options: Any) -> None:
        super().set_options(**{**options, "ignore_patterns": [*options["ignore_patterns"], *NOT_SERVED]})

    def copy_file(self, path: str, prefixed_path: str, source_storage: Any) -> None:
        if is_served(prefixed_path):
            super().copy_file(path, prefixed_path, source_storage)
