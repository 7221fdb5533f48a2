from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('quota', '0026_bulk_actions'),
    ]

    operations = [
        # The longest address and the longest name of a Team are longer than there was room for.
        migrations.AlterField(
            model_name='reconcilefinding',
            name='about',
            field=models.TextField(verbose_name='about'),
        ),
    ]
