"""Long lists come in pages."""

import pytest

from tests.helpers.local_stripe.account import Account, refused


def test_a_long_list_comes_in_pages() -> None:
    with Account() as account:
        made = [account.customer() for _ in range(5)]
        page = account.api.customers.list({"limit": 2})
        assert [row.id for row in page] == [made[4], made[3]]
        assert page.has_more is True
        assert [row.id for row in page.auto_paging_iter()] == made[::-1]
        before = account.api.customers.list({"limit": 2, "ending_before": made[1]})
        assert [row.id for row in before] == [made[3], made[2]]


def test_no_page_has_more_than_a_hundred_rows(account: Account) -> None:
    for _ in range(101):
        account.customer()
    page = account.api.customers.list({"limit": 100})
    assert (len(page.data), page.has_more) == (100, True)
    assert len(account.api.customers.list().data) == 10
    assert len(list(page.auto_paging_iter())) == 101
    for limit in (0, 101):
        refused(account.api.customers.list, {"limit": limit})


def test_an_invoice_shows_ten_of_its_lines_and_that_there_are_more(account: Account) -> None:
    customer, pack = account.customer(), account.price(500)
    bill = account.api.invoices.create({"customer": customer}).id
    for _ in range(12):
        account.api.invoice_items.create({"customer": customer, "invoice": bill, "pricing": {"price": pack}})
    shown = account.api.invoices.retrieve(bill)
    assert (len(shown.lines.data), shown.lines.has_more, shown.total) == (10, True, 6_000)
    assert len(list(shown.lines.auto_paging_iter())) == 12
    rows = account.api.invoices.line_items.list(bill, {"limit": 100})
    assert (len(rows.data), rows.has_more) == (12, False)
    assert len(account.api.invoices.list().data[0].lines.data) == 10


def test_four_levels_can_be_expanded_and_no_more(account: Account) -> None:
    customer = account.customer()
    deep = "data.invoice_settings.default_payment_method.customer"
    assert account.api.customers.list({"expand": [deep]}).data[0].id == customer
    refused(account.api.customers.list, {"expand": [f"{deep}.invoice_settings"]})


@pytest.mark.parametrize(
    "metadata", [{"k" * 41: "v"}, {"k": "v" * 501}, {f"k{number}": "v" for number in range(51)}]
)
def test_too_much_metadata_is_refused(account: Account, metadata: dict[str, str]) -> None:
    refused(account.api.customers.create, {"metadata": metadata})
    assert list(account.api.customers.list()) == []
