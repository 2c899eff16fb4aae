from django.db import migrations, models

from audit.partitioned_indexes import AddPartitionedIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("audit", "0010_payload_grant")]

    operations = [
        AddPartitionedIndex(
            model_name="decision",
            index=models.Index(
                models.F("parent_id"),
                models.F("id"),
                condition=models.Q(("parent_id__isnull", False)),
                name="decision_parent",
            ),
        ),
        AddPartitionedIndex(
            model_name="decision",
            index=models.Index(
                models.F("system_id"),
                models.F("recorded_at"),
                models.F("id"),
                condition=models.Q(("flags", []), _negated=True),
                name="decision_flagged",
            ),
        ),
        AddPartitionedIndex(
            model_name="decision",
            index=models.Index(
                models.F("system_id"),
                models.F("recorded_at"),
                models.F("id"),
                condition=models.Q(("error_type", ""), _negated=True),
                name="decision_failed",
            ),
        ),
    ]
