"""The gateway is killed with -9 and started again. In this module alone it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from integrations.contract.callers import Caller, meters
from integrations.contract.console import Watch, brief
from integrations.contract.model import ModelServer
from integrations.contract.proxy import ConsoleProxy
from integrations.contract.rules import ANSWER, KEEP, STAND_UP, must
from integrations.contract.test_answers import HELLO, LONG
from integrations.contract.test_refusals import seen


def test_a_call_that_is_cut_off_by_a_kill_is_charged_at_most_once(
    caller: Caller, watch: Watch, restart: Callable[[], None], durable: bool
) -> None:
    with caller.stream(LONG) as (answer, events):
        must(answer.status_code == 200, ANSWER, f"{answer.status_code} to a stream")
        for heard in events:
            if heard.words == 10:
                restart()
                break
    if durable:
        receipt = watch.one(KEEP)
        must(receipt["estimated"] and receipt["usage"].get("output_tokens"), KEEP, brief([receipt]))
    # What a gateway without a disk held for the call lapses, and is charged to nobody.
    after = Watch(watch.console, watch.key)
    answer = caller.call(HELLO)
    must(answer.status_code == 200, STAND_UP, seen(answer))
    after.receipts(1, STAND_UP)
    must(len(watch.new()) <= 2, STAND_UP, brief(watch.new()))


def test_a_charge_that_waits_for_the_console_outlives_a_kill(
    caller: Caller,
    watch: Watch,
    restart: Callable[[], None],
    proxy: ConsoleProxy,
    model: ModelServer,
    durable: bool,
) -> None:
    if not durable:
        pytest.skip("This gateway does not promise to keep charges on a disk: --durable says that it does")
    with caller.stream("drip 15") as (answer, events):
        must(answer.status_code == 200, ANSWER, f"{answer.status_code} to a stream")
        next(events)
        with proxy.console_away():
            list(events)
            restart()
    receipt = watch.one(KEEP)
    must(receipt["usage"] == meters(model.reported()), KEEP, brief([receipt]))
