"""Usage that no price was found for, from the events that are marked so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from quota.pricing import CACHE_METERS


@dataclass(frozen=True, slots=True)
class UnpricedMeter:
    """A meter that a rate card lacks for a model, with the first of the events that used it."""

    card_id: int
    model: str
    meter: str
    event_id: UUID


# The events first, and apart from prices: on a cluster they are on other servers.
_UNPRICED = """
WITH v AS MATERIALIZED (
    SELECT id, rate_card_id, model, usage, recorded_at FROM quota_usageevent
    WHERE unpriced AND NOT is_undo AND recorded_at > %s
)
SELECT DISTINCT ON (v.rate_card_id, v.model, u.meter) v.rate_card_id, v.model, u.meter, v.id
FROM v CROSS JOIN LATERAL jsonb_each_text(v.usage) AS u (meter, quantity)
WHERE u.quantity <> '0'
    AND NOT EXISTS (
        SELECT 1 FROM quota_ratecardprice p WHERE p.card_id = v.rate_card_id AND p.model = v.model
            AND (p.meter = u.meter OR p.meter = 'input_tokens' AND u.meter = ANY(%s))
    )
ORDER BY v.rate_card_id, v.model, u.meter, v.recorded_at, v.id
"""


def unpriced_meters(since: datetime) -> list[UnpricedMeter]:
    """Those of the events recorded after `since`, by rate card, model and meter."""
    with connection.cursor() as cursor:
        cursor.execute(_UNPRICED, [since, list(CACHE_METERS)])
        return [UnpricedMeter(*row) for row in cursor.fetchall()]
