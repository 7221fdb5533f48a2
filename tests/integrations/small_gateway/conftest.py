"""A console with a seat and its key, and a small gateway before it, one for all tests of a module."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import call_command
from pytest_django.live_server_helper import LiveServer

from quota.models import Gateway, GatewayCredential
from tests.helpers.factories import T0, key_of, make_plan, make_seat, make_team, owner_of
from tests.helpers.small_gateway import CREDENTIAL, Client, anthropic_client, openai_client, small_gateway


@pytest.fixture(scope="module")
def gateway(live_server: LiveServer) -> Iterator[str]:
    """Its address. It answers as a mock."""
    with small_gateway(live_server.url) as url:
        yield url


@pytest.fixture
def console(transactional_db: None) -> None:
    """The shipped prices, and the credential of the small gateway."""
    call_command("load_rate_card", stdout=StringIO())
    row = Gateway.objects.create(name="small", created_at=T0)
    token_hash = hashlib.sha256(CREDENTIAL.encode()).hexdigest()
    GatewayCredential.objects.create(gateway=row, token_hash=token_hash, prefix=CREDENTIAL[:8], created_at=T0)


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
