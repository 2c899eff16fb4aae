"""Of each month's decisions the planner is to take each AI system for one of many, whatever it saw.

Where one AI system has nearly all decisions of a month, the statistics say that there are two or three, and a walk
through those of a small one is planned along the index of all, in which the small one's rows are rare: seconds instead
of milliseconds (docs/decisions/0060-lists-walk-what-is-within-reach.md).
"""

from importlib import import_module

from django.db import migrations

FUNCTION = import_module("audit.migrations.0001_initial").ENSURE_PARTITIONS.split("$$;")[0] + "$$;"
MADE = "                made := made + 1;"
AS_ONE_OF_MANY = (
    "                IF parent = 'audit_decision' THEN\n"
    "                    EXECUTE format('ALTER TABLE public.%I ALTER COLUMN system_id SET (n_distinct = 1000)', part);\n"
    "                END IF;\n"
)
assert FUNCTION.count(MADE) == 1
REPLACED = FUNCTION.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1).replace(MADE, AS_ONE_OF_MANY + MADE)

# neither keeps anybody from writing; what a month holds is looked at anew at once, some ten thousand rows of it
THOSE_THAT_ARE = """
    DO $$
    DECLARE
        part regclass;
    BEGIN
        FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'audit_decision'::regclass LOOP
            EXECUTE format('ALTER TABLE %s ALTER COLUMN system_id SET (n_distinct = 1000)', part);
            EXECUTE format('ANALYZE %s (system_id)', part);
        END LOOP;
    END $$;
"""
BACK = """
    DO $$
    DECLARE
        part regclass;
    BEGIN
        FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'audit_decision'::regclass LOOP
            EXECUTE format('ALTER TABLE %s ALTER COLUMN system_id RESET (n_distinct)', part);
        END LOOP;
    END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0051_searches_of_somebody")]

    operations = [
        migrations.RunSQL(REPLACED, FUNCTION.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)),
        migrations.RunSQL(THOSE_THAT_ARE, BACK),
    ]
