from django.db import migrations, models

EVERY = models.PositiveIntegerField(null=True, blank=True)
ENDED = models.DateTimeField(null=True, blank=True)


class Migration(migrations.Migration):
    dependencies = [("intake", "0003_source_start")]

    operations = [
        migrations.RemoveField("sourcestate", "expected_every_s"),  # nothing has ever set it
        migrations.AddField("sourcestate", "system_id", models.UUIDField(null=True)),
        *(
            migrations.AddField(model, name, field)
            for model in ("source", "historicalsource")
            for name, field in (("expected_every_s", EVERY), ("ended_at", ENDED))
        ),
    ]
