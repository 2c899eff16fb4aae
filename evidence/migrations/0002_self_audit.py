from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evidence", "0001_initial")]

    operations = [
        migrations.AddField("auditprogress", "attempted_at", models.DateTimeField(null=True)),
        migrations.CreateModel(
            name="WalkProgress",
            fields=[
                ("walk", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("cursor", models.UUIDField(null=True)),
                ("attempted_at", models.DateTimeField(null=True)),
                ("pass_started_at", models.DateTimeField(null=True)),
                ("pass_finished_at", models.DateTimeField(null=True)),
            ],
            options={"verbose_name_plural": "walk progress"},
        ),
    ]
