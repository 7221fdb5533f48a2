"""The small gateway as callers meet it: the SDKs of both protocols get answers, and each call is charged."""

from __future__ import annotations

import base64
import time

import httpx
import pytest
from anthropic import APIStatusError as AnthropicError
from openai import APIStatusError as OpenAIError
from pytest_django.live_server_helper import LiveServer

from integrations.small_gateway.app import meter_of
from quota.models import Reservation, UsageEvent
from quota.selectors.reconcile import differences
from tests.helpers.factories import T0, USD, key_of, limits, make_plan, make_seat, make_team, owner_of
from tests.helpers.gateways import bar_and_receipts
from tests.helpers.serving import wait_for
from tests.helpers.small_gateway import Client, anthropic_client, only_event, openai_client, states

MODEL = "MiniMax-M2.7"
# Nano-dollars of a token of MODEL, and of an image and a character of the shipped rate card.
INPUT, OUTPUT, IMAGE, CHARACTER = 300, 1200, 3_500_000, 60_000
HELLO = [{"role": "user", "content": "Say hello to everybody in the room"}]
HELLO_TOKENS = 9


def test_a_message_is_answered_and_moves_the_bar_by_its_receipt(
    anthropic: Client, live_server: LiveServer, key: str
) -> None:
    answer = anthropic.messages.with_raw_response.create(model=MODEL, max_tokens=500, messages=HELLO)
    message = answer.parse()
    event = only_event()
    assert answer.headers["x-tokenplan-mock"] == "true"
    assert answer.headers["x-tokenplan-reservation"] == str(event.reservation_id)
    assert answer.headers["RateLimit"].startswith('"5h";r=')
    assert answer.headers["RateLimit-Policy"].startswith('"5h";q=9900000000;')
    assert message.content[0].text.startswith("I am a mock")
    assert message.content[0].text.endswith("You wrote: Say hello to everybody in the room")
    assert message.stop_reason == "end_turn"
    assert message.usage.input_tokens == HELLO_TOKENS
    assert event.usage == {"input_tokens": HELLO_TOKENS, "output_tokens": message.usage.output_tokens}
    amount = INPUT * HELLO_TOKENS + OUTPUT * message.usage.output_tokens
    assert bar_and_receipts(live_server.url, key)[0] == amount
    # Room for all that the caller allows was held, and no more.
    assert Reservation.objects.get().estimate_nanousd == INPUT * HELLO_TOKENS + OUTPUT * 500
    assert not event.estimated
    assert list(differences(T0)) == []


def test_a_streamed_message_is_charged_as_it_says(anthropic: Client) -> None:
    with anthropic.messages.stream(model=MODEL, max_tokens=500, messages=HELLO) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert text.startswith("I am a mock")
    assert text == message.content[0].text
    used = {"input_tokens": HELLO_TOKENS, "output_tokens": message.usage.output_tokens}
    assert only_event().usage == used


def test_what_is_longer_than_the_caller_allows_is_cut(anthropic: Client) -> None:
    message = anthropic.messages.create(model=MODEL, max_tokens=8, messages=HELLO)
    assert message.stop_reason == "max_tokens"
    assert only_event().usage == {"input_tokens": HELLO_TOKENS, "output_tokens": message.usage.output_tokens}
    assert 0 < message.usage.output_tokens <= 8


def test_a_chat_completion_without_a_limit_holds_what_the_rate_card_says(openai: Client) -> None:
    answer = openai.chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.choices[0].message.content.startswith("I am a mock")
    assert answer.choices[0].finish_reason == "stop"
    used = {"input_tokens": answer.usage.prompt_tokens, "output_tokens": answer.usage.completion_tokens}
    assert only_event().usage == used
    assert answer.usage.prompt_tokens == HELLO_TOKENS
    assert Reservation.objects.get().estimate_nanousd == 20_000_000


