"""Signed documents of erasures and purges."""

import django.db.models.functions.datetime
from django.db import migrations, models

import config.ids


class Migration(migrations.Migration):
    dependencies = [("evidence", "0050_erasing")]

    operations = [
        migrations.CreateModel(
            name="SignedDocument",
            fields=[
                ("id", models.UUIDField(default=config.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("erasure-receipt", "receipt of an erasure"),
                            ("purge-report", "report of a purge"),
                        ],
                        max_length=24,
                    ),
                ),
                ("about_id", models.UUIDField(unique=True)),
                ("note", models.TextField()),
                ("signed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
    ]
