import django.db.models.deletion
import django.utils.timezone
import simple_history.models
from django.conf import settings
from django.db import migrations, models

import config.ids


class Migration(migrations.Migration):
    dependencies = [
        ("governance", "0021_last_seen"),
    ]

    operations = [
        migrations.CreateModel(
            name="HistoricalExternalIdentity",
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
                ("issuer", models.CharField(max_length=500)),
                ("by_group", models.BooleanField(default=False)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("history_id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField()),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
                (
                    "person",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "historical external identity",
                "verbose_name_plural": "historical external identities",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="ExternalIdentity",
            fields=[
                ("id", models.UUIDField(default=config.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("particulars_id", models.UUIDField(editable=False, null=True)),
                ("revision", models.PositiveIntegerField(default=0, editable=False)),
                ("issuer", models.CharField(max_length=500)),
                ("subject_digest", models.CharField(editable=False, max_length=64)),
                ("by_group", models.BooleanField(default=False)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="identities",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "external identities",
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("subject_digest"),
                        condition=models.Q(("ended_at", None), models.Q(("subject_digest", ""), _negated=True)),
                        name="identity_of_one_person",
                    ),
                    models.UniqueConstraint(
                        models.F("person"),
                        models.F("issuer"),
                        condition=models.Q(("ended_at", None)),
                        name="identity_one_a_person_and_issuer",
                    ),
                ],
            },
        ),
    ]
