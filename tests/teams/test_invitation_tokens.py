"""The token of an invitation's link: should it change, no link that is on its way would work."""

from uuid import UUID

from pytest_django.fixtures import Settings

from teams.invitation_tokens import hash_of, token_of

INVITATION = UUID("0198c2a0-0000-7000-8000-000000000001")


def test_a_token_follows_from_the_secret_the_id_and_the_times_sent(
    settings: Settings,
) -> None:
    settings.SECRET_KEY = "a secret of a test"
    token = token_of(INVITATION, 1)
    assert token == "46211c4d5c540c94b97e24867f230b3c91bba4d1533e7d24f132063838607301"
    assert token_of(INVITATION, 2) != token
    assert token_of(UUID(int=INVITATION.int + 1), 1) != token
    settings.SECRET_KEY = "another secret"
    assert token_of(INVITATION, 1) != token


def test_a_row_keeps_the_sha256_of_the_token() -> None:
    assert hash_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
