"""What restricting texts needs: when their floors end, and that what repeats a text that goes may go with it.

A text is changed column by column, so a later version often says again what the one that was found said. Two people
agreed that those words go; the database lets a later version of the same row go with them where a column says them
again, and names somebody whom the request was sealed to be about. Nothing else of the row goes under that warrant.
"""

from django.db import migrations

PLAIN = "SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC'"

# Every function can be made anew: a reverse may have come between.
MADE = """
    -- Of the rows whose texts a floor keeps; NULL: an open case is not old, so nobody knows the end.
    CREATE OR REPLACE FUNCTION evidence_text_floor_ends(row_ids uuid[]) RETURNS TABLE (row_id uuid, ends_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER @plain AS $$
        SELECT k.row_id, k.since + make_interval(days => f.days) FROM evidence_kept(row_ids) k,
            LATERAL (SELECT evidence_floor_days(k.kind, k.system_id) AS days) f
        WHERE k.kind <> 'staff' AND f.days > 0
    $$;
    REVOKE ALL ON FUNCTION evidence_text_floor_ends(uuid[]) FROM PUBLIC;

    -- A text without difference of case, composition and white space, as well as this version of PostgreSQL folds.
    DO $make$ BEGIN
        EXECUTE format($f$CREATE OR REPLACE FUNCTION evidence_folded(said text) RETURNS text
            LANGUAGE sql STABLE @plain AS $$ SELECT btrim(regexp_replace(%s, '\\s+', ' ', 'g')) $$ $f$,
            CASE WHEN current_setting('server_version_num')::int >= 180000
                    THEN 'casefold(normalize(said, NFC) COLLATE "pg_unicode_fast")'
                WHEN current_setting('server_version_num')::int >= 170000
                    THEN 'lower(normalize(said, NFC) COLLATE "pg_c_utf8")'
                ELSE 'lower(normalize(said, NFC))' END);
    END $make$;
    REVOKE ALL ON FUNCTION evidence_folded(text) FROM PUBLIC;

    -- What names whom a request is about, folded: as it stood when it was asked for, before anybody agreed. What the
    -- row says now counts for nothing.
    CREATE OR REPLACE FUNCTION evidence_names_sought(warrant uuid) RETURNS text[] LANGUAGE sql STABLE @plain AS $$
        SELECT array_agg(DISTINCT evidence_folded(name)) FROM evidence_said(warrant, 'erasure.requested') AS said
            JOIN audit_historicalerasurerequest h ON h.history_id = (said->>'id')::uuid AND h.id = warrant
            JOIN ledger_particulars p ON p.id = h.particulars_id AND p.row_id = warrant AND p.data IS NOT NULL,
            LATERAL (SELECT convert_from(p.data, 'UTF8')::jsonb AS words OFFSET 0) s,
            LATERAL (SELECT s.words->>'subject' AS name
                UNION ALL SELECT jsonb_array_elements_text(coalesce(s.words->'identifiers', '[]'))) n
        WHERE length(btrim(name)) >= 3
            AND (said->>'at')::timestamptz <= (SELECT min(w.agreed_at) FROM evidence_warrants(warrant) w)
    $$;
    REVOKE ALL ON FUNCTION evidence_names_sought(uuid) FROM PUBLIC;

    -- Whether a column says the same in both, and one of its texts holds one of these names.
    CREATE OR REPLACE FUNCTION evidence_repeats(later ledger_particulars, earlier ledger_particulars, names text[])
    RETURNS boolean LANGUAGE sql STABLE @plain AS $$
        SELECT CASE WHEN later.part = 'particulars' AND earlier.part = 'particulars' AND later.row_id = earlier.row_id
                AND later.id > earlier.id AND later.data IS NOT NULL AND earlier.data IS NOT NULL
            THEN EXISTS (SELECT FROM jsonb_each(convert_from(later.data, 'UTF8')::jsonb) l
                JOIN jsonb_each(convert_from(earlier.data, 'UTF8')::jsonb) e ON e.key = l.key AND e.value = l.value,
                LATERAL jsonb_path_query(l.value, 'strict $.** ? (@.type() == "string")') each, unnest(names) name
                WHERE strpos(evidence_folded(each #>> '{}'), name) > 0)
            ELSE false END
    $$;
    REVOKE ALL ON FUNCTION evidence_repeats(ledger_particulars, ledger_particulars, text[]) FROM PUBLIC;

    -- Of a request the later versions that repeat one of these finds, and are no finds themselves.
    CREATE OR REPLACE FUNCTION evidence_repeating(warrant uuid, finds uuid[]) RETURNS TABLE
        (item_id uuid, row_id uuid, system_id uuid) LANGUAGE sql STABLE SECURITY DEFINER @plain AS $$
        WITH sought AS MATERIALIZED (SELECT evidence_names_sought(warrant) AS names)
        SELECT DISTINCT l.id, l.row_id, f.system_id FROM audit_erasurefind f
            JOIN ledger_particulars v ON v.id = f.item_id
            JOIN ledger_particulars l ON l.row_id = v.row_id AND l.id > v.id
            CROSS JOIN sought
        WHERE f.request_id = warrant AND f.is_chosen AND f.item_id = ANY(finds) AND sought.names IS NOT NULL
            AND NOT EXISTS (SELECT FROM audit_erasurefind o WHERE o.request_id = warrant AND o.item_id = l.id)
            AND evidence_repeats(l, v, sought.names)
    $$;
    REVOKE ALL ON FUNCTION evidence_repeating(uuid, uuid[]) FROM PUBLIC;

    -- Whether two people agreed, for whom these words belong to, that a find goes, or what a later version repeats.
    CREATE OR REPLACE FUNCTION evidence_agreed_finds(warrant uuid, items uuid[]) RETURNS TABLE (item_id uuid, row_id uuid)
    LANGUAGE sql STABLE @plain AS $$
        WITH warrants AS MATERIALIZED (SELECT * FROM evidence_warrants(warrant)),
            found AS MATERIALIZED (SELECT f.item_id, f.system_id, coalesce(v.row_id, f.item_id) AS row_id
                FROM audit_erasurefind f LEFT JOIN ledger_particulars v ON v.id = f.item_id
                WHERE f.request_id = warrant AND f.is_chosen AND f.item_id = ANY(items)
                UNION SELECT r.item_id, r.system_id, r.row_id FROM evidence_repeating(warrant, ARRAY(
                    SELECT f.item_id FROM audit_erasurefind f JOIN ledger_particulars v ON v.id = f.item_id
                    WHERE f.request_id = warrant AND f.is_chosen
                        AND v.row_id IN (SELECT l.row_id FROM ledger_particulars l WHERE l.id = ANY(items)))) r
                WHERE r.item_id = ANY(items))
        SELECT f.item_id, f.row_id FROM found f
            JOIN evidence_systems_of((SELECT array_agg(each.row_id) FROM found each)) s ON s.row_id = f.row_id
        WHERE EXISTS (SELECT FROM warrants w WHERE w.person_id IS NOT NULL
            OR w.system_id IS NOT DISTINCT FROM s.system_id AND f.system_id IS NOT DISTINCT FROM s.system_id)
    $$;
"""

