"""`manage.py key_roots`: how many working keys each root has; one without any can be left out."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count
from django.utils import timezone

from teams.models import ApiKeyText, KeyRoot, SubscriptionKey
from teams.services.key_roots import missing_roots
from teams.services.keys import withdraw_root
from tokenplan.kit.errors import InvalidValue


class Command(BaseCommand):
    help = "Counts the working keys of each root secret. The first root makes new keys."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--withdraw",
            metavar="NAME",
            help="kill every key of this root, which is lost or not secret any more",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["withdraw"]:
            self.withdraw(options["withdraw"])
            return
        now = timezone.now()
        counts: Counter[str] = Counter()
        for working in (SubscriptionKey.objects.working(now), ApiKeyText.objects.working(now)):
            counts.update(dict(working.values_list("root").annotate(Count("pk")).order_by("root")))
        missing = missing_roots(at=now)
        for position, root in enumerate(settings.KEY_ROOTS):
            use = "makes new keys" if position == 0 else "old"
            self.stdout.write(f"{root}: {counts.pop(root, 0)} working keys ({use})")
            if root in missing:
                self.say_wrong(
                    f"{root}: its keys were made with another secret of this name, and cannot work"
                )
        for root, count in sorted(counts.items()):
            self.say_wrong(f"{root}: {count} keys cannot work: this root is not configured")

    def say_wrong(self, line: str) -> None:
        self.stdout.write(self.style.ERROR(line))

    def withdraw(self, root: str) -> None:
        """Kills its keys and says how many. A root that there never was is a slip of the keyboard."""
        known = {
            *settings.KEY_ROOTS,
            *KeyRoot.objects.values_list("name", flat=True),
            *SubscriptionKey.objects.values_list("root", flat=True).distinct(),
            *ApiKeyText.objects.values_list("root", flat=True).distinct(),
        }
        if root not in known:
            raise CommandError(f"There is no root {root}. There are: {', '.join(sorted(known))}")
        try:
            count = withdraw_root(root=root, at=timezone.now(), by=None)
        except InvalidValue as error:
            raise CommandError(error.detail) from error
        self.stdout.write(f"{root}: {count} keys were revoked; their holders make new ones on the Home page")
