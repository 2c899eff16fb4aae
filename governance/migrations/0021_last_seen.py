from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("governance", "0020_accountability"),
    ]

    operations = [
        migrations.AddField(
            model_name="staffsession",
            name="last_seen_at",
            field=models.DateTimeField(null=True),
        ),
    ]
