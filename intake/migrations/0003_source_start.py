from django.db import migrations, models

# what was counted so far was counted from 1
STARTED_AT_ONE = "UPDATE intake_sourcestate SET starts_at = 1 WHERE last_seq IS NOT NULL"


class Migration(migrations.Migration):
    dependencies = [("intake", "0002_revision")]

    operations = [
        migrations.AddField("sourcestate", "starts_at", models.BigIntegerField(null=True)),
        migrations.RunSQL(STARTED_AT_ONE, migrations.RunSQL.noop, elidable=True),
    ]
