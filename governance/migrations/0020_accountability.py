import django.db.models.deletion
import django.utils.timezone
import simple_history.models
from django.db import migrations, models

import config.ids


class Migration(migrations.Migration):
    dependencies = [
        ("governance", "0012_model_versions"),
    ]

    operations = [
        migrations.AddField(
            model_name="assignment",
            name="succeeds",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="successors",
                to="governance.assignment",
            ),
        ),
        migrations.AddField(
            model_name="historicalassignment",
            name="succeeds",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="governance.assignment",
            ),
        ),
        migrations.CreateModel(
            name="HistoricalAccountabilityGap",
            fields=[
                ("state", models.BinaryField()),
                ("state_secret", models.BinaryField()),
                ("reason_id", models.UUIDField(null=True)),
                ("log_id", models.UUIDField()),
                ("id", models.UUIDField(db_index=True, default=config.ids.new_id, editable=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("particulars_id", models.UUIDField(editable=False, null=True)),
                ("revision", models.PositiveIntegerField(default=0, editable=False)),
                ("history_user_id", models.UUIDField(null=True)),
                ("opened_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("history_id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField()),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
                (
                    "last_assignment",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="governance.assignment",
                    ),
                ),
                (
                    "system",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="governance.aisystem",
                    ),
                ),
            ],
            options={
                "verbose_name": "historical accountability gap",
                "verbose_name_plural": "historical accountability gaps",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="AccountabilityGap",
            fields=[
                ("id", models.UUIDField(default=config.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("particulars_id", models.UUIDField(editable=False, null=True)),
                ("revision", models.PositiveIntegerField(default=0, editable=False)),
                ("opened_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "last_assignment",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="governance.assignment",
                    ),
                ),
                (
                    "system",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="accountability_gaps",
                        to="governance.aisystem",
                    ),
                ),
            ],
            options={
                "ordering": ["-opened_at"],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("system"), condition=models.Q(("closed_at", None)), name="gap_open_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("closed_at", None), ("closed_at__gte", models.F("opened_at")), _connector="OR"
                        ),
                        name="gap_ends_after_it_begins",
                    ),
                ],
            },
        ),
    ]
