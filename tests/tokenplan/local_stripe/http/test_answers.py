"""Long lists come in pages."""

from tests.helpers.local_stripe.account import Account


def test_a_long_list_comes_in_pages() -> None:
    with Account() as account:
        made = [account.customer() for _ in range(5)]
        page = account.api.customers.list({"limit": 2})
        assert [row.id for row in page] == [made[4], made[3]]
        assert page.has_more is True
        assert [row.id for row in page.auto_paging_iter()] == made[::-1]
        before = account.api.customers.list({"limit": 2, "ending_before": made[1]})
        assert [row.id for row in before] == [made[3], made[2]]
