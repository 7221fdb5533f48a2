"""A console with a seat and its key, and a small gateway before it, one for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django.live_server_helper import LiveServer

from tests.helpers.factories import T0, key_of, make_plan, make_seat, make_team, owner_of
from tests.helpers.gateways import known_gateway
from tests.helpers.small_gateway import Client, anthropic_client, openai_client, small_gateway


@pytest.fixture(scope="module")
def gateway(live_server: LiveServer) -> Iterator[str]:
    """Its address. It answers as a mock."""
    with small_gateway(live_server.url) as url:
        yield url


@pytest.fixture
def console(transactional_db: None) -> None:
    """The shipped prices, and the credential of the small gateway."""
    known_gateway()


@pytest.fixture
def key(console: None) -> str:
    """The key of a member with a Max seat."""
    team = make_team("Acme", at=T0)
    make_seat(team, make_plan(at=T0), holder=owner_of(team), at=T0)
    return key_of(owner_of(team))


@pytest.fixture
def anthropic(gateway: str, key: str) -> Iterator[Client]:
    with anthropic_client(gateway, key) as client:
        yield client


@pytest.fixture
def openai(gateway: str, key: str) -> Iterator[Client]:
    with openai_client(gateway, key) as client:
        yield client
