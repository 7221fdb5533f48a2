"""Addresses in one form, ASCII in small letters, so that two texts are one address only when they are equal."""

from django.db import migrations, models
from django.db.models import Q

CANONICAL = r"^[!-@\[-~]+$"

# One with other signs than ASCII has no such form, and the constraints then say which one it is.
SMALL_LETTERS = """
UPDATE teams_user SET email = lower(email) WHERE email <> lower(email);
UPDATE teams_invitation SET email = lower(email) WHERE email <> lower(email);
UPDATE account_emailaddress SET email = lower(email) WHERE email <> lower(email);
"""

# The table is the sign-in library's, so its model cannot say this.
ADDRESSES_OF_SIGN_IN = r"""
ALTER TABLE account_emailaddress
    ADD CONSTRAINT an_address_to_sign_in_by_is_in_its_one_form CHECK (email ~ '^[!-@\[-~]+$');
"""
ADDRESSES_ARE_FREE = "ALTER TABLE account_emailaddress DROP CONSTRAINT an_address_to_sign_in_by_is_in_its_one_form;"


class Migration(migrations.Migration):
    dependencies = [
        ("teams", "0018_accounts_are_closed_at_a_moment"),
        ("account", "0009_emailaddress_unique_primary_email"),
    ]

    operations = [
        migrations.RunSQL(SMALL_LETTERS, migrations.RunSQL.noop),
        migrations.RemoveConstraint(model_name="user", name="one_user_per_email"),
        migrations.AlterField(model_name="user", name="email", field=models.EmailField(max_length=254)),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.UniqueConstraint(fields=("email",), name="one_user_per_email"),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=Q(email__regex=CANONICAL), name="the_address_of_an_account_is_in_its_one_form"
            ),
        ),
        migrations.RemoveConstraint(
            model_name="invitation", name="one_open_invitation_per_address_and_team"
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.UniqueConstraint(
                fields=["team", "email"],
                condition=Q(accepted_at=None, revoked_at=None),
                name="one_open_invitation_per_address_and_team",
            ),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.CheckConstraint(
                condition=Q(email__regex=CANONICAL), name="the_address_of_an_invitation_is_in_its_one_form"
            ),
        ),
        migrations.RunSQL(ADDRESSES_OF_SIGN_IN, ADDRESSES_ARE_FREE),
    ]
