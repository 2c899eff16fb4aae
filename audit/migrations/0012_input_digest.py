from django.db import migrations, models

from audit.partitioned_indexes import AddPartitionedColumn


class Migration(migrations.Migration):
    dependencies = [("audit", "0011_indexes_for_investigating")]

    operations: list[migrations.operations.base.Operation] = [
        AddPartitionedColumn("payload", "input_digest", models.BigIntegerField(null=True))
    ]
