"""What the commands that load a list share: what is empty is filled, what differs is shown."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from quota.plan_terms import Line
from tokenplan.kit.errors import Refusal
from tokenplan.kit.text import read_operator_file

DATA = Path(__file__).resolve().parents[1] / "data"
R = TypeVar("R")


class ListCommand(BaseCommand, Generic[R]):
    """Shows each row of a list beside what there is, and loads the list unless it is only to be shown."""

    shipped: ClassVar[Path]
    all_the_same: ClassVar[str]

    @abstractmethod
    def compared(self, text: str) -> list[R]:
        """The list beside what there is."""

    @abstractmethod
    def loaded(self, text: str, draft: bool, at: datetime) -> list[R]:
        """As `compared`, and the list is loaded."""

    @abstractmethod
    def differences(self, row: R) -> list[Line]: ...

    @abstractmethod
    def filled(self, row: R) -> list[str]:
        """What loading does to the row whether or not drafts are wanted, a sentence each."""

    def beside(self) -> list[str]:
        """What loading does beside the rows, before it is done; a sentence each."""
        return []

    @abstractmethod
    def title(self, row: R) -> Any:
        """What the row is compared with."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", nargs="?", type=Path, default=self.shipped, help="JSON; the shipped list if left out"
        )
        parser.add_argument(
            "--draft", action="store_true", help="write what differs into drafts, for publish_plan"
        )
        parser.add_argument("--dry-run", action="store_true", help="show what would change; write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        draft, dry_run = options["draft"], options["dry_run"]
        try:
            text, beside = read_operator_file(options["file"]), self.beside()
            rows = self.compared(text) if dry_run else self.loaded(text, draft, timezone.now())
        except (OSError, Refusal) as error:
            raise CommandError(str(error)) from error
        self._show(rows, beside, draft)
        if dry_run:
            self.stdout.write("Nothing was written.")

    def _show(self, rows: list[R], beside: list[str], draft: bool) -> None:
        for row in rows:
            for sentence in self.filled(row):
                self.stdout.write(sentence)
            if self.differences(row):
                self.stdout.write(f"{self.title(row)} differs from the list (there -> in the list):")
                for line in self.differences(row):
                    self.stdout.write(f"  {line}")
        for sentence in beside:
            self.stdout.write(sentence)
        if not beside and not any(self.filled(row) or self.differences(row) for row in rows):
            self.stdout.write(self.all_the_same)
        elif any(self.differences(row) for row in rows):
            self.stdout.write(
                "What differs is written into drafts; publish_plan puts them on sale."
                if draft
                else "What differs is left as it is; --draft writes it into drafts."
            )
