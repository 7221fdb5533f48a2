"""A sweep over rows that wait for Stripe."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from django.db.models import Model, QuerySet

from billing.errors import AnswerUnreadable, PaymentsUnavailable
from tokenplan.kit.errors import Refusal

logger = logging.getLogger(__name__)
Row = TypeVar("Row", bound=Model)


def work_each(rows: QuerySet[Row], verb: Callable[[Row], bool], failed: str) -> int:
    """Calls the verb for each row, and returns for how many it was done. `failed` is logged, with the row's
    id for its `%s`, where something is wrong with one; the others are worked all the same.

    Raises PaymentsUnavailable at the first that Stripe does not answer about: it would keep the rest waiting
    as long. So that one of which Stripe never says anything does not keep the same others waiting for good,
    the rows come in another order each time.
    """
    done = 0
    for row in rows.order_by("?"):
        try:
            done += verb(row)
        except AnswerUnreadable as refusal:  # Stripe answers; only this one cannot be read
            logger.warning(f"{failed}: %s", row.pk, refusal)
        except PaymentsUnavailable as refusal:
            logger.warning(f"{failed}: %s. The rest waits.", row.pk, refusal)
            raise
        except Refusal as refusal:
            logger.warning(f"{failed}: %s", row.pk, refusal)
        except Exception:
            logger.exception(failed, row.pk)
    return done
