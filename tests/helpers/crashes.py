"""A process that dies between Stripe's answer and our commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import stripe
from django.db import OperationalError, connection


class Died(BaseException):
    """Nothing of ours catches it, as nothing runs on in a process that is gone."""


@dataclass
class Fate:
    """Counts; at the `fatal`th time it strikes, once."""

    fatal: int
    count: int = 0

    def strikes(self) -> bool:
        self.count += 1
        return self.count == self.fatal


@contextmanager
def dies_when_stripe_has_answered(fate: Fate) -> Iterator[None]:
    """Stripe did it, and we never learn that it did."""
    ask = stripe.RequestsClient.request

    def request(client: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        answer = ask(client, method, *args, **kwargs)
        if method == "post" and fate.strikes():
            raise Died
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stripe.RequestsClient, "request", request)
        yield


@contextmanager
def fails_to_commit(fate: Fate) -> Iterator[None]:
    """The database goes away as a service commits: what it wrote is not there."""

    outside = len(connection.savepoint_ids)

    def execute(run: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        # In a test a service's transaction is a savepoint; those inside of it are released before.
        ends = str(sql).startswith("RELEASE SAVEPOINT") and len(connection.savepoint_ids) == outside
        if ends and fate.strikes():
            raise OperationalError("the server closed the connection unexpectedly")
        return run(sql, params, many, context)

    with connection.execute_wrapper(execute):
        yield
