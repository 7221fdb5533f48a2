"""The search over the documents: what is typed finds the section that answers it, in both languages."""

from __future__ import annotations

import pytest
from django.utils import translation

from tests.helpers.catalog import load_shipped
from tokenplan.documents.figures import figures
from tokenplan.documents.reading import all_documents
from tokenplan.documents.search import Hit, find, terms_of

pytestmark = pytest.mark.django_db


def first(text: str, language: str = "en", among: int = 3) -> list[str]:
    with translation.override(language):
        return [hit.url for hit in find(all_documents(figures(), is_signed_in=False), text)[:among]]


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("refund", "/faq/#refunds"),
        ("Do Credits expire?", "/faq/#credits-expire"),
        ("how do i cancel", "/faq/#cancel"),
        ("payment failed", "/faq/#payment-failed"),
        ("rotating a key", "/faq/#rotate"),
        ("token_plan/remains", "/docs/api/#remains"),
        ("query_balance", "/docs/api/#query-balance"),
        ("at the limit", "/docs/plans-and-credits/#at-the-limit"),
        ("vouchers", "/promotions/#vouchers"),
        ("sign up", "/quickstart/#sign-up"),
    ],
)
def test_words_find_the_section_that_answers(typed: str, wanted: str) -> None:
    load_shipped()
    assert wanted in first(typed)


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("退款", "/faq/#refunds"),
        ("积分会到期吗", "/faq/#credits-expire"),
        ("怎么取消套餐", "/faq/#cancel"),
        ("付款失败", "/faq/#payment-failed"),
        ("轮换密钥", "/faq/#rotate"),
        ("达到上限", "/docs/plans-and-credits/#at-the-limit"),
        ("API 余额", "/docs/api/#balance"),
        ("席位给了别人", "/faq/#seat-moved"),
    ],
)
def test_chinese_needs_no_spaces_between_words(typed: str, wanted: str) -> None:
    load_shipped()
    assert wanted in first(typed, "zh-hans")


@pytest.mark.parametrize("typed", ["", "?", "zebra", "the", "斑马"])
def test_what_is_not_there_is_not_found(typed: str) -> None:
    assert first(typed) == []


def test_an_excerpt_marks_what_was_searched_for_and_leaves_out_the_rest() -> None:
    hits: list[Hit] = find(all_documents(figures(), is_signed_in=False), "voucher")

    parts = hits[0].excerpt
    assert any(is_found and text.lower() in ("voucher", "vouchers") for text, is_found in parts)
    assert all(len("".join(text for text, _ in hit.excerpt)) < 300 for hit in hits)
    assert "Copy" not in "".join(text for text, _ in parts)


def test_terms_are_words_without_their_endings_and_pairs_of_han_signs() -> None:
    assert terms_of("How do I cancel the refunds?") == ["cancel", "refund"]
    assert terms_of("积分到期") == ["积分", "分到", "到期"]
    assert terms_of("API 余额") == ["api", "余额"]
