"""The OpenAPI document describes every address, its refusals included, and without a warning."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from quota import errors
from teams.errors import KeyInvalid
from tests.helpers.api_addresses import WRITES, api_views
from tokenplan.kit.errors import Refusal
from tokenplan.kit.problems import MEDIA_TYPE

TRACKERS = ["/v1/token_plan/remains", "/v1/api/openplatform/coding_plan/remains", "/account/query_balance"]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    generator: Any = SchemaGenerator  # the library is not typed
    schema: dict[str, Any] = generator().get_schema(request=None, public=True)
    return schema


def test_it_is_valid_and_of_version_3_1_without_warnings(document: dict[str, Any], tmp_path: Any) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "api.yaml"))
    assert document["openapi"].startswith("3.1")


def test_it_has_every_address_and_method(document: dict[str, Any]) -> None:
    described = {
        (path.replace("{", "<").replace("}", ">"), method)
        for path, operations in document["paths"].items()
        for method in operations
    }
    served = {
        ("/" + _plain(route), method)
        for route, view in api_views()
        for method in ("get", *WRITES)
        if hasattr(view, method)
    }
    assert described == served | {(path, "get") for path in TRACKERS}


def _plain(route: str) -> str:
    """The route with the names of what varies, as the document has them."""
    for converter in ("slug:", "int:", "uuid:"):
        route = route.replace(f"<{converter}", "<")
    return route.replace("<pk>", "<id>")


def test_every_operation_has_a_summary_an_id_and_problems(document: dict[str, Any]) -> None:
    ids = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            ids.append(operation["operationId"])
            assert operation.get("summary"), (path, method)
            if path in TRACKERS:
                continue
            refusals = [code for code in operation["responses"] if code == "default" or int(code) >= 400]
            assert refusals, (path, method)
            for code in refusals:
                assert MEDIA_TYPE in operation["responses"][code]["content"], (path, method, code)
    assert len(ids) == len(set(ids))


def test_authorize_lists_each_of_its_refusals_with_what_to_relay(document: dict[str, Any]) -> None:
    responses = document["paths"]["/api/v1/gateway/authorize"]["post"]["responses"]
    expected: list[type[Refusal]] = [
        KeyInvalid,
        errors.NoUsableResources,
        errors.ModelUnknown,
        errors.InvalidUsage,
        errors.QuotaExhausted,
        errors.TooManyAgents,
        errors.RequestIdReused,
    ]
    for refusal in expected:
        answer = responses[str(refusal.status)]
        assert f"`{refusal.code}`" in answer["description"]
        schema = answer["content"][MEDIA_TYPE]["schema"]
        assert schema["allOf"][1]["required"] == ["relay"]
    assert "`unavailable`" in responses["503"]["description"]


@pytest.mark.parametrize(
    ("path", "method", "scheme"),
    [
        ("/api/v1/gateway/events", "post", "gateway"),
        ("/api/v1/usage", "get", "subscriptionKey"),
        ("/api/v1/teams", "post", "accessToken"),
    ],
)
def test_each_address_names_its_credential(
    document: dict[str, Any], path: str, method: str, scheme: str
) -> None:
    assert {scheme: []} in document["paths"][path][method]["security"]


@pytest.mark.django_db
def test_it_is_published_and_shown_without_any_other_host() -> None:
    client = Client()
    assert client.get("/api/schema/").status_code == 200
    page = client.get("/api/docs/").content.decode()
    assert "swagger" in page
    assert "https://" not in page and "http://" not in page
