"""All pages: what people typed is text, no script, no other host, and 404 for what is not there."""

import re

import pytest

from tests.helpers.local_stripe.account import Account


def test_what_people_typed_is_shown_as_text(account: Account) -> None:
    session = account.session(
        "payment", account.customer(name="<b>Owner</b>"), account.price(500), allow_promotion_codes=True
    )
    evil = "<script>alert(1)</script>"
    for answer in (
        account.post(f"/checkout/{session.id}/promotion", code=evil),
        account.pay(session, evil),
        account.get(f"/checkout/{session.id}?number={evil}"),
        account.get("/"),
    ):
        assert evil not in answer.text
        assert "<b>Owner" not in answer.text


def test_pages_need_no_script_and_no_other_host(account: Account) -> None:
    session = account.session("payment", account.customer(), account.price(500))
    shown = account.get(f"/checkout/{session.id}")
    policy = shown.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert policy.endswith("form-action 'self' https://example.com")
    assert "<script" not in shown.text
    assert set(re.findall(r'(?:src|href)="(https?://[^"/]+)', shown.text)) == {"https://example.com"}
    assert account.get("/style.css").headers["Content-Type"].startswith("text/css")


@pytest.mark.parametrize(
    "path", ["/nothing", "/checkout/cs_none", "/i/in_none", "/portal/bps_none", "/authenticate/pi_none"]
)
def test_an_unknown_page_is_answered_with_404(account: Account, path: str) -> None:
    assert account.get(path).status_code == 404
    assert account.post(path).status_code == 404