# As it was before: what was found, and nothing that repeats it.
UNMADE = """
    CREATE OR REPLACE FUNCTION evidence_agreed_finds(warrant uuid, items uuid[]) RETURNS TABLE (item_id uuid, row_id uuid)
    LANGUAGE sql STABLE @plain AS $$
        WITH warrants AS MATERIALIZED (SELECT * FROM evidence_warrants(warrant)),
            found AS MATERIALIZED (SELECT f.item_id, f.system_id, coalesce(v.row_id, f.item_id) AS row_id
                FROM audit_erasurefind f LEFT JOIN ledger_particulars v ON v.id = f.item_id
                WHERE f.request_id = warrant AND f.is_chosen AND f.item_id = ANY(items))
        SELECT f.item_id, f.row_id FROM found f
            JOIN evidence_systems_of((SELECT array_agg(each.row_id) FROM found each)) s ON s.row_id = f.row_id
        WHERE EXISTS (SELECT FROM warrants w WHERE w.person_id IS NOT NULL
            OR w.system_id IS NOT DISTINCT FROM s.system_id AND f.system_id IS NOT DISTINCT FROM s.system_id)
    $$;
    DROP FUNCTION IF EXISTS evidence_repeating(uuid, uuid[]);
    DROP FUNCTION IF EXISTS evidence_repeats(ledger_particulars, ledger_particulars, text[]);
    DROP FUNCTION IF EXISTS evidence_names_sought(uuid);
    DROP FUNCTION IF EXISTS evidence_folded(text);
    DROP FUNCTION IF EXISTS evidence_text_floor_ends(uuid[]);
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0071_text_restrictions"), ("evidence", "0051_attestation")]

    operations = [migrations.RunSQL(MADE.replace("@plain", PLAIN), reverse_sql=UNMADE.replace("@plain", PLAIN))]
