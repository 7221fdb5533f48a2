"""What became of one of many: done, refused, or failed for a reason that nobody foresaw."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import transaction
from django.utils.translation import gettext

from tokenplan.kit.errors import Refusal
from tokenplan.kit.problems import UNAVAILABLE

logger = logging.getLogger(__name__)


def outcome_of(act: Callable[[], str], *, about: str) -> tuple[bool, str]:
    """Whether it was done, and what `act` says of it, or why it was not: then nothing of it is written. Only
    an outage of the database is raised on. `about` is for the log.
    """
    try:
        with transaction.atomic():
            return True, act()
    except Refusal as refusal:
        return False, refusal.detail
    except UNAVAILABLE:
        raise
    except Exception:
        logger.exception("%s failed", about)
        return False, gettext("Failed for a reason that is not known. It was logged.")
