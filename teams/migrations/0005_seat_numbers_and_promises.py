"""Seats are numbered within their Team; an invitation may promise a seat and access to Credits."""

from django.db import migrations, models

# Of older data: in the order in which the seats were made.
NUMBER_SEATS = """
UPDATE teams_seat s SET number = n.number
FROM (SELECT id, row_number() OVER (PARTITION BY team_id ORDER BY id) AS number FROM teams_seat) n
WHERE n.id = s.id;
"""


class Migration(migrations.Migration):
    dependencies = [("teams", "0003_api_keys")]

    operations = [
        migrations.AddField("seat", "number", models.PositiveIntegerField(null=True)),
        migrations.RunSQL(NUMBER_SEATS, migrations.RunSQL.noop),
        migrations.AlterField("seat", "number", models.PositiveIntegerField()),
        migrations.AddConstraint(
            "seat",
            models.UniqueConstraint(fields=["team", "number"], name="a_number_is_of_one_seat_of_a_team"),
        ),
    ]
