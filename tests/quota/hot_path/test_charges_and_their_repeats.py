"""Hashes by which a repeat is known. It may come after an update: with another hash it would be refused as
another request or report, so what each of these is stays as it is.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone
from uuid import UUID

from quota.hot_path.charges import usage_hash
from quota.hot_path.draws import Report, digest_of
from quota.hot_path.events import ReportedEvent, hash_of_event
from quota.hot_path.holds import AuthorizeRequest, hash_of_request
from teams.keytext import key_text
from tests.helpers.factories import T0

PUBLIC_ID = "0" * 12
KEY = key_text(root=b"root", key_id=PUBLIC_ID, salt=b"salt")
USAGE = {"output_tokens": 2, "input_tokens": 1}
REVERSED = dict(reversed(USAGE.items()))
EAST = T0.astimezone(timezone(timedelta(hours=14)))


def test_of_usage() -> None:
    assert usage_hash("penny", {"calls": 1}) == UUID("3c4c260f-6524-e31f-4c4e-375f7e25b522")
    assert usage_hash("talker", USAGE) == usage_hash("talker", REVERSED)


def test_of_a_draw() -> None:
    draw = Report(usage=USAGE, model="talker", tags=("t",), agent="a", occurred_at=T0)
    assert digest_of(draw) == UUID("f2b92d0e84d8dec9dfc2b717dcb6f571")
    assert digest_of(replace(draw, usage=REVERSED, occurred_at=EAST)) == digest_of(draw)
    estimated = Report(usage=USAGE, estimated=True)
    assert digest_of(estimated) == UUID("c92c23a89d4d59358b86abb9c4609180")


def test_of_an_event() -> None:
    event = ReportedEvent("e", KEY, "talker", USAGE, T0, "a", UUID(int=1), ("t",))
    assert hash_of_event(event) == UUID("a412c0638e6622be262012f5a9cb037b")
    assert hash_of_event(replace(event, usage=REVERSED, occurred_at=EAST)) == hash_of_event(event)
    by_handle = ReportedEvent("e", "", "talker", USAGE, T0, key_handle=f"kh-{PUBLIC_ID}")
    assert hash_of_event(by_handle) == UUID("77938aae9c6a8199347d16e73f9ef375")


def test_of_a_request() -> None:
    def of(request: AuthorizeRequest) -> UUID:
        return hash_of_request(PUBLIC_ID, request, None)

    call = AuthorizeRequest("r", KEY, "talker", USAGE, "a", None, 60, ("t",))
    assert of(call) == UUID("46c0feeb844fbd9e35a2fc5b5a9f80ea")
    assert of(replace(call, estimate=REVERSED)) == of(call)
    lease = AuthorizeRequest("r", KEY, hold_nanousd=5)
    assert of(lease) == UUID("88f96e52e9c639962d4169dcf56f50cb")
    without_estimate = AuthorizeRequest("r", KEY, "talker")
    assert of(without_estimate) == UUID("bc0d24ea61d0779ac0afba93eb478c41")
