from django.db import migrations, models


def column(name, words):
    return migrations.AddField("reconcilerun", name, models.BigIntegerField(default=0, verbose_name=words))


class Migration(migrations.Migration):
    dependencies = [("quota", "0038_stragglers_name_their_team")]

    operations = [
        column("members_from", "members from"),
        column("members_upto", "members up to"),
        column("again_from", "members again from"),
        column("again_upto", "members again up to"),
    ]
