"""Records by the decision that they became: what covers that decision covers them, and the other way round."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("intake", "0005_kept_by_age")]

    operations = [
        AddIndexConcurrently(
            model_name="quarantinecase",
            index=models.Index(
                models.F("decision_id"),
                condition=models.Q(("decision_id__isnull", False)),
                name="quarantine_replayed",
            ),
        ),
    ]
