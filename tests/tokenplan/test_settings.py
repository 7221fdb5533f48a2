"""The product's settings, where those of the tests differ."""

from tokenplan import settings as product


def test_passwords_are_hashed_by_argon2() -> None:
    assert product.PASSWORD_HASHERS[0].endswith("Argon2PasswordHasher")
