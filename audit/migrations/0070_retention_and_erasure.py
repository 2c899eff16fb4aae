import django.contrib.postgres.indexes
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import simple_history.models
from django.db import migrations, models

import config.ids


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0052_many_systems"),
    ]

    operations = [
        migrations.CreateModel(
            name="ErasureRequest",
            fields=[
                ("id", models.UUIDField(default=config.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("particulars_id", models.UUIDField(editable=False, null=True)),
                ("revision", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("decision", "single decisions"),
                            ("subject", "a subject"),
                            ("person", "a former member of staff"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "basis",
                    models.CharField(
                        choices=[
                            ("not_needed", "not needed any more (17(1)(a))"),
                            ("consent_withdrawn", "consent was withdrawn (17(1)(b))"),
                            ("objection", "objection (17(1)(c))"),
                            ("unlawful", "it was processed unlawfully (17(1)(d))"),
                            ("legal_obligation", "a law asks for it (17(1)(e))"),
                            ("child", "collected from a child (17(1)(f))"),
                            ("other", "another basis, named in the reason"),
                        ],
                        max_length=24,
                    ),
                ),
                ("system_id", models.UUIDField(blank=True, null=True)),
                ("person_id", models.UUIDField(blank=True, null=True)),
                ("look_into_payloads", models.BooleanField(default=False)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("draft", "being prepared"),
                            ("requested", "waits for a second person"),
                            ("waiting", "agreed to, waits for its time"),
                            ("running", "under way"),
                            ("scheduled", "waits for floors or holds to end"),
                            ("held", "stopped by somebody"),
                            ("refused", "Refused"),
                            ("withdrawn", "Withdrawn"),
                            ("performed", "Performed"),
                        ],
                        default="draft",
                        max_length=16,
                    ),
                ),
                ("requested_by_id", models.UUIDField()),
                ("requested_at", models.DateTimeField(blank=True, null=True)),
                ("runs_at", models.DateTimeField(blank=True, null=True)),
                ("held_by_id", models.UUIDField(blank=True, null=True)),
                ("held_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("decisions", models.PositiveIntegerField(default=0)),
                ("decisions_digest", models.CharField(blank=True, max_length=64)),
                ("texts", models.PositiveIntegerField(default=0)),
                ("texts_digest", models.CharField(blank=True, max_length=64)),
                ("looked_at", models.DateTimeField(blank=True, null=True)),
                ("subject", models.TextField(blank=True, max_length=200)),
                ("identifiers", models.JSONField(blank=True, default=list)),
                ("reason", models.TextField(max_length=20000)),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="RetentionClass",
            fields=[
                ("id", models.UUIDField(default=config.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("particulars_id", models.UUIDField(editable=False, null=True)),
                ("revision", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("payloads", "payloads of decisions"),
                            ("people_said", "what people wrote about decisions"),
                            ("letters", "explanation letters"),
                            ("quarantine", "records in quarantine"),
                            ("cases", "what was written in cases"),
                            ("searches", "terms of searches"),
                            ("staff", "names of people who have left"),
                        ],
                        max_length=16,
                    ),
                ),
                ("floor_days", models.PositiveIntegerField()),
                (
                    "ceiling_days",
                    models.PositiveIntegerField(
                        blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)]
                    ),
                ),
                ("archived_at", models.DateTimeField(blank=True, null=True)),
                ("made_by_id", models.UUIDField()),
                ("name", models.CharField(max_length=100)),
                ("floor_source", models.TextField(max_length=20000)),
                ("purpose", models.TextField(blank=True, max_length=20000)),
                ("why_lower", models.TextField(blank=True, max_length=20000)),
            ],
            options={
                "verbose_name_plural": "retention classes",
                "ordering": ["kind", "id"],
            },
        ),
        migrations.CreateModel(
            name="ErasureConsent",
            fields=[
                ("id", models.UUIDField(default=config.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("particulars_id", models.UUIDField(editable=False, null=True)),
                ("revision", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="consents", to="audit.erasurerequest"
                    ),
                ),
                ("system_id", models.UUIDField(blank=True, null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("waiting", "waits for an answer"),
                            ("approved", "Approved"),
                            ("refused", "Refused"),
                            ("void", "not asked any more"),
                        ],
                        default="waiting",
                        max_length=16,
                    ),
                ),
                ("asked_by_id", models.UUIDField()),
                ("decided_by_id", models.UUIDField(blank=True, null=True)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("decisions", models.PositiveIntegerField(default=0)),
                ("decisions_digest", models.CharField(blank=True, max_length=64)),
                ("texts_digest", models.CharField(blank=True, max_length=64)),
                ("answer", models.TextField(blank=True, max_length=20000)),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="ErasureFind",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "request_id", "item_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "request",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="finds",
                        to="audit.erasurerequest",
                    ),
                ),
                ("item_id", models.UUIDField()),
                ("place", models.CharField(max_length=40)),
                ("row_id", models.UUIDField()),
                ("is_chosen", models.BooleanField(default=True)),
                ("is_shown", models.BooleanField(default=False)),
                ("system_id", models.UUIDField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="ErasureStep",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "request_id", "item_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "request",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="steps",
                        to="audit.erasurerequest",
                    ),
                ),
                ("item_id", models.UUIDField()),
                ("entry_id", models.UUIDField()),
                ("counts", models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name="ErasureTarget",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "request_id", "decision_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "request",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="targets",
                        to="audit.erasurerequest",
                    ),
                ),
                ("decision_id", models.UUIDField()),
                ("system_id", models.UUIDField()),
            ],
        ),
        migrations.CreateModel(
            name="HistoricalErasureConsent",
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
                ("system_id", models.UUIDField(blank=True, null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("waiting", "waits for an answer"),
                            ("approved", "Approved"),
                            ("refused", "Refused"),
                            ("void", "not asked any more"),
                        ],
                        default="waiting",
                        max_length=16,
                    ),
                ),
                ("asked_by_id", models.UUIDField()),
                ("decided_by_id", models.UUIDField(blank=True, null=True)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("decisions", models.PositiveIntegerField(default=0)),
                ("decisions_digest", models.CharField(blank=True, max_length=64)),
                ("texts_digest", models.CharField(blank=True, max_length=64)),
                (
                    "request",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="audit.erasurerequest",
                    ),
                ),
                ("history_id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField()),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
            ],
            options={
                "verbose_name": "historical erasure consent",
                "verbose_name_plural": "historical erasure consents",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalErasureRequest",
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
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("decision", "single decisions"),
                            ("subject", "a subject"),
                            ("person", "a former member of staff"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "basis",
                    models.CharField(
                        choices=[
                            ("not_needed", "not needed any more (17(1)(a))"),
                            ("consent_withdrawn", "consent was withdrawn (17(1)(b))"),
                            ("objection", "objection (17(1)(c))"),
                            ("unlawful", "it was processed unlawfully (17(1)(d))"),
                            ("legal_obligation", "a law asks for it (17(1)(e))"),
                            ("child", "collected from a child (17(1)(f))"),
                            ("other", "another basis, named in the reason"),
                        ],
                        max_length=24,
                    ),
                ),
                ("system_id", models.UUIDField(blank=True, null=True)),
                ("person_id", models.UUIDField(blank=True, null=True)),
                ("look_into_payloads", models.BooleanField(default=False)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("draft", "being prepared"),
                            ("requested", "waits for a second person"),
                            ("waiting", "agreed to, waits for its time"),
                            ("running", "under way"),
                            ("scheduled", "waits for floors or holds to end"),
                            ("held", "stopped by somebody"),
                            ("refused", "Refused"),
                            ("withdrawn", "Withdrawn"),
                            ("performed", "Performed"),
                        ],
                        default="draft",
                        max_length=16,
                    ),
                ),
                ("requested_by_id", models.UUIDField()),
                ("requested_at", models.DateTimeField(blank=True, null=True)),
                ("runs_at", models.DateTimeField(blank=True, null=True)),
                ("held_by_id", models.UUIDField(blank=True, null=True)),
                ("held_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("decisions", models.PositiveIntegerField(default=0)),
                ("decisions_digest", models.CharField(blank=True, max_length=64)),
                ("texts", models.PositiveIntegerField(default=0)),
                ("texts_digest", models.CharField(blank=True, max_length=64)),
                ("history_id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField()),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
            ],
            options={
                "verbose_name": "historical erasure request",
                "verbose_name_plural": "historical erasure requests",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalPurge",
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
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("announced", "Announced"),
                            ("running", "Running"),
                            ("held", "stopped by somebody"),
                            ("done", "Done"),
                        ],
                        default="announced",
                        max_length=16,
                    ),
                ),
                ("announced_at", models.DateTimeField()),
                ("runs_at", models.DateTimeField()),
                ("parts", models.JSONField()),
                ("done", models.JSONField(blank=True, default=list)),
                ("stopped", models.JSONField(blank=True, default=dict)),
                ("held_by_id", models.UUIDField(blank=True, null=True)),
                ("held_at", models.DateTimeField(blank=True, null=True)),
                ("done_at", models.DateTimeField(blank=True, null=True)),
                ("history_id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField()),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
            ],
            options={
                "verbose_name": "historical purge",
                "verbose_name_plural": "historical purges",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalRetentionClass",
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
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("payloads", "payloads of decisions"),
                            ("people_said", "what people wrote about decisions"),
                            ("letters", "explanation letters"),
                            ("quarantine", "records in quarantine"),
                            ("cases", "what was written in cases"),
                            ("searches", "terms of searches"),
                            ("staff", "names of people who have left"),
                        ],
                        max_length=16,
                    ),
                ),
                ("floor_days", models.PositiveIntegerField()),
                (
                    "ceiling_days",
                    models.PositiveIntegerField(
                        blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)]
                    ),
                ),
                ("archived_at", models.DateTimeField(blank=True, null=True)),
                ("made_by_id", models.UUIDField()),
                ("history_id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField()),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
            ],
            options={
                "verbose_name": "historical retention class",
                "verbose_name_plural": "historical retention classes",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalRetentionRule",
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
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("payloads", "payloads of decisions"),
                            ("people_said", "what people wrote about decisions"),
                            ("letters", "explanation letters"),
                            ("quarantine", "records in quarantine"),
                            ("cases", "what was written in cases"),
                            ("searches", "terms of searches"),
                            ("staff", "names of people who have left"),
                        ],
                        max_length=16,
                    ),
                ),
                ("system_id", models.UUIDField(blank=True, null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("requested", "waits for a second person"),
                            ("in_force", "in force"),
                            ("superseded", "Superseded"),
                            ("refused", "Refused"),
                            ("withdrawn", "Withdrawn"),
                        ],
                        default="requested",
                        max_length=16,
                    ),
                ),
                ("requested_by_id", models.UUIDField()),
                ("requested_at", models.DateTimeField()),
                ("decided_by_id", models.UUIDField(blank=True, null=True)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("superseded_at", models.DateTimeField(blank=True, null=True)),
                (
                    "retention_class",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="audit.retentionclass",
                    ),
                ),
                ("history_id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField()),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
            ],
            options={
                "verbose_name": "historical retention rule",
                "verbose_name_plural": "historical retention rules",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="Purge",
            fields=[
                ("id", models.UUIDField(default=config.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("particulars_id", models.UUIDField(editable=False, null=True)),
                ("revision", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("announced", "Announced"),
                            ("running", "Running"),
                            ("held", "stopped by somebody"),
                            ("done", "Done"),
                        ],
                        default="announced",
                        max_length=16,
                    ),
                ),
                ("announced_at", models.DateTimeField()),
                ("runs_at", models.DateTimeField()),
                ("parts", models.JSONField()),
                ("done", models.JSONField(blank=True, default=list)),
                ("stopped", models.JSONField(blank=True, default=dict)),
                ("walk", models.JSONField(blank=True, default=dict)),
                ("held_by_id", models.UUIDField(blank=True, null=True)),
                ("held_at", models.DateTimeField(blank=True, null=True)),
                ("done_at", models.DateTimeField(blank=True, null=True)),
                ("why", models.TextField(blank=True, max_length=20000)),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="Restriction",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "request_id", "decision_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "request",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="restrictions",
                        to="audit.erasurerequest",
                    ),
                ),
                ("decision_id", models.UUIDField()),
                ("entry_id", models.UUIDField()),
            ],
        ),
        migrations.CreateModel(
            name="RetentionRule",
            fields=[
                ("id", models.UUIDField(default=config.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("particulars_id", models.UUIDField(editable=False, null=True)),
                ("revision", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "retention_class",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="rules", to="audit.retentionclass"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("payloads", "payloads of decisions"),
                            ("people_said", "what people wrote about decisions"),
                            ("letters", "explanation letters"),
                            ("quarantine", "records in quarantine"),
                            ("cases", "what was written in cases"),
                            ("searches", "terms of searches"),
                            ("staff", "names of people who have left"),
                        ],
                        max_length=16,
                    ),
                ),
                ("system_id", models.UUIDField(blank=True, null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("requested", "waits for a second person"),
                            ("in_force", "in force"),
                            ("superseded", "Superseded"),
                            ("refused", "Refused"),
                            ("withdrawn", "Withdrawn"),
                        ],
                        default="requested",
                        max_length=16,
                    ),
                ),
                ("requested_by_id", models.UUIDField()),
                ("requested_at", models.DateTimeField()),
                ("decided_by_id", models.UUIDField(blank=True, null=True)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("superseded_at", models.DateTimeField(blank=True, null=True)),
                ("reason", models.TextField(max_length=20000)),
                ("answer", models.TextField(blank=True, max_length=20000)),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="ErasureWarrant",
            fields=[
                (
                    "consent",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="warrant",
                        serialize=False,
                        to="audit.erasureconsent",
                    ),
                ),
                ("request_id", models.UUIDField(db_index=True)),
                ("system_id", models.UUIDField(null=True)),
                ("agreed_at", models.DateTimeField()),
                ("opened_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="ErasureScan",
            fields=[
                (
                    "request",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="scan",
                        serialize=False,
                        to="audit.erasurerequest",
                    ),
                ),
                ("place", models.CharField(blank=True, max_length=40)),
                ("cursor", models.UUIDField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("newer", models.JSONField(default=dict)),
                ("walk", models.JSONField(default=dict)),
            ],
        ),
        migrations.AddConstraint(
            model_name="erasurerequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "person"), ("person_id__isnull", False)),
                    models.Q(models.Q(("kind", "person"), _negated=True), ("person_id__isnull", True)),
                    _connector="OR",
                ),
                name="erasure_of_somebody",
            ),
        ),
        migrations.AddConstraint(
            model_name="erasurerequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("status__in", ["draft", "withdrawn"]), ("requested_at__isnull", False), _connector="OR"
                ),
                name="erasure_asked_for_when",
            ),
        ),
        migrations.AddConstraint(
            model_name="erasurerequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status__in", ["waiting", "running", "scheduled", "performed"]), _negated=True),
                    ("runs_at__isnull", False),
                    _connector="OR",
                ),
                name="erasure_runs_when",
            ),
        ),
        migrations.AddConstraint(
            model_name="purge",
            constraint=models.UniqueConstraint(
                models.Value(1),
                condition=models.Q(("status__in", ["announced", "running"])),
                name="purge_one_at_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="purge",
            constraint=models.CheckConstraint(
                condition=models.Q(("runs_at__gt", models.F("announced_at"))), name="purge_is_announced_before"
            ),
        ),
        migrations.AddConstraint(
            model_name="retentionclass",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ceiling_days__isnull", True), ("ceiling_days__gte", models.F("floor_days")), _connector="OR"
                ),
                name="retention_ceiling_above_floor",
            ),
        ),
        migrations.AddConstraint(
            model_name="retentionclass",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("floor_days__lte", 36500),
                    models.Q(("ceiling_days__isnull", True), ("ceiling_days__lte", 36500), _connector="OR"),
                ),
                name="retention_days_are_days",
            ),
        ),
        migrations.AddConstraint(
            model_name="erasureconsent",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "void"), _negated=True),
                fields=("request", "system_id"),
                name="erasure_consent_once",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="erasureconsent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("status__in", ["waiting", "void"]),
                    models.Q(("decided_at__isnull", False), ("decided_by_id__isnull", False)),
                    _connector="OR",
                ),
                name="erasure_consent_by_somebody",
            ),
        ),
        migrations.AddConstraint(
            model_name="erasureconsent",
            constraint=models.CheckConstraint(
                condition=models.Q(("decided_by_id", models.F("asked_by_id")), _negated=True),
                name="erasure_consent_by_another",
            ),
        ),
        migrations.AddIndex(
            model_name="erasuretarget",
            index=models.Index(models.F("request"), models.F("system_id"), name="erasure_target_system"),
        ),
        migrations.AddIndex(
            model_name="restriction",
            index=django.contrib.postgres.indexes.HashIndex(models.F("decision_id"), name="restriction_decision"),
        ),
        migrations.AddConstraint(
            model_name="retentionrule",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "in_force")),
                fields=("kind", "system_id"),
                name="retention_rule_one_in_force",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="retentionrule",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "requested")),
                fields=("kind", "system_id"),
                name="retention_rule_asked_for_once",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="retentionrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind__in", ["cases", "searches", "staff"]), ("system_id__isnull", True)),
                    models.Q(
                        ("kind__in", ["payloads", "people_said", "letters", "quarantine"]), ("system_id__isnull", False)
                    ),
                    _connector="OR",
                ),
                name="retention_rule_of_a_place",
            ),
        ),
        migrations.AddConstraint(
            model_name="retentionrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("decided_by_id__isnull", True), ("status__in", ["requested", "withdrawn"])),
                    models.Q(("decided_by_id__isnull", False), ("status__in", ["in_force", "superseded", "refused"])),
                    _connector="OR",
                ),
                name="retention_rule_decided_by_somebody",
            ),
        ),
        migrations.AddConstraint(
            model_name="retentionrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("decided_by_id", models.F("requested_by_id")), _negated=True),
                name="retention_rule_decided_by_another",
            ),
        ),
    ]
