"""Functions behind the triggers that `ledger.guard` puts on tables: what is sealed stays as it was sealed."""

from django.db import migrations

REFUSE = """
    CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% on % is refused: the table is append-only', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'insufficient_privilege';
    END $$;
"""

# The one UPDATE that an erasable table allows: all erasable columns (the trigger's arguments) become NULL together, all
# others stay, and a permission for this row was written in the same transaction.
ERASE_ONLY = """
    CREATE FUNCTION ledger_erase_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF to_jsonb(NEW) - TG_ARGV IS DISTINCT FROM to_jsonb(OLD) - TG_ARGV THEN
            RAISE EXCEPTION 'UPDATE on % is refused: only erasure is allowed', TG_TABLE_NAME
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF jsonb_strip_nulls(to_jsonb(NEW)) ?| TG_ARGV THEN
            RAISE EXCEPTION 'UPDATE on % is refused: erasable columns become NULL together', TG_TABLE_NAME
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF NOT EXISTS (SELECT FROM public.ledger_erasure
                       WHERE row_id = OLD.id AND transaction = pg_current_xact_id()::text::bigint) THEN
            RAISE EXCEPTION 'UPDATE on % is refused: no erasure of this row was recorded in this transaction', TG_TABLE_NAME
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NEW;
    END $$;

    CREATE FUNCTION ledger_stamp_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.transaction := pg_current_xact_id()::text::bigint;
        RETURN NEW;
    END $$;
"""

# Old heads that nothing refers to may go: never the newest, never a young one. Only through this function, which needs
# the one exception to the DELETE trigger of ledger_head.
PRUNE_HEADS = """
    CREATE FUNCTION ledger_refuse_head() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' AND OLD.recorded_at < now() - interval '1 hour'
           AND EXISTS (SELECT FROM public.ledger_head WHERE log_id = OLD.log_id AND tree_size > OLD.tree_size)
           AND NOT EXISTS (SELECT FROM public.ledger_checkpoint WHERE log_id = OLD.log_id AND tree_size = OLD.tree_size)
        THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION '% on % is refused: the table is append-only', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'insufficient_privilege';
    END $$;

    CREATE FUNCTION ledger_prune_heads(at_most int) RETURNS int LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
        WITH newest AS (SELECT l.id, (SELECT max(tree_size) FROM ledger_head h WHERE h.log_id = l.id) AS size FROM ledger_log l),
        old AS (
            SELECT h.log_id, h.tree_size FROM newest n JOIN ledger_head h ON h.log_id = n.id AND h.tree_size < n.size
            WHERE h.recorded_at < now() - interval '1 hour'
              AND NOT EXISTS (SELECT FROM ledger_checkpoint c WHERE c.log_id = h.log_id AND c.tree_size = h.tree_size)
            LIMIT at_most
        ),
        gone AS (
            DELETE FROM ledger_head h USING old WHERE h.log_id = old.log_id AND h.tree_size = old.tree_size RETURNING 1
        )
        SELECT count(*)::int FROM gone
    $$;
    REVOKE ALL ON FUNCTION ledger_prune_heads FROM PUBLIC;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [migrations.RunSQL([REFUSE, ERASE_ONLY, PRUNE_HEADS], reverse_sql=migrations.RunSQL.noop)]