@pytest.mark.parametrize("asked", [True, False])
def test_a_streamed_chat_completion_shows_its_usage_only_to_who_asks(openai: Client, asked: bool) -> None:
    options = {"stream_options": {"include_usage": True}} if asked else {}
    chunks = list(openai.chat.completions.create(model=MODEL, messages=HELLO, stream=True, **options))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text.startswith("I am a mock")
    usages = [chunk.usage for chunk in chunks if chunk.usage]
    assert len(usages) == asked
    event = only_event()
    assert event.usage["input_tokens"] == HELLO_TOKENS
    assert event.usage["output_tokens"] == -(-len(text) // 4)
    assert all(usage.completion_tokens == event.usage["output_tokens"] for usage in usages)


def test_a_response_is_answered_whole_and_streamed(openai: Client) -> None:
    whole = openai.responses.create(model=MODEL, input="Hello", max_output_tokens=300)
    assert whole.output_text.endswith("You wrote: Hello")
    used = {"input_tokens": whole.usage.input_tokens, "output_tokens": whole.usage.output_tokens}
    assert only_event().usage == used
    with openai.responses.stream(model=MODEL, input="Hello", max_output_tokens=300) as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        assert stream.get_final_response().output_text == text == whole.output_text
    wait_for(lambda: UsageEvent.objects.count() == 2)
    assert [event.usage for event in UsageEvent.objects.all()] == [used, used]


def test_images_are_charged_by_their_number(openai: Client) -> None:
    answer = openai.images.generate(model="image-01", prompt="a boat", n=3)
    assert [base64.b64decode(image.b64_json or "")[:4] for image in answer.data or []] == [b"\x89PNG"] * 3
    event = only_event()
    assert (event.usage, event.amount_nanousd) == ({"images": 3}, 3 * IMAGE)


def test_a_model_that_is_charged_by_requests_is_charged_for_one(openai: Client) -> None:
    openai.images.generate(model="api-vlm", prompt="what is this?")
    event = only_event()
    assert (event.usage, event.amount_nanousd) == ({"requests": 1}, 60_000_000)


def test_speech_is_charged_by_its_characters_of_which_han_ones_count_twice(openai: Client) -> None:
    sound = openai.audio.speech.create(model="speech-2.8-turbo", voice="alloy", input="Hi, 世界!")
    assert sound.content[:4] == b"RIFF"
    event = only_event()
    assert (event.usage, event.amount_nanousd) == ({"characters": 9}, 9 * CHARACTER)


def test_models_are_those_of_the_rate_card_in_both_shapes(anthropic: Client, openai: Client) -> None:
    names = [model.id for model in openai.models.list()]
    assert MODEL in names
    assert "image-01" in names
    assert [model.id for model in anthropic.models.list()] == names


def test_counting_tokens_costs_nothing(anthropic: Client) -> None:
    count = anthropic.messages.count_tokens(model=MODEL, messages=HELLO)
    assert count.input_tokens == HELLO_TOKENS
    assert not Reservation.objects.exists()


def test_a_wrong_key_is_refused_in_the_shape_of_each_protocol(gateway: str, console: None) -> None:
    with anthropic_client(gateway, "sk-cp-wrong") as anthropic, pytest.raises(AnthropicError) as refused:
        anthropic.messages.create(model=MODEL, max_tokens=5, messages=HELLO)
    error = refused.value.response.json()["error"]
    assert refused.value.status_code == 401
    assert error == {"type": "authentication_error", "message": "invalid api key"}
    with openai_client(gateway, "sk-cp-wrong") as openai, pytest.raises(OpenAIError) as also:
        openai.chat.completions.create(model=MODEL, messages=HELLO)
    assert also.value.response.json() == {"error": {**error, "param": None, "code": "key_invalid"}}
    assert also.value.status_code == 401
    assert httpx.post(f"{gateway}/v1/chat/completions", json={"model": MODEL}).status_code == 401
    assert not Reservation.objects.exists()


def test_a_full_window_is_429_with_its_moment_in_both_shapes(gateway: str, console: None) -> None:
    team = make_team("Small", at=T0)
    # Room for one call of 500 tokens, of which this one uses some sixty.
    make_seat(team, make_plan("plus", limits(640_000, USD), at=T0), holder=owner_of(team), at=T0)
    key = key_of(owner_of(team))
    with anthropic_client(gateway, key) as anthropic:
        anthropic.messages.create(model=MODEL, max_tokens=500, messages=HELLO)
        wait_for(lambda: states() == ["settled"])
        with pytest.raises(AnthropicError) as refused:
            anthropic.messages.create(model=MODEL, max_tokens=500, messages=HELLO)
    with openai_client(gateway, key) as openai, pytest.raises(OpenAIError) as also:
        openai.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=500)
    for answer in (refused.value.response, also.value.response):
        assert answer.status_code == 429
        assert 4 * 3600 < int(answer.headers["Retry-After"]) <= 5 * 3600
        assert answer.headers["RateLimit"].startswith('"5h";r=')
        error = answer.json()["error"]
        assert error["type"] == "rate_limit_error"
        assert "5-hour usage limit reached for Token Plan Plus" in error["message"]
    assert also.value.response.json()["error"]["code"] == "quota_exhausted"
    assert states() == ["settled"]


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("chat/completions", {"model": "unheard-of", "messages": HELLO}, "model_unknown"),
        ("chat/completions", {"model": "image-01", "messages": HELLO}, "usage_invalid"),
        ("images/generations", {"model": MODEL, "prompt": "a boat"}, "usage_invalid"),
        ("audio/speech", {"model": "image-01", "input": "hi"}, "usage_invalid"),
        ("chat/completions", {"messages": HELLO}, "invalid"),
        ("chat/completions", {"model": MODEL, "messages": HELLO, "max_tokens": "many"}, "invalid"),
        ("chat/completions", ["no", "object"], "invalid_request_error"),
    ],
)
def test_what_cannot_be_priced_is_refused_and_holds_nothing(
    gateway: str, key: str, path: str, body: object, code: str
) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx.post(f"{gateway}/v1/{path}", json=body, headers=headers)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]["code"] == code
    assert not Reservation.objects.exists()


def test_a_caller_who_leaves_pays_for_what_was_streamed(anthropic: Client) -> None:
    long = [{"role": "user", "content": "word " * 200}]
    with anthropic.messages.stream(model=MODEL, max_tokens=2000, messages=long) as stream:
        for seen, _event in enumerate(stream):
            if seen == 20:
                break
    begun = time.monotonic()
    event = only_event()
    assert time.monotonic() - begun < 3, "the whole stream takes longer"
    assert event.usage["input_tokens"] == 250
    assert 10 < event.usage["output_tokens"] < 150
    assert event.estimated


def test_an_id_of_the_callers_makes_no_call_free(gateway: str, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}", "x-request-id": "mine", "x-litellm-call-id": "mine"}
    body = {"model": MODEL, "messages": HELLO, "request_id": "mine", "max_tokens": 400}
    for _ in range(2):
        assert httpx.post(f"{gateway}/v1/chat/completions", json=body, headers=headers).status_code == 200
    assert states() == ["settled", "settled"]
    assert UsageEvent.objects.count() == 2


def test_a_model_that_has_no_default_hold_is_asked_for_by_what_it_reads() -> None:
    card = {"meters": ["input_tokens", "output_tokens"]}
    body = {"messages": HELLO}
    estimates = [
        meter_of("/v1/chat/completions", body, card | {"default_hold_nanousd": hold}).estimate
        for hold in (20_000_000, None)
    ]
    assert estimates == [None, {"input_tokens": HELLO_TOKENS, "output_tokens": 0}]
