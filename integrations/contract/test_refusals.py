"""What the console refuses reaches nobody but the caller, in words that the caller's tool understands."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from integrations.contract.callers import Caller, error_in
from integrations.contract.console import Watch
from integrations.contract.model import ModelServer
from integrations.contract.rules import (
    ANSWER,
    ASK_FIRST,
    REFUSE_FULL,
    REFUSE_KEYS,
    REFUSE_LARGE,
    RELAY_BODY,
    RELEASE,
    SETTLE,
    Rule,
    must,
)

HELLO = "Say hello. say 3"
STORM = 24


def seen(answer: httpx.Response) -> str:
    return f"{answer.status_code} {dict(answer.headers)} {answer.text[:400]}"


def must_be_refused(answer: httpx.Response, caller: Caller, rule: Rule, *statuses: int) -> None:
    must(answer.status_code in statuses, rule, seen(answer))
    must(error_in(answer, caller.protocol), RELAY_BODY, seen(answer))


@pytest.mark.parametrize("key", ["sk-cp-" + "x" * 40, "nonsense", ""], ids=["unknown", "malformed", "none"])
def test_a_key_that_does_not_work_is_refused(
    caller: Caller, watch: Watch, model_or_none: ModelServer | None, key: str
) -> None:
    asked = len(model_or_none.asked) if model_or_none else 0
    answer = caller.with_key(key).call(HELLO)
    must_be_refused(answer, caller, REFUSE_KEYS, 401)
    if model_or_none:
        must(len(model_or_none.asked) == asked, ASK_FIRST, "a call with a wrong key reached the model")
    watch.none(SETTLE)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_full_window_is_refused_with_the_time_to_wait(
    caller: Caller, exhausted_key: str, model_or_none: ModelServer | None, stream: bool
) -> None:
    asked = len(model_or_none.asked) if model_or_none else 0
    answer = caller.with_key(exhausted_key).call(HELLO, stream=stream)
    must_be_refused(answer, caller, REFUSE_FULL, 429)
    must(answer.headers.get("Retry-After", "").isdigit(), REFUSE_FULL, seen(answer))
    must(int(answer.headers["Retry-After"]) > 0, REFUSE_FULL, seen(answer))
    error = error_in(answer, caller.protocol) or {}
    must(error["type"] == "rate_limit_error" and "limit" in error["message"], RELAY_BODY, seen(answer))
    if model_or_none:
        must(len(model_or_none.asked) == asked, ASK_FIRST, "a call without room reached the model")


def test_a_call_larger_than_a_whole_window_is_refused_without_a_time_to_wait(
    caller: Caller, watch: Watch
) -> None:
    answer = caller.call(HELLO, max_tokens=800_000_000)
    must_be_refused(answer, caller, REFUSE_LARGE, 400, 413, 422)
    must("Retry-After" not in answer.headers, REFUSE_LARGE, seen(answer))
    watch.none(REFUSE_LARGE)


def test_a_storm_of_retries_reaches_no_model_and_shuts_nobody_out(
    callers: list[Caller], exhausted_key: str, watch: Watch, model_or_none: ModelServer | None
) -> None:
    asked = len(model_or_none.asked) if model_or_none else 0
    refused = [caller.with_key(exhausted_key) for caller in callers]
    with ThreadPoolExecutor(8) as pool:
        storm = [pool.submit(refused[number % 2].call, HELLO) for number in range(STORM)]
        answer = callers[0].call(HELLO)
        answers = [one.result() for one in storm]
    for one in answers:
        must(one.status_code == 429 and "Retry-After" in one.headers, REFUSE_FULL, seen(one))
    must(answer.status_code == 200, ANSWER, f"during a storm of refused calls: {seen(answer)}")
    watch.one()
    if model_or_none:
        must(len(model_or_none.asked) == asked + 1, ASK_FIRST, "a refused call reached the model")


def test_a_storm_of_calls_that_fail_leaves_nothing_held(
    callers: list[Caller], watch: Watch, model: ModelServer
) -> None:
    with ThreadPoolExecutor(8) as pool:
        storm = [pool.submit(callers[number % 2].call, "fail 500") for number in range(STORM)]
    must(all(one.result().status_code >= 400 for one in storm), RELEASE, "a call that failed was answered")
    watch.none(RELEASE)
