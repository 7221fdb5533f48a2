"""What happens around a call: it is allowed or refused, and charged or released, once. Knows no LiteLLM."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

from tokenplan_litellm import requests
from tokenplan_litellm.calls import Call, Calls, released
from tokenplan_litellm.console import Asking, Away, Held, Refused, Reporting
from tokenplan_litellm.leases import Lease, Leases
from tokenplan_litellm.outbox import Row
from tokenplan_litellm.sender import Sender
from tokenplan_litellm.settings import Settings
from tokenplan_litellm.workers import Worker
from tokenplan_litellm.writer import Writer

# After a lease was refused, calls of its key ask for themselves, for so many seconds.
NO_LEASE_FOR = 10.0


class Metering:
    """One process's part of it. Its methods are called in one event loop; `close` when that has ended."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._calls = Calls()
        self._leases = Leases()
        self._no_lease_until: dict[str, float] = {}
        self._asked: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Future[Any]] = set()
        self._worker = Worker(settings.outbox)
        self._asking = Asking(settings.url, settings.gateway_key, settings.patience)
        self._sender = Sender(
            settings.outbox,
            self._worker,
            Reporting(settings.url, settings.gateway_key),
            calls=self._calls,
            keep_seconds=settings.keep_seconds,
        )
        self._writer = Writer(
            settings.outbox, self._worker.name, progress=self._calls.progress, written=self._sender.wake
        )

    def close(self) -> None:
        """Lets go of the leases, and sends what is due."""
        for lease in self._leases.finished(float("inf")):
            self._writer.put(released(lease.reservation))
        self._writer.close()
        self._sender.close()
        self._worker.close()

    def models(self) -> frozenset[str] | None:
        """The names on the rate card; None while that is not known."""
        return frozenset(self._sender.card.models) if self._sender.card else None

    def call(self, id: object) -> Call | None:
        """The call of this id, as long as hooks may come for it."""
        return self._calls.get(id)

    async def begin(self, *, key: str, data: Mapping[str, Any], call_type: str, agent: str | None) -> Call:
        """Asks whether a call may be made. Raises Refused, and Away where nobody can say: it may not then."""
        if not self._writer.healthy:
            raise Away("the outbox cannot be written")
        now = time.monotonic()
        self._calls.forget(now)
        model = str(data.get("model") or "")
        call = Call(
            id=str(uuid4()),
            reservation="",
            call_type=call_type,
            model=model,
            begun=now,
            prompt_size=requests.prompt_size(data) if call_type in requests.LANGUAGE else 0,
            spoken=requests.spoken(data) if call_type in requests.SPEECH else 0,
            images=requests.several(data),
            agent=agent,
        )
        lease = await self._lease(key, call, data) if self._settings.mode == "lease" else None
        if lease is None:
            held = await self._hold(self._body(key, call, data))
            call.reservation, call.headers = held.reservation, held.headers
        self._calls.add(call)
        return call

    async def charge(self, call: Call, meters: dict[str, int], *, estimated: bool) -> None:
        """The call has used this; it is on the disk when this returns. Only a call's first end counts."""
        if call.ended is not None:
            return
        call.ended = time.monotonic()
        if call.lease:
            priced = call.lease.card.model(call.ran or call.model) or call.lease.card.model(call.model)
            call.lease.give_back(call.id, priced.cost(meters) if priced else 0)
        await self._put(call.charge(meters, estimated=estimated))
        self._let_go()

    async def release(self, call: Call) -> None:
        """The call was not made, or came to nothing."""
        if call.ended is not None:
            return
        call.ended = time.monotonic()
        if call.lease:
            call.lease.give_back(call.id, 0)
            self._let_go()
        else:
            await self._put(released(call.reservation))

    def leave(self, call: Call) -> None:
        """Its caller has gone before anything was seen, while the model may be at work: the hold stays until
        it lapses, unless it is said later what was used.
        """
        call.stream = None
        call.left = True
        if call.lease and call.ended is None:
            call.lease.open.pop(call.id, None)

    async def _put(self, row: Row) -> None:
        # Written to its end even where the caller of the proxy has gone.
        await asyncio.shield(asyncio.wrap_future(self._writer.put(row)))

    def _body(self, key: str, call: Call, data: Mapping[str, Any]) -> dict[str, Any]:
        """What authorize is asked. The id is our own: one that a caller chose could be asked for twice."""
        body: dict[str, Any] = {"request_id": call.id, "key": key, "model": call.model}
        estimate = requests.estimate(data, call.call_type, self._open_output(call.model))
        if estimate is not None:
            body["estimate"] = estimate
        if call.agent:
            body["agent"] = call.agent
        if self._settings.hold_seconds:
            body["lifetime_seconds"] = self._settings.hold_seconds
        return body

    def _open_output(self, model: str) -> int | None:
        """What an answer is thought to have at most where its call does not say. None: its model's default
        hold says.
        """
        priced = self._sender.card.model(model) if self._sender.card else None
        return None if priced and priced.default_hold is not None else self._settings.output_tokens

    async def _hold(self, body: Mapping[str, Any]) -> Held:
        """Authorizes. A hold that comes when its caller has gone is let go of."""
        task = asyncio.ensure_future(self._asking.authorize(body))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._tasks.add(task)
            task.add_done_callback(self._unwanted)
            raise

    def _unwanted(self, task: asyncio.Future[Held]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is None:
            self._writer.put(released(task.result().reservation))

    async def _lease(self, key: str, call: Call, data: Mapping[str, Any]) -> Lease | None:
        """Takes what the call may cost from a lease of its key. None: it has to ask for itself."""
        card = self._sender.card
        cost = self._most(call, data)
        if card is None or cost is None or cost > self._settings.lease_nanousd:
            return None
        # Whoever reads this process's memory finds the key in other places; no dictionary need hold it.
        owner = hashlib.sha256(key.encode()).hexdigest()
        lease = self._leases.carrying(owner, cost, call.begun)
        if lease is None:
            await self._renew(owner, key, cost)
            lease = self._leases.carrying(owner, cost, time.monotonic())
        elif lease.wears_out(call.begun) and not self._lock(owner).locked():
            task = asyncio.ensure_future(self._renew_early(owner, key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if lease is not None:
            lease.take(call.id, cost)
            call.lease, call.reservation = lease, lease.reservation
            call.occurred_at = lease.moment(time.monotonic()).isoformat()
        return lease

    def _most(self, call: Call, data: Mapping[str, Any]) -> int | None:
        """The most that a call may cost by the rate card; None where that cannot be said."""
        priced = self._sender.card.model(call.model) if self._sender.card else None
        estimate = requests.estimate(data, call.call_type, self._settings.output_tokens)
        cost = priced.most(estimate) if priced and estimate is not None else None
        if cost is None or requests.estimate(data, call.call_type, None) is not None:
            return cost
        return max(cost, (priced and priced.default_hold) or 0)

    def _lock(self, owner: str) -> asyncio.Lock:
        return self._asked.setdefault(owner, asyncio.Lock())

    async def _renew(self, owner: str, key: str, cost: int) -> None:
        """Asks for a lease, unless one came while it waited, or one was refused a moment ago."""
        async with self._lock(owner):
            now = time.monotonic()
            if self._leases.carrying(owner, cost, now) or now < self._no_lease_until.get(owner, 0):
                return
            await self._new_lease(owner, key)

    async def _renew_early(self, owner: str, key: str) -> None:
        """The next lease while the one before carries on. If it cannot be had now, the next call tries."""
        async with self._lock(owner):
            if time.monotonic() < self._no_lease_until.get(owner, 0):
                return
            try:
                await self._new_lease(owner, key)
            except Away:
                self._no_lease_until[owner] = time.monotonic() + 1

    async def _new_lease(self, owner: str, key: str) -> None:
        """Raises Away. Refused: calls ask for themselves for a while, and are told why not, if not."""
        card, seconds = self._sender.card, self._settings.lease_seconds
        if card is None:
            return
        sent = time.monotonic()
        body = {
            "request_id": str(uuid4()),
            "key": key,
            "hold_nanousd": self._settings.lease_nanousd,
            "lifetime_seconds": seconds,
        }
        try:
            held = await self._hold(body)
        except Refused:
            self._no_lease_until[owner] = time.monotonic() + NO_LEASE_FOR
            return
        self._no_lease_until.pop(owner, None)
        opened_at = held.expires_at - timedelta(seconds=seconds)
        # By this machine it ends when it would have, had the console held it the moment it was asked: earlier
        # than the console thinks, never later.
        lease = Lease(held.reservation, held.nanousd, sent, sent + seconds, opened_at, card)
        self._leases.put(owner, lease)
        asyncio.get_running_loop().call_later(seconds, self._let_go)
        self._let_go()

    def _let_go(self) -> None:
        """Releases the leases that carry nothing any more."""
        now = time.monotonic()
        for lease in self._leases.finished(now):
            self._writer.put(released(lease.reservation))
        for owner in [
            o for o, lock in self._asked.items() if not lock.locked() and len(self._asked) > 10_000
        ]:
            del self._asked[owner]
