"""The security headers of every answer, and the limit on the size of a body."""

import pytest
from django.conf import settings
from django.test import Client


@pytest.mark.django_db
def test_every_answer_has_a_content_security_policy(client: Client) -> None:
    response = client.get("/accounts/login/")
    assert response.status_code == 200
    assert response.headers["Content-Security-Policy"].startswith("default-src 'self'")


def test_a_huge_body_is_refused_unread(client: Client) -> None:
    body = b" " * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    response = client.post("/api/v1/gateway/authorize", body, content_type="application/json")
    assert response.status_code == 413
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "body_too_large"
