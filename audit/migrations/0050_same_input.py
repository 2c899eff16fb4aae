from django.db import migrations, models

from audit.partitioned_indexes import AddPartitionedIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("audit", "0040_incident_deadlines")]

    operations = [
        AddPartitionedIndex(
            model_name="payload",
            index=models.Index(
                models.F("input_digest"),
                condition=models.Q(("input_digest__isnull", False)),
                name="payload_input",
            ),
        ),
        AddPartitionedIndex(
            model_name="payload",
            index=models.Index(
                models.F("id"),
                condition=models.Q(("input__isnull", False), ("input_digest__isnull", True)),
                name="payload_undigested",
            ),
        ),
    ]
