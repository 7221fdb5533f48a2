"""What pages share: a thing is read once a request."""

from django.test import RequestFactory

from tokenplan.kit.pages import once_a_request


def test_what_was_read_for_a_request_is_kept_for_it_alone_and_by_its_name() -> None:
    first, second = RequestFactory().get("/"), RequestFactory().get("/")

    assert once_a_request(first, "rows", lambda: [1]) == [1]
    assert once_a_request(first, "rows", lambda: [2]) == [1]
    assert once_a_request(first, "other_rows", lambda: [3]) == [3]
    assert once_a_request(second, "rows", lambda: [4]) == [4]


def test_that_there_is_nothing_is_kept_too() -> None:
    request = RequestFactory().get("/")

    assert once_a_request(request, "rows", list) == []
    assert once_a_request(request, "rows", lambda: [1]) == []
