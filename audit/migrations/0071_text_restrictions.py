import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0070_retention_and_erasure"),
    ]

    operations = [
        migrations.CreateModel(
            name="TextRestriction",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "request_id", "item_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("item_id", models.UUIDField()),
                ("row_id", models.UUIDField()),
                ("entry_id", models.UUIDField()),
                (
                    "request",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="text_restrictions",
                        to="audit.erasurerequest",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["row_id"], name="text_restriction_row"),
                    models.Index(fields=["item_id"], name="text_restriction_item"),
                ],
            },
        ),
    ]
