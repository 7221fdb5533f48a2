"""Seats are numbered within their Team; an invitation may promise a seat and access to Credits."""

from django.db import migrations, models

# Of older data: in the order in which the seats were made.
NUMBER_SEATS = """
UPDATE teams_seat s SET number = n.number
FROM (SELECT id, row_number() OVER (PARTITION BY team_id ORDER BY id) AS number FROM teams_seat) n
WHERE n.id = s.id;
"""


class Migration(migrations.Migration):
    dependencies = [("teams", "0004_time_zone")]

    operations = [
        migrations.AddField("seat", "number", models.PositiveIntegerField(null=True)),
        migrations.RunSQL(NUMBER_SEATS, migrations.RunSQL.noop),
        migrations.AlterField("seat", "number", models.PositiveIntegerField(verbose_name='number')),
        migrations.AddConstraint(
            "seat",
            models.UniqueConstraint(fields=["team", "number"], name="a_number_is_of_one_seat_of_a_team"),
        ),
        migrations.AddField(
            "invitation",
            "seat_plan_code",
            models.SlugField(blank=True, db_default="", default="", max_length=30, verbose_name='promised plan'),
        ),
        migrations.AddField(
            "invitation", "gives_credits", models.BooleanField(db_default=False, default=False, verbose_name='promises Credits')
        ),
        migrations.AddField(
            "invitation", "month_cap_nanousd", models.BigIntegerField(blank=True, null=True, verbose_name='monthly cap in nano-dollars')
        ),
        migrations.AddConstraint(
            "invitation",
            models.CheckConstraint(
                condition=models.Q(month_cap_nanousd=None)
                | models.Q(gives_credits=True, month_cap_nanousd__gte=0),
                name="a_promised_cap_is_one_of_promised_credits",
            ),
        ),
    ]
