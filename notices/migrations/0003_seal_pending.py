from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notices", "0002_revision")]

    operations = [
        migrations.AddField("alert", "seal_pending", models.BooleanField(default=False, editable=False)),
        migrations.AddIndex("alert", models.Index(models.F("fingerprint"), name="alert_fingerprint")),
        migrations.AddIndex(
            "alert", models.Index(models.F("id"), condition=models.Q(seal_pending=True), name="alert_waits")
        ),
    ]
