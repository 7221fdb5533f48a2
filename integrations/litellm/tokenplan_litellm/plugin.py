"""The hooks of LiteLLM, each translated into a call of `Metering`.

LiteLLM runs the hook before a call only where it stands in the class itself; the names and arguments are
LiteLLM's.
"""

from __future__ import annotations

import asyncio
import atexit
import os
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from litellm.integrations.custom_logger import CustomLogger

from tokenplan_litellm import refusals, requests
from tokenplan_litellm.calls import Call
from tokenplan_litellm.console import Away, Refused
from tokenplan_litellm.metering import Metering
from tokenplan_litellm.settings import Settings
from tokenplan_litellm.stream import Stream

RESERVATION_HEADER = "x-tokenplan-reservation"
# In a deployment's `model_info`: its name on the rate card, where that is not the name callers use.
CARD_NAME = "tokenplan_model"


class Plan(CustomLogger):  # type: ignore[misc]
    """Meters every call of the proxy. Starts its outbox when it is made, and again in a forked process."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._process = 0
        self._metering_of_process: Metering | None = None
        self._metering()
        atexit.register(self._close)

    def _metering(self) -> Metering:
        if self._metering_of_process is None or self._process != os.getpid():
            self._process = os.getpid()
            self._metering_of_process = Metering(self._settings)
        return self._metering_of_process

    def _close(self) -> None:
        if self._metering_of_process is not None and self._process == os.getpid():
            self._metering_of_process.close()

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> dict[str, Any]:
        """Authorizes, once a request, before it is routed; so before retries and fallbacks too."""
        if call_type not in requests.KNOWN:
            raise refusals.not_offered()
        requests.strip(data)
        headers = _raw_headers(data)
        key = requests.caller_key(headers)
        if key is None:
            raise refusals.key_missing()
        try:
            call = await self._metering().begin(
                key=key, data=data, call_type=call_type, agent=requests.agent_of(headers)
            )
        except Refused as refusal:
            raise refusals.relayed(refusal) from None
        except Away:
            raise refusals.unavailable() from None
        metadata = "litellm_metadata" if "litellm_metadata" in data else "metadata"
        if not isinstance(data.get(metadata), dict):
            data[metadata] = {}
        data[metadata][requests.CALL] = call.id
        return data

    async def async_pre_call_deployment_hook(self, kwargs: dict[str, Any], call_type: Any) -> None:
        """What will run now: the deployment that the router chose, at each try and each fallback."""
        call = self._call(kwargs)
        name = _card_name(kwargs)
        if call and name:
            call.ran = name

    async def async_post_call_success_hook(
        self, data: dict[str, Any], user_api_key_dict: Any, response: Any
    ) -> None:
        """An answer that is not streamed, before its caller has it."""
        await self._answered(self._call(data), response)

    async def async_post_call_response_headers_hook(
        self, data: dict[str, Any], user_api_key_dict: Any, response: Any, **_rest: Any
    ) -> dict[str, str] | None:
        """Headers of an answer. For speech, whose hook after the call is missing, it is the end too."""
        call = self._call(data)
        if call is None:
            return None
        if response is not None and call.call_type in requests.SPEECH:
            await self._answered(call, response)
        return {**call.headers, RESERVATION_HEADER: call.reservation}

    async def async_post_call_streaming_iterator_hook(
        self, user_api_key_dict: Any, response: Any, request_data: dict[str, Any]
    ) -> AsyncGenerator[Any, None]:
        """A streamed answer, which passes through unchanged, however it ends: read whole, left by its caller,
        or broken.
        """
        call = self._call(request_data)
        stream = Stream(call.prompt_size if call else 0)
        if call:
            call.stream = stream
        left = False
        try:
            async for chunk in response:
                stream.see(chunk)
                if call:
                    call.moved = True
                yield chunk
        except (GeneratorExit, asyncio.CancelledError):
            left = True
            raise
        finally:
            if call and left and not stream.seen:
                self._metering().leave(call)
            elif call:
                await self._streamed(call, stream)

    async def async_post_call_failure_hook(
        self,
        request_data: dict[str, Any],
        original_exception: Exception,
        user_api_key_dict: Any,
        traceback_str: str | None = None,
    ) -> None:
        """The request has failed, after all retries and fallbacks."""
        call = self._call(request_data)
        if call:
            await self._streamed(call, call.stream or Stream(0))

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """The second road, for answers that passed none of the hooks above: their caller had gone."""
        call = self._call(kwargs.get("litellm_params") or {})
        if call and call.stream is None:
            meters, estimated = call.answered(response_obj)
            await self._metering().charge(call, meters, estimated=estimated or bool(kwargs.get("stream")))

    async def async_filter_listed_models(
        self, user_api_key_dict: Any, model_names: Sequence[str]
    ) -> Sequence[str]:
        """Lists only what can be called: the models on the rate card."""
        known = self._metering().models()
        return model_names if known is None else [name for name in model_names if name in known]

    def _call(self, data: dict[str, Any]) -> Call | None:
        """The call that a hook is about, by the mark that was left in the request."""
        for name in reversed(requests.METADATA):
            metadata = data.get(name)
            call = self._metering().call(metadata.get(requests.CALL)) if isinstance(metadata, dict) else None
            if call:
                return call
        return None

    async def _answered(self, call: Call | None, response: Any) -> None:
        if call:
            meters, estimated = call.answered(response)
            await self._metering().charge(call, meters, estimated=estimated)

    async def _streamed(self, call: Call, stream: Stream) -> None:
        """Charges what was seen, as estimated unless the stream said itself what it used; releases if nothing
        was.
        """
        if stream.seen:
            await self._metering().charge(call, stream.meters(), estimated=not stream.complete)
        else:
            await self._metering().release(call)


def _raw_headers(data: dict[str, Any]) -> dict[str, str]:
    """The headers as they came, with the key, which LiteLLM keeps apart so that it is never logged."""
    secret = data.get("secret_fields")
    headers = secret.get("raw_headers") if isinstance(secret, dict) else getattr(secret, "raw_headers", None)
    return {str(name).lower(): str(value) for name, value in (headers or {}).items()}


def _card_name(kwargs: dict[str, Any]) -> str | None:
    """The name on the rate card of what the router chose."""
    for name in reversed(requests.METADATA):
        metadata = kwargs.get(name)
        if isinstance(metadata, dict) and isinstance(metadata.get("model_group"), str):
            info = kwargs.get("model_info") or metadata.get("model_info") or {}
            return str(info.get(CARD_NAME) or metadata["model_group"])
    return None
