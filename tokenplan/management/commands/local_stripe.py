"""`manage.py local_stripe`: the local Stripe, until Ctrl-C. `make run` starts it where no key of Stripe's is
set.
"""

import logging
import signal
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from billing.workflows.catalog import EVENTS, publish_portal, publish_prices
from tokenplan.kit.errors import Refusal
from tokenplan.local_stripe.server import LocalStripe

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Serves a local Stripe at STRIPE_API_BASE, for machines without an account at Stripe."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.LOCAL_STRIPE:
            raise CommandError("STRIPE_SECRET_KEY is set: Stripe itself is asked, not a local one.")
        address = urlsplit(settings.STRIPE_API_BASE)
        settings.DATA.mkdir(parents=True, exist_ok=True)
        try:
            stripe = LocalStripe(
                settings.DATA / "stripe.sqlite3",
                host=address.hostname or "127.0.0.1",
                port=address.port or 80,
            )
        except OSError as error:
            raise CommandError(f"Cannot serve at {settings.STRIPE_API_BASE}: {error.strerror}") from error
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stripe.leave())
        with stripe:
            url = f"{settings.BASE_URL}/webhooks/stripe/"
            stripe.register(url, secret=settings.STRIPE_WEBHOOK_SECRET, events=EVENTS)
            self.stdout.write(f"The local Stripe serves {stripe.url}")
            self.stdout.flush()
            publish()
            stripe.wait()


def publish() -> None:
    """What we sell is for sale there too. Where our database does not answer, the account stays as it is."""
    try:
        for line in chain(publish_prices(), publish_portal()):
            logger.info("Published %s", line)
    except (DatabaseError, Refusal) as error:
        logger.warning("The prices were not published: %s. Run manage.py sync_stripe.", error)
