"""What restricting texts needs: when their floors end, and that what repeats a text that goes may go with it.

A text is changed column by column, so a later version often says again what the one that was found said. Two people
agreed that those words go; the database lets a later version of the same row go with them that repeats some of them.
"""

from django.db import migrations

MADE = """
    -- Of the rows whose texts a floor keeps; NULL: an open case is not old, so nobody knows the end.
    CREATE FUNCTION evidence_text_floor_ends(row_ids uuid[]) RETURNS TABLE (row_id uuid, ends_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
        SELECT k.row_id, k.since + make_interval(days => f.days) FROM evidence_kept(row_ids) k,
            LATERAL (SELECT evidence_floor_days(k.kind, k.system_id) AS days) f
        WHERE k.kind <> 'staff' AND f.days > 0
    $$;
    REVOKE ALL ON FUNCTION evidence_text_floor_ends(uuid[]) FROM PUBLIC;

    -- Whether a column says the same in both, and says something.
    CREATE FUNCTION evidence_repeats(later ledger_particulars, earlier ledger_particulars) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
        SELECT CASE WHEN later.part = 'particulars' AND earlier.part = 'particulars' AND later.row_id = earlier.row_id
                AND later.id > earlier.id AND later.data IS NOT NULL AND earlier.data IS NOT NULL
            THEN EXISTS (SELECT FROM jsonb_each(convert_from(later.data, 'UTF8')::jsonb) l
                JOIN jsonb_each(convert_from(earlier.data, 'UTF8')::jsonb) e ON e.key = l.key AND e.value = l.value
                WHERE l.value NOT IN ('""', 'null', '[]', '{}'))
            ELSE false END
    $$;
    REVOKE ALL ON FUNCTION evidence_repeats(ledger_particulars, ledger_particulars) FROM PUBLIC;

    -- Whether two people agreed, for whom these words belong to, that a find goes, or what a later version repeats.
    CREATE OR REPLACE FUNCTION evidence_agreed_finds(warrant uuid, items uuid[]) RETURNS TABLE (item_id uuid, row_id uuid)
    LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
        WITH warrants AS MATERIALIZED (SELECT * FROM evidence_warrants(warrant)),
            found AS MATERIALIZED (SELECT f.item_id, f.system_id, coalesce(v.row_id, f.item_id) AS row_id
                FROM audit_erasurefind f LEFT JOIN ledger_particulars v ON v.id = f.item_id
                WHERE f.request_id = warrant AND f.is_chosen AND f.item_id = ANY(items)
                UNION SELECT l.id, f.system_id, l.row_id FROM ledger_particulars l
                JOIN ledger_particulars v ON v.row_id = l.row_id AND v.id < l.id
                JOIN audit_erasurefind f ON f.request_id = warrant AND f.is_chosen AND f.item_id = v.id
                WHERE l.id = ANY(items) AND evidence_repeats(l, v) AND NOT EXISTS (SELECT FROM audit_erasurefind o
                    WHERE o.request_id = warrant AND o.item_id = l.id))
        SELECT f.item_id, f.row_id FROM found f
            JOIN evidence_systems_of((SELECT array_agg(each.row_id) FROM found each)) s ON s.row_id = f.row_id
        WHERE EXISTS (SELECT FROM warrants w WHERE w.person_id IS NOT NULL
            OR w.system_id IS NOT DISTINCT FROM s.system_id AND f.system_id IS NOT DISTINCT FROM s.system_id)
    $$;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0071_text_restrictions"), ("evidence", "0051_attestation")]

    operations = [migrations.RunSQL(MADE, reverse_sql=migrations.RunSQL.noop)]
