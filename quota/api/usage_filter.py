"""The query string that asks for some of the usage: `?model=&modality=&tag=&payer=`.

What is not known in it is refused, and named by its `pointer`, as `/payer`: passed over, it would be answered
with more than was asked for.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import datetime

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from quota.api.usage_series import range_of
from quota.errors import ModelUnknown
from quota.hot_path.catalog import rate_card
from quota.hot_path.lapses import LEASE
from quota.models import RateCard, RateCardPrice
from quota.selectors.usage_filter import Payer, UsageFilter
from quota.windows import EPOCH, FOREVER
from tokenplan.kit.errors import InvalidValue

FILTERS = ("model", "modality", "tag", "payer")
OF_A_RANGE = ("from", "to")
OF_SUMS = ("by", "group", *OF_A_RANGE)
OF_A_LIST = ("cursor", "page_size", *OF_A_RANGE)
EVER = EPOCH, FOREVER
LONGEST_TEXT = 100

FILTER_PARAMETERS = [
    OpenApiParameter(
        "model",
        str,
        description="Of this model alone, by its name or an alias on the rate card; "
        f"`{LEASE}`: what was charged of a lapsed lease, and not reported.",
    ),
    OpenApiParameter(
        "modality", str, description="Of this modality alone, such as `language`, as the rate card has it."
    ),
    OpenApiParameter("tag", str, description="Of calls with this tag alone."),
    OpenApiParameter(
        "payer",
        str,
        enum=[payer.value for payer in Payer],
        description="What this paid a part of. Sums are left out where it paid nothing, and else are whole: "
        "its own part of a sum is exact, the others and the calls are those of all calls in it.",
    ),
]


def check_names(request: Request, *names: str) -> None:
    """Raises InvalidValue for a parameter that is neither one of these nor of the filter, or given twice."""
    for name, values in sorted(request.query_params.lists()):
        pointer = "/" + name.replace("~", "~0").replace("/", "~1")
        if name not in (*names, *FILTERS):
            raise InvalidValue(_("There is no such parameter."), pointer=pointer)
        if len(values) > 1:
            raise InvalidValue(_("Give this once."), pointer=pointer)


def range_or_ever(request: Request, now: datetime) -> tuple[datetime, datetime]:
    """As `range_of`; without a range, all times."""
    is_asked = any(request.query_params.get(name) for name in OF_A_RANGE)
    return range_of(request, now) if is_asked else EVER


def filter_of(
    request: Request,
    span: tuple[datetime, datetime],
    now: datetime,
    members: tuple[int, ...] | None = None,
) -> UsageFilter:
    """What is asked for; what is left out, or empty, is everything. Raises InvalidValue, ModelUnknown."""
    asked = {name: _text(request.query_params, name) for name in FILTERS}
    payer = asked["payer"]
    if payer and payer not in Payer.values:
        raise InvalidValue(
            _("Choose one of %(choices)s.") % {"choices": ", ".join(Payer.values)}, pointer="/payer"
        )
    return UsageFilter(
        *span,
        members=members,
        model=_model(asked["model"], now),
        modality=_modality(asked["modality"]),
        tag=asked["tag"],
        payer=Payer(payer) if payer else None,
    )


def _text(query: Mapping[str, str], name: str) -> str:
    text = query.get(name, "")
    if len(text) > LONGEST_TEXT or any(unicodedata.category(sign) == "Cc" for sign in text):
        raise InvalidValue(
            _("This has at most %(most)s characters, and no control characters.") % {"most": LONGEST_TEXT},
            pointer=f"/{name}",
        )
    return text


def _model(name: str, now: datetime) -> str:
    """The model's own name; one that any card has ever had is known, since usage may be of it."""
    if name in ("", LEASE) or RateCardPrice.objects.filter(model=name).exists():
        return name
    card = RateCard.objects.in_force(now)
    model = rate_card(card.pk).aliases.get(name) if card else None
    if model is None:
        raise ModelUnknown(pointer="/model")
    return model


def _modality(name: str) -> str:
    if name and not RateCardPrice.objects.filter(modality=name).exists():
        raise InvalidValue(_("The rate card has no model of this modality."), pointer="/modality")
    return name
