import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import config.ids

OUTCOMES = [
    ("waiting", "Not asked yet"),
    ("anchored", "Given, and verified"),
    ("unreachable", "No connection"),
    ("unknown_host", "The name resolves to nothing"),
    ("bad_address", "Leads to an address that is not allowed"),
    ("tls_failed", "Its certificate is not valid"),
    ("timed_out", "No answer in time"),
    ("broken_off", "Broken off, or longer than an answer may be"),
    ("redirected", "Redirected: never followed"),
    ("throttled", "Told to wait"),
    ("refused", "Refused"),
    ("malformed", "It cannot read what was sent (400)"),
    ("key_unknown", "It does not know the log's key (403)"),
    ("log_unknown", "It does not know this log (404)"),
    ("behind", "It has cosigned another size (409) and keeps saying so"),
    ("ahead", "It has cosigned a larger tree than this database holds (409)"),
    ("contradicts", "It has cosigned a tree that this one does not continue (422)"),
    ("uncosigned", "Its answer holds no valid cosignature by its key"),
    ("not_granted", "It granted no time-stamp"),
    ("unverified", "Its time-stamp does not verify under the certificates given for it"),
    ("unreadable", "Its answer is no time-stamp response"),
    ("not_signed", "Not asked: no checkpoint is signed for this log now"),
    ("our_fault", "Failed on our side: the log of the outgoing worker says how"),
]
KINDS = [("witness", "Witness"), ("authority", "Time-stamp authority")]
NOW = django.db.models.functions.datetime.Now()


def key() -> models.UUIDField:
    return models.UUIDField(default=config.ids.new_id, editable=False, primary_key=True, serialize=False)


def to(model: str, name: str, **more: object) -> models.ForeignKey:
    return models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name=name, to=model, **more)


class Migration(migrations.Migration):
    dependencies = [
        ("evidence", "0030_keys_apart"),
        ("ledger", "0010_contradiction"),
    ]

    operations = [
        # sketched before anything wrote them: both are empty
        migrations.DeleteModel(name="Cosignature"),
        migrations.DeleteModel(name="Timestamp"),
        migrations.CreateModel(
            name="Anchor",
            fields=[
                ("id", key()),
                ("kind", models.CharField(choices=KINDS, max_length=16)),
                ("name", models.CharField(max_length=255)),
                ("identity", models.CharField(max_length=64)),
                ("known_size", models.BigIntegerField(default=0)),
                ("tree_size", models.BigIntegerField(default=0)),
                ("outcome", models.CharField(choices=OUTCOMES, default="waiting", max_length=16)),
                ("detail", models.CharField(blank=True, max_length=300)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("attempted_at", models.DateTimeField(null=True)),
                ("succeeded_at", models.DateTimeField(null=True)),
                ("next_attempt_at", models.DateTimeField(db_default=NOW)),
                ("seen_size", models.BigIntegerField(null=True)),
                ("looked_at", models.DateTimeField(null=True)),
                ("next_look_at", models.DateTimeField(db_default=NOW)),
                ("lease", models.UUIDField(null=True)),
                ("leased_until", models.DateTimeField(null=True)),
                ("log", to("ledger.log", "anchors")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(models.F("log"), models.F("kind"), models.F("name"), name="anchor_once"),
                    models.CheckConstraint(
                        condition=models.Q(("lease", None), ("leased_until", None))
                        | models.Q(("lease__isnull", False), ("leased_until__isnull", False)),
                        name="anchor_lease_ends",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AnchorTarget",
            fields=[
                ("id", key()),
                ("kind", models.CharField(choices=KINDS, max_length=16)),
                ("chosen_at", models.DateTimeField()),
                ("checkpoint", to("ledger.checkpoint", "+")),
                ("log", to("ledger.log", "+")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(models.F("log"), models.F("kind"), name="anchor_target_once"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Cosignature",
            fields=[
                ("id", key()),
                ("tree_size", models.BigIntegerField()),
                ("witness", models.CharField(max_length=255)),
                ("vkey", models.CharField(max_length=400)),
                ("line", models.TextField()),
                ("cosigned_at", models.DateTimeField()),
                ("received_at", models.DateTimeField(db_default=NOW)),
                ("checkpoint", to("ledger.checkpoint", "cosignatures")),
                ("log", to("ledger.log", "cosignatures", db_index=False)),
            ],
            options={
                "indexes": [models.Index(fields=["log", "tree_size"], name="cosignature_by_size")],
                "constraints": [
                    models.UniqueConstraint(models.F("checkpoint"), models.F("vkey"), name="cosignature_once"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Timestamp",
            fields=[
                ("id", key()),
                ("tree_size", models.BigIntegerField()),
                ("authority", models.CharField(max_length=255)),
                ("token", models.BinaryField()),
                ("stamped_at", models.DateTimeField()),
                ("received_at", models.DateTimeField(db_default=NOW)),
                ("checkpoint", to("ledger.checkpoint", "timestamps")),
                ("log", to("ledger.log", "timestamps", db_index=False)),
            ],
            options={
                "indexes": [models.Index(fields=["log", "tree_size"], name="timestamp_by_size")],
                "constraints": [
                    models.UniqueConstraint(models.F("checkpoint"), models.F("authority"), name="timestamp_once"),
                ],
            },
        ),
    ]
