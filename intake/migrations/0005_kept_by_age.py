"""Records that are kept, by AI system and age: what is due is counted without looking at what was erased."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("intake", "0004_expectations")]

    operations = [
        AddIndexConcurrently(
            model_name="quarantinedrecord",
            index=models.Index(
                models.F("system_id"),
                models.F("received_at"),
                condition=models.Q(("original__isnull", False)),
                name="quarantine_kept",
            ),
        ),
    ]
