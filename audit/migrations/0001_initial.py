import django.contrib.postgres.fields
import django.contrib.postgres.indexes
from django.db import migrations, models


def partitioned(table):
    """Replace an empty table by one of the same columns and primary key, partitioned by range of id."""
    return f"""
        ALTER TABLE {table} RENAME TO {table}_plain;
        CREATE TABLE {table} (LIKE {table}_plain INCLUDING DEFAULTS INCLUDING CONSTRAINTS, PRIMARY KEY (id)) PARTITION BY RANGE (id);
        DROP TABLE {table}_plain;
    """


# Run by a beat task as `app`; SECURITY DEFINER, so that no running process needs the keeper's password.
# LIKE + ATTACH locks the parent less than CREATE TABLE ... PARTITION OF. TRUNCATE triggers are not cloned to partitions,
# so each gets its own. No DEFAULT partition: one stray row in it would block its month.
ENSURE_PARTITIONS = """
    CREATE FUNCTION audit_ensure_partitions(months_back int, months_ahead int) RETURNS int
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    DECLARE
        parent text;
        part text;
        month timestamptz;
        made int := 0;
    BEGIN
        PERFORM pg_advisory_xact_lock(hashtext('audit_ensure_partitions'));
        FOR month IN SELECT generate_series(
            date_trunc('month', now(), 'UTC') - make_interval(months => months_back),
            date_trunc('month', now(), 'UTC') + make_interval(months => months_ahead), '1 month') LOOP
            FOREACH parent IN ARRAY ARRAY['audit_decision', 'audit_payload'] LOOP
                part := parent || to_char(month AT TIME ZONE 'UTC', '_YYYYMM');
                CONTINUE WHEN to_regclass('public.' || part) IS NOT NULL;
                EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING ALL)', part, parent);
                EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)', parent, part,
                    audit_first_id(month), audit_first_id(month + interval '1 month'));
                EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON public.%I'
                    ' FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_refuse()', part);
                EXECUTE format('ALTER TABLE public.%I ENABLE ALWAYS TRIGGER refuse_truncate', part);
                made := made + 1;
            END LOOP;
        END LOOP;
        RETURN made;
    END $$;
    REVOKE ALL ON FUNCTION audit_ensure_partitions FROM PUBLIC;

    -- The smallest UUIDv7 of a moment's millisecond.
    CREATE FUNCTION audit_first_id(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
        SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
    $$;
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [("ledger", "0002_guard")]

    operations = [
        migrations.CreateModel(
            name="Decision",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("log_id", models.UUIDField()),
                ("leaf_index", models.BigIntegerField()),
                ("system_id", models.UUIDField()),
                ("service_account_id", models.UUIDField()),
                ("environment", models.CharField(max_length=100)),
                ("model_version", models.CharField(max_length=100)),
                ("model_version_id", models.UUIDField(null=True)),
                ("capability", models.CharField(blank=True, default="", max_length=100)),
                ("occurred_at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField()),
                ("outcome", models.CharField(max_length=100)),
                ("error_type", models.CharField(blank=True, default="", max_length=100)),
                ("confidence", models.FloatField(null=True)),
                ("score", models.FloatField(null=True)),
                ("threshold", models.FloatField(null=True)),
                (
                    "ai_role",
                    models.CharField(
                        choices=[
                            ("sole", "Sole"),
                            ("determinative", "Determinative"),
                            ("advisory", "Advisory"),
                            ("triage", "Triage"),
                        ],
                        max_length=16,
                    ),
                ),
                ("adverse", models.BooleanField(null=True)),
                (
                    "phase",
                    models.CharField(choices=[("effective", "Effective"), ("proposed", "Proposed")], max_length=16),
                ),
                ("config_digest", models.CharField(blank=True, default="", max_length=150)),
                ("model_digest", models.CharField(blank=True, default="", max_length=150)),
                ("prompt_version", models.CharField(blank=True, default="", max_length=100)),
                ("parent_id", models.UUIDField(null=True)),
                ("source_id", models.UUIDField(null=True)),
                ("source_seq", models.BigIntegerField(null=True)),
                ("control_epoch", models.CharField(blank=True, default="", max_length=100)),
                ("latency_ms", models.FloatField(null=True)),
                ("accountable_id", models.UUIDField(null=True)),
                ("assignment_id", models.UUIDField(null=True)),
                ("accountable_accepted", models.BooleanField(default=False)),
                ("occurred_accountable_id", models.UUIDField(null=True)),
                ("occurred_assignment_id", models.UUIDField(null=True)),
                ("directive_action", models.CharField(max_length=16)),
                ("directive_reason", models.CharField(blank=True, default="", max_length=100)),
                ("directive_mode", models.CharField(max_length=16)),
                ("directive_epoch", models.CharField(max_length=100)),
                ("review_id", models.UUIDField(null=True)),
                (
                    "flags",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40), default=list, size=None
                    ),
                ),
            ],
            options={
                "ordering": ["-recorded_at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="Payload",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("secret", models.BinaryField(null=True)),
                ("input", models.BinaryField(null=True)),
                ("output", models.BinaryField(null=True)),
                ("explanation", models.BinaryField(null=True)),
                ("context", models.BinaryField(null=True)),
                ("refs", models.BinaryField(null=True)),
                ("subject", models.CharField(max_length=200, null=True)),
                (
                    "label_terms",
                    django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), null=True, size=None),
                ),
            ],
        ),
        # Nobody has rows yet: make the parents partitioned while they are empty, then index them.
        migrations.RunSQL(
            [partitioned("audit_decision"), partitioned("audit_payload"), ENSURE_PARTITIONS],
            reverse_sql=migrations.RunSQL.noop,
        ),
        migrations.AddIndex(
            "decision", models.Index(models.F("recorded_at"), models.F("id"), name="decision_recorded")
        ),
        migrations.AddIndex(
            "decision",
            models.Index(models.F("system_id"), models.F("recorded_at"), models.F("id"), name="decision_system"),
        ),
        migrations.AddIndex(
            "payload",
            models.Index(
                models.F("subject"),
                models.F("id"),
                condition=models.Q(("subject__isnull", False)),
                name="payload_subject",
            ),
        ),
        migrations.AddIndex(
            "payload",
            django.contrib.postgres.indexes.GinIndex(
                models.F("label_terms"), condition=models.Q(("label_terms__isnull", False)), name="payload_labels"
            ),
        ),
    ]
