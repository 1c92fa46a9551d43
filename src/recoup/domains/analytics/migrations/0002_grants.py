"""Cut-offs and targets are facts; prepared sums are projections."""

from django.db import migrations

from recoup.database import schema


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0001_initial"),
        ("book", "0002_partition_maker"),
        ("access", "0002_grants"),
    ]
    operations = [
        schema.grant_facts("cutoff", "cutoff_figure", "target"),
        schema.grant_projections("figure_day", "figure_sheet"),
        # Whose district a debtor lies in is shown beside it; passwords stay out of the reader's sight.
        migrations.RunSQL(
            "GRANT SELECT (username, name, role, org_unit, is_active) ON staff TO recoup_reader",
            migrations.RunSQL.noop,
        ),
    ]
