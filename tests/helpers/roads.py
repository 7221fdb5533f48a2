"""The two roads of a call: alone, or gathered with others. Both must give the same answers."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import pytest

from quota.hot_path.authorize import Authorization, authorize
from quota.hot_path.draws import Drawn, Report
from quota.hot_path.gathered import Ask, NotHere, SettleAsk, authorize_gathered, settle_gathered
from quota.hot_path.holds import AuthorizeRequest
from quota.hot_path.settle import settle
from quota.models import Gateway
from tests.helpers import factories


def authorize_gathered_first(*, gateway: Gateway, request: AuthorizeRequest, at: datetime) -> Authorization:
    """As the web server does: a batch, of this one call, and what that leaves goes the other road."""
    (answer,) = authorize_gathered([Ask(hash_of(gateway), request)], at=at)
    if isinstance(answer, NotHere):
        return authorize(gateway=gateway, request=request, at=at)
    return answer


def settle_gathered_first(*, gateway: Gateway, reservation_id: UUID, report: Report, at: datetime) -> Drawn:
    """As above."""
    (answer,) = settle_gathered([SettleAsk(hash_of(gateway), reservation_id, report)], at=at)
    if isinstance(answer, NotHere):
        return settle(gateway=gateway, reservation_id=reservation_id, report=report, at=at)
    return Drawn(answer, is_new=True, state="settled")


def hash_of(gateway: Gateway) -> str:
    """The hash of the gateway's newest credential; of a gateway that has none, of nobody's."""
    newest = gateway.credentials.order_by("-pk").first()
    return newest.token_hash if newest else "0" * 64


def gather(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on every `Desk` asks and settles by the road for many calls first."""
    monkeypatch.setattr(factories, "authorize", authorize_gathered_first)
    monkeypatch.setattr(factories, "settle", settle_gathered_first)
