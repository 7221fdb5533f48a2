"""The calls under way in this process, and the rows that become of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tokenplan_litellm import usage
from tokenplan_litellm.leases import Lease
from tokenplan_litellm.outbox import Row
from tokenplan_litellm.requests import IMAGE, SPEECH
from tokenplan_litellm.stream import Stream

# For how long an ended call is remembered: the hooks that come late must find that it has ended. A call of
# which no end is seen has lapsed long before.
REMEMBERED = 60.0
LONGEST = 86_400.0


@dataclass(slots=True)
class Call:
    """One call that was allowed. `model` is what was authorized and `ran` what the proxy chose to run. With a
    `lease` it is a draw on that, else it has a hold of its own, which was lengthened last at `kept_at`.
    `prompt_size` is in bytes of text. Nothing more is heard of one that was `left`.
    """

    id: str
    reservation: str
    call_type: str
    model: str
    begun: float
    kept_at: float = 0.0
    prompt_size: int = 0
    spoken: int = 0
    images: int = 1
    agent: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    lease: Lease | None = None
    occurred_at: str = ""
    ran: str = ""
    stream: Stream | None = None
    moved: bool = False
    left: bool = False
    ended: float | None = None

    def charge(self, meters: dict[str, int], *, estimated: bool, state: str = "due") -> Row:
        """The row that charges this usage."""
        body: dict[str, Any] = {"reservation": self.reservation, "usage": meters}
        ran = self.ran or self.model
        if self.lease:
            body |= {"id": self.id, "occurred_at": self.occurred_at, "final": False, "model": ran}
            if self.agent:
                body["agent"] = self.agent
        elif ran != self.model:
            body["model"] = ran
        if estimated:
            body["estimated"] = True
        return Row(self.id if self.lease else self.reservation, self.reservation, "charge", state, body)

    def answered(self, response: Any) -> tuple[dict[str, int], bool]:
        """What this answer used, and whether that is an estimate."""
        if self.call_type in IMAGE:
            data = usage.field(response, "data")
            return {"images": len(data) if isinstance(data, list) else self.images}, False
        if self.call_type in SPEECH:
            return {"characters": self.spoken}, False
        said = usage.language_meters(usage.field(response, "usage"))
        if said is not None:
            return said, False
        return {
            "input_tokens": usage.tokens(self.prompt_size),
            "output_tokens": usage.tokens(usage.answer_size(response)),
        }, True


def released(reservation: str) -> Row:
    """The row that lets go of a hold."""
    return Row(reservation, reservation, "release", "due", {})


class Calls:
    """By their ids. Read by the writer's thread too."""

    def __init__(self) -> None:
        self._calls: dict[str, Call] = {}

    def add(self, call: Call) -> None:
        self._calls[call.id] = call

    def get(self, id: object) -> Call | None:
        return self._calls.get(id) if isinstance(id, str) else None

    def progress(self) -> list[Row]:
        """Rows of the streams of which more was seen since this was last asked."""
        rows = []
        for call in list(self._calls.values()):
            if call.moved and call.stream and call.stream.seen and not call.ended:
                call.moved = False
                row = call.charge(call.stream.meters(), estimated=True, state="open")
                if not call.ended:
                    rows.append(row)
        return rows

    def to_keep(self, now: float, every: float) -> list[Call]:
        """The calls whose own holds were not lengthened for so many seconds, though they are under way."""
        return [
            call
            for call in list(self._calls.values())
            if not (call.lease or call.left or call.ended)
            and now - max(call.begun, call.kept_at) >= every
            and now - call.begun < LONGEST
        ]

    def forget(self, now: float) -> None:
        """Forgets the calls that ended a while ago."""
        for call in list(self._calls.values()):
            since = call.begun + LONGEST if call.ended is None else call.ended + REMEMBERED
            if now >= since:
                self._calls.pop(call.id, None)
