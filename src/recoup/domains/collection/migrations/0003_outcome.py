"""Outcomes of actions: facts, appended and read; a contract's touches are found by contract."""

import django.db.models.functions.datetime
from django.db import migrations, models

import recoup.database.fields
from recoup.database import schema


class Migration(migrations.Migration):
    dependencies = [("collection", "0002_grants")]
    operations = [
        migrations.CreateModel(
            name="Outcome",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "contract_id",
                        "decided_on",
                        "action_code",
                        "version",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("contract_id", models.BigIntegerField()),
                ("decided_on", models.DateField()),
                ("action_code", models.TextField()),
                ("version", models.IntegerField(default=1)),
                ("result", models.TextField()),
                ("happened_on", models.DateField()),
                ("promise_on", models.DateField(null=True)),
                ("promise_minor", models.BigIntegerField(null=True)),
                ("note", models.TextField(default="")),
                ("recorded_by", models.TextField()),
                ("request_key", models.TextField(unique=True)),
                ("recorded_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "recorded_tx",
                    recoup.database.fields.RecordedTxField(
                        db_default=recoup.database.fields.CurrentTransaction(),
                        editable=False,
                    ),
                ),
            ],
            options={
                "db_table": "outcome",
                "indexes": [models.Index(fields=["happened_on"], name="outcome_day")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(promise_on__isnull=True, promise_minor__isnull=True)
                        | models.Q(promise_on__gte=models.F("happened_on"), promise_minor__gt=0),
                        name="outcome_promise_whole",
                    )
                ],
            },
        ),
        schema.grant_facts("outcome"),
    ]
