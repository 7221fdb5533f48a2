"""Whether the rows of calls are on many servers is asked once a process."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from quota import servers
from tests.helpers import citus


@pytest.mark.django_db
def test_whether_there_are_many_servers_is_asked_once() -> None:
    servers.are_many.cache_clear()
    assert servers.are_many() is citus.is_named()
    with CaptureQueriesContext(connection) as queries:
        servers.are_many()
    assert len(queries) == 0
