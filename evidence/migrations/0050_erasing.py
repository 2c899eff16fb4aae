"""Functions by which alone something is erased: each looks for itself at holds, floors and what two people agreed to.

The role `app` has no right to change what is erasable, so a mistake of ours, or a statement slipped in, erases nothing
that two people did not agree to, nothing within a floor, and nothing under a legal hold. What they agreed to is read
from the sealed entry, never from a row alone. Holds and floors are rows: whoever changes those, or seals false entries,
gets past this.
"""

from django.db import migrations

HELPER = "SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC'"
DEFINER = f"SECURITY DEFINER {HELPER}"

# What is sealed about a row: the newest entry of a kind, as JSON. One whose bytes were changed says nothing.
SAID = """
    CREATE FUNCTION evidence_said(about uuid, entry_kind text) RETURNS jsonb LANGUAGE sql STABLE @helper AS $$
        SELECT convert_from(e.data, 'UTF8')::jsonb FROM ledger_entry e
        WHERE e.about_id = about AND e.kind = entry_kind AND e.leaf_hash = sha256('\\x00'::bytea || e.data)
        ORDER BY e.id DESC LIMIT 1
    $$;
"""

# What the text of a row belongs to: its kind of data, since when it is kept, what it is about.
KEPT = """
    CREATE FUNCTION evidence_left_at(somebody uuid) RETURNS timestamptz LANGUAGE sql STABLE @helper AS $$
        SELECT min(h.history_date) FROM governance_historicalperson h
        JOIN governance_person p ON p.id = h.id AND NOT p.is_active
        WHERE h.id = somebody AND NOT h.is_active AND h.revision >
            coalesce((SELECT max(b.revision) FROM governance_historicalperson b WHERE b.id = somebody AND b.is_active), 0)
    $$;

    CREATE FUNCTION evidence_kept(row_ids uuid[]) RETURNS TABLE
        (row_id uuid, kind text, system_id uuid, since timestamptz, decision_id uuid, case_id uuid, person_id uuid)
    LANGUAGE sql STABLE @helper AS $$
        SELECT o.id, 'people_said', o.system_id, o.created_at, o.decision_id, NULL::uuid, NULL::uuid
            FROM overrides_override o WHERE o.id = ANY(row_ids)
        UNION ALL SELECT o.id, 'people_said', o.system_id, o.created_at, o.decision_id, NULL, NULL
            FROM overrides_reportedoverride o WHERE o.id = ANY(row_ids)
        UNION ALL SELECT o.id, 'people_said', o.system_id, o.created_at, o.decision_id, NULL, NULL
            FROM overrides_effect o WHERE o.id = ANY(row_ids)
        UNION ALL SELECT o.id, 'people_said', o.system_id, o.created_at, o.decision_id, NULL, NULL
            FROM overrides_appeal o WHERE o.id = ANY(row_ids)
        UNION ALL SELECT o.id, 'people_said', o.system_id, o.created_at, o.decision_id, NULL, NULL
            FROM monitoring_outcome o WHERE o.id = ANY(row_ids)
        UNION ALL SELECT o.id, 'people_said', r.system_id, o.created_at, r.decision_id, NULL, NULL
            FROM overrides_reviewassignment o JOIN overrides_review r ON r.id = o.review_id WHERE o.id = ANY(row_ids)
        UNION ALL SELECT o.id, 'letters', o.system_id, o.issued_at, o.decision_id, NULL, NULL
            FROM evidence_explanationletter o WHERE o.id = ANY(row_ids)
        UNION ALL SELECT o.id, 'quarantine', q.system_id, q.received_at, NULL, NULL, NULL
            FROM intake_quarantinecase o JOIN intake_quarantinedrecord q ON q.id = o.record_id WHERE o.id = ANY(row_ids)
        UNION ALL SELECT q.id, 'quarantine', q.system_id, q.received_at, NULL, NULL, NULL
            FROM intake_quarantinedrecord q WHERE q.id = ANY(row_ids)
        UNION ALL SELECT e.id, 'searches', NULL, (convert_from(e.data, 'UTF8')::jsonb->>'at')::timestamptz, NULL, NULL, NULL
            FROM ledger_entry e WHERE e.id = ANY(row_ids) AND e.kind = 'decisions.searched'
        UNION ALL SELECT o.id, 'cases', NULL, c.closed_at, NULL, c.id, NULL FROM (
            SELECT id, id AS case_id FROM audit_case WHERE id = ANY(row_ids)
            UNION ALL SELECT id, case_id FROM audit_casenote WHERE id = ANY(row_ids)
            UNION ALL SELECT id, case_id FROM audit_finding WHERE id = ANY(row_ids)
            UNION ALL SELECT id, case_id FROM audit_correctiveaction WHERE id = ANY(row_ids)
            UNION ALL SELECT id, case_id FROM audit_caseattachment WHERE id = ANY(row_ids)
            UNION ALL SELECT id, case_id FROM audit_incident WHERE id = ANY(row_ids)
            UNION ALL SELECT id, case_id FROM audit_legalhold WHERE id = ANY(row_ids) AND case_id IS NOT NULL
            UNION ALL SELECT p.id, i.case_id FROM audit_incidentreport p JOIN audit_incident i ON i.id = p.incident_id
                WHERE p.id = ANY(row_ids)
            UNION ALL SELECT p.id, i.case_id FROM audit_incidentextension p JOIN audit_incident i ON i.id = p.incident_id
                WHERE p.id = ANY(row_ids)
            UNION ALL SELECT p.id, i.case_id FROM audit_incidentsignoff p JOIN audit_incident i ON i.id = p.incident_id
                WHERE p.id = ANY(row_ids)
            UNION ALL SELECT p.id, i.case_id FROM audit_incidentnotice p JOIN audit_incident i ON i.id = p.incident_id
                WHERE p.id = ANY(row_ids)
        ) o JOIN audit_case c ON c.id = o.case_id
        UNION ALL SELECT o.id, 'staff', NULL, evidence_left_at(o.person_id), NULL, NULL, o.person_id FROM (
            SELECT id, id AS person_id FROM governance_person WHERE id = ANY(row_ids)
            UNION ALL SELECT id, person_id FROM governance_assignment WHERE id = ANY(row_ids)
            UNION ALL SELECT id, person_id FROM governance_totpfactor WHERE id = ANY(row_ids)
            UNION ALL SELECT id, person_id FROM governance_passkey WHERE id = ANY(row_ids)
            UNION ALL SELECT id, person_id FROM governance_persontoken WHERE id = ANY(row_ids)
            UNION ALL SELECT id, person_id FROM governance_externalidentity WHERE id = ANY(row_ids)
        ) o
    $$;
"""

FLOORS = """
    CREATE FUNCTION evidence_floor_days(data_kind text, of_system uuid) RETURNS int LANGUAGE sql STABLE @helper AS $$
        SELECT coalesce(
            (SELECT c.floor_days FROM audit_retentionrule r JOIN audit_retentionclass c ON c.id = r.retention_class_id
             WHERE r.status = 'in_force' AND r.kind = data_kind AND r.system_id IS NOT DISTINCT FROM of_system),
            CASE WHEN data_kind IN ('quarantine', 'cases') THEN 0 ELSE 190 END)
    $$;

    -- Names are needed as long as anything they answered for must be kept.
    CREATE FUNCTION evidence_staff_floor_ends(somebody uuid) RETURNS timestamptz LANGUAGE sql STABLE @definer AS $$
        SELECT evidence_left_at(somebody) + make_interval(days => greatest(
            evidence_floor_days('staff', NULL),
            (SELECT max(evidence_floor_days('payloads', s.id)) FROM governance_aisystem s)))
    $$;

    -- The latest floor that holds for a decision: its payload's, what people wrote about it, letters.
    CREATE FUNCTION evidence_floor_ends(ids uuid[]) RETURNS TABLE (decision_id uuid, ends_at timestamptz)
    LANGUAGE sql STABLE @definer AS $$
        SELECT d.id, greatest(
            d.recorded_at + make_interval(days => evidence_floor_days('payloads', d.system_id)),
            (SELECT max(said.at) FROM (
                SELECT max(o.created_at) AS at FROM overrides_override o WHERE o.decision_id = d.id
                UNION ALL SELECT max(o.created_at) FROM overrides_reportedoverride o WHERE o.decision_id = d.id
                UNION ALL SELECT max(o.created_at) FROM overrides_effect o WHERE o.decision_id = d.id
                UNION ALL SELECT max(o.created_at) FROM overrides_appeal o WHERE o.decision_id = d.id
                UNION ALL SELECT max(o.created_at) FROM monitoring_outcome o WHERE o.decision_id = d.id
                UNION ALL SELECT max(o.created_at) FROM overrides_reviewassignment o
                    JOIN overrides_review r ON r.id = o.review_id WHERE r.decision_id = d.id
            ) said) + make_interval(days => evidence_floor_days('people_said', d.system_id)),
            (SELECT max(l.issued_at) FROM evidence_explanationletter l WHERE l.decision_id = d.id)
                + make_interval(days => evidence_floor_days('letters', d.system_id)))
        FROM audit_decision d WHERE d.id = ANY(ids)
    $$;
"""

HOLDS = """
    -- Nobody places a hold, or puts a decision into a held case, while something is being erased: who came first counts.
    CREATE FUNCTION evidence_lock_holds() RETURNS void LANGUAGE plpgsql @definer AS $$
    BEGIN
        LOCK TABLE audit_legalhold, audit_casedecision IN SHARE ROW EXCLUSIVE MODE;
    END $$;

    CREATE FUNCTION evidence_held(ids uuid[]) RETURNS SETOF uuid LANGUAGE sql STABLE @definer AS $$
        SELECT c.decision_id FROM audit_casedecision c
            JOIN audit_legalhold h ON h.case_id = c.case_id AND h.status <> 'lifted' WHERE c.decision_id = ANY(ids)
        UNION
        SELECT d.id FROM audit_decision d JOIN audit_legalhold h ON h.system_id = d.system_id AND h.status <> 'lifted'
            AND h.since <= d.recorded_at AND h.until > d.recorded_at WHERE d.id = ANY(ids)
    $$;

    CREATE FUNCTION evidence_held_texts(row_ids uuid[]) RETURNS SETOF uuid LANGUAGE sql STABLE @definer AS $$
        SELECT k.row_id FROM evidence_kept(row_ids) k
        WHERE EXISTS (SELECT FROM audit_legalhold h WHERE h.case_id = k.case_id AND h.status <> 'lifted')
            OR EXISTS (SELECT FROM audit_legalhold h WHERE k.kind = 'quarantine' AND h.system_id = k.system_id
                AND h.status <> 'lifted' AND h.since <= k.since AND h.until > k.since)
            OR k.decision_id IN (SELECT evidence_held(ARRAY[k.decision_id]))
    $$;

    CREATE FUNCTION evidence_texts_within_floor(row_ids uuid[], at timestamptz) RETURNS SETOF uuid
    LANGUAGE sql STABLE @definer AS $$
        SELECT k.row_id FROM evidence_kept(row_ids) k,
            LATERAL (SELECT evidence_floor_days(k.kind, k.system_id) AS days) f
        WHERE k.kind <> 'staff' AND f.days > 0
            AND (k.since IS NULL OR k.since + make_interval(days => f.days) > at)
    $$;

    -- What is still being worked on does not go by itself, however old it is.
    CREATE FUNCTION evidence_in_process(ids uuid[]) RETURNS SETOF uuid LANGUAGE sql STABLE @definer AS $$
        SELECT r.decision_id FROM overrides_review r
            WHERE r.decision_id = ANY(ids) AND r.status IN ('open', 'in_review', 'conflict')
        UNION SELECT a.decision_id FROM overrides_appeal a
            WHERE a.decision_id = ANY(ids) AND a.status IN ('open', 'overturned')
        UNION SELECT d.decision_id FROM audit_casedecision d JOIN audit_case c ON c.id = d.case_id AND c.status <> 'closed'
            WHERE d.decision_id = ANY(ids) AND NOT EXISTS (SELECT FROM audit_casedetachment g
                WHERE g.attached_by_id = d.attachment_id AND g.decision_id = d.decision_id)
    $$;
"""

# What two people agreed to is compared with what their entry says, once; from then on it cannot be changed any more.
WARRANTS = """
    CREATE FUNCTION evidence_freeze() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE of_request uuid := CASE WHEN TG_OP = 'DELETE' THEN OLD.request_id ELSE NEW.request_id END;
    BEGIN
        IF EXISTS (SELECT FROM public.audit_erasurewarrant w WHERE w.request_id = of_request) THEN
            RAISE EXCEPTION '% on % is refused: two people have agreed to it as it is', TG_OP, TG_TABLE_NAME
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF TG_OP = 'DELETE' THEN
            RETURN OLD;
        END IF;
        RETURN NEW;
    END $$;

    CREATE FUNCTION evidence_refuse(why text) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'erasure is refused: %', why USING ERRCODE = 'insufficient_privilege';
    END $$;

    CREATE FUNCTION evidence_open_warrant(of_consent uuid) RETURNS void LANGUAGE plpgsql @definer AS $$
    DECLARE
        c audit_erasureconsent;
        said jsonb;
        asked jsonb;
        decisions text;
        texts text;
    BEGIN
        SELECT * INTO c FROM audit_erasureconsent WHERE id = of_consent FOR UPDATE;
        IF c.id IS NULL OR c.status <> 'approved' THEN
            PERFORM evidence_refuse('nobody agreed to it');
        END IF;
        IF EXISTS (SELECT FROM audit_erasurewarrant WHERE consent_id = of_consent) THEN
            RETURN;
        END IF;
        said := evidence_said(of_consent, 'erasure.approved');
        asked := evidence_said(c.request_id, 'erasure.requested');
        IF said IS NULL OR asked IS NULL OR said->'actor'->>'type' <> 'person' OR asked->'actor'->>'type' <> 'person'
            OR said->'actor'->>'id' = asked->'actor'->>'id' OR said->'actor'->>'id' IS DISTINCT FROM c.decided_by_id::text
            OR asked->'actor'->>'id' IS DISTINCT FROM c.asked_by_id::text
        THEN
            PERFORM evidence_refuse('no sealed entry says that two people agreed to it');
        END IF;
        SELECT encode(sha256(coalesce(string_agg(uuid_send(t.decision_id), ''::bytea ORDER BY t.decision_id), '')), 'hex')
            INTO decisions FROM audit_erasuretarget t WHERE t.request_id = c.request_id AND t.system_id = c.system_id;
        SELECT encode(sha256(coalesce(string_agg(uuid_send(f.item_id), ''::bytea ORDER BY f.item_id), '')), 'hex')
            INTO texts FROM audit_erasurefind f WHERE f.request_id = c.request_id AND f.is_chosen;
        IF (said->'body'->>'decisions_digest', said->'body'->>'texts_digest') IS DISTINCT FROM (decisions, texts) THEN
            PERFORM evidence_refuse('this is not what two people agreed to');
        END IF;
        INSERT INTO audit_erasurewarrant (consent_id, request_id, system_id, agreed_at, opened_at)
            VALUES (c.id, c.request_id, c.system_id, (said->>'at')::timestamptz, clock_timestamp());
    END $$;

    -- Whether a request may erase now: agreed to for at least a day, not stopped, its time has come.
    CREATE FUNCTION evidence_require_request(warrant uuid) RETURNS void LANGUAGE plpgsql @helper AS $$
    BEGIN
        IF NOT EXISTS (SELECT FROM audit_erasurerequest r
            WHERE r.id = warrant AND r.status = 'running' AND r.runs_at <= clock_timestamp())
        THEN
            PERFORM evidence_refuse('its time has not come, or it was stopped');
        END IF;
        IF NOT EXISTS (SELECT FROM audit_erasurewarrant w JOIN audit_erasureconsent c ON c.id = w.consent_id
                WHERE w.request_id = warrant AND c.status = 'approved')
            OR EXISTS (SELECT FROM audit_erasurewarrant w JOIN audit_erasureconsent c ON c.id = w.consent_id
                WHERE w.request_id = warrant AND c.status = 'approved'
                AND w.agreed_at > clock_timestamp() - interval '24 hours')
        THEN
            PERFORM evidence_refuse('two people have not agreed to it a day ago');
        END IF;
    END $$;

    -- What a purge takes, as its sealed entry announced it at least a day before.
    CREATE FUNCTION evidence_purge_parts(warrant uuid) RETURNS TABLE (kind text, system_id uuid, before timestamptz)
    LANGUAGE plpgsql STABLE @helper AS $$
    DECLARE said jsonb := evidence_said(warrant, 'retention.announced');
    BEGIN
        IF said IS NULL OR (said->'body'->>'runs_at')::timestamptz > clock_timestamp()
            OR (said->>'at')::timestamptz > clock_timestamp() - interval '24 hours'
            OR NOT EXISTS (SELECT FROM audit_purge p WHERE p.id = warrant AND p.status = 'running')
        THEN
            PERFORM evidence_refuse('it was not announced, its time has not come, or it was stopped');
        END IF;
        -- of places only where two people put a class with a ceiling in force
        RETURN QUERY SELECT part->>'kind', (part->>'system')::uuid, (part->>'before')::timestamptz
            FROM jsonb_array_elements(said->'body'->'parts') part
            JOIN audit_retentionrule r ON r.status = 'in_force' AND r.kind = part->>'kind'
                AND r.system_id IS NOT DISTINCT FROM (part->>'system')::uuid
            JOIN audit_retentionclass c ON c.id = r.retention_class_id AND c.ceiling_days IS NOT NULL
            WHERE evidence_said(r.id, 'retention_rule.approved')->'actor'->>'id'
                <> evidence_said(r.id, 'retention_rule.requested')->'actor'->>'id';
    END $$;

    CREATE FUNCTION evidence_is_purge(warrant uuid) RETURNS boolean LANGUAGE sql STABLE @helper AS $$
        SELECT EXISTS (SELECT FROM audit_purge WHERE id = warrant)
    $$;

    -- Of these decisions those that a request may erase now: all that hangs on them.
    CREATE FUNCTION evidence_free_targets(warrant uuid, ids uuid[]) RETURNS SETOF uuid LANGUAGE sql STABLE @helper AS $$
        SELECT t.decision_id FROM audit_erasuretarget t
            JOIN audit_erasurewarrant w ON w.request_id = t.request_id AND w.system_id = t.system_id
            JOIN audit_erasureconsent c ON c.id = w.consent_id AND c.status = 'approved'
            JOIN evidence_floor_ends(ids) f ON f.decision_id = t.decision_id AND f.ends_at <= clock_timestamp()
        WHERE t.request_id = warrant AND t.decision_id = ANY(ids)
        EXCEPT SELECT evidence_held(ids)
    $$;

    -- Of these rows those whose texts a request may erase because their words were found: never a name of the register.
    CREATE FUNCTION evidence_free_finds(warrant uuid, items uuid[], row_ids uuid[]) RETURNS SETOF uuid
    LANGUAGE sql STABLE @helper AS $$
        SELECT f.item_id FROM audit_erasurefind f
        WHERE f.request_id = warrant AND f.is_chosen AND f.item_id = ANY(items)
            AND f.row_id NOT IN (SELECT evidence_held_texts(row_ids))
            AND f.row_id NOT IN (SELECT evidence_texts_within_floor(row_ids, clock_timestamp()))
            AND f.row_id NOT IN (SELECT k.row_id FROM evidence_kept(row_ids) k WHERE k.kind = 'staff')
    $$;
"""

ERASERS = """
    -- Ids of erasures are in the order of time, as all ids are.
    CREATE FUNCTION evidence_permit(ids uuid[], entries uuid[]) RETURNS void LANGUAGE sql @helper AS $$
        INSERT INTO ledger_erasure (id, row_id, entry_id, transaction)
        SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0')
            || '7' || substr(r.hex, 14, 3) || substr(r.hex, 17))::uuid, g.row_id, g.entry_id, 0
        FROM unnest(ids, entries) AS g (row_id, entry_id),
            LATERAL (SELECT replace(gen_random_uuid()::text, '-', '') AS hex WHERE g.row_id IS NOT NULL) r
    $$;

    CREATE FUNCTION evidence_require_pairs(ids uuid[], entries uuid[]) RETURNS void LANGUAGE plpgsql @helper AS $$
    BEGIN
        IF cardinality(ids) IS DISTINCT FROM cardinality(entries) OR array_position(entries, NULL) IS NOT NULL
            OR (SELECT count(DISTINCT each) FROM unnest(ids) AS each) IS DISTINCT FROM cardinality(ids)
        THEN
            PERFORM evidence_refuse('each row goes with one entry');
        END IF;
    END $$;

    CREATE FUNCTION evidence_erase_payloads(warrant uuid, ids uuid[], entries uuid[]) RETURNS int
    LANGUAGE plpgsql @definer AS $$
    DECLARE
        free int;
        erased int;
    BEGIN
        PERFORM evidence_require_pairs(ids, entries);
        PERFORM evidence_lock_holds();
        IF evidence_is_purge(warrant) THEN
            SELECT count(*) INTO free FROM audit_decision d JOIN evidence_purge_parts(warrant) p
                ON p.kind = 'payloads' AND p.system_id = d.system_id AND d.recorded_at < p.before
            WHERE d.id = ANY(ids) AND d.id NOT IN (SELECT evidence_held(ids))
                AND d.id NOT IN (SELECT evidence_in_process(ids)) AND clock_timestamp() >=
                    d.recorded_at + make_interval(days => evidence_floor_days('payloads', d.system_id));
        ELSE
            PERFORM evidence_require_request(warrant);
            SELECT count(*) INTO free FROM evidence_free_targets(warrant, ids);
        END IF;
        IF free IS DISTINCT FROM cardinality(ids) THEN
            PERFORM evidence_refuse('a payload is held, within its floor, or nobody agreed to it');
        END IF;
        PERFORM evidence_permit(array_agg(g.id), array_agg(g.entry)) FROM unnest(ids, entries) AS g (id, entry)
            JOIN audit_payload p ON p.id = g.id AND p.secret IS NOT NULL;
        UPDATE audit_payload SET secret = NULL, input = NULL, output = NULL, explanation = NULL, context = NULL,
            refs = NULL, subject = NULL, label_terms = NULL, input_digest = NULL
            WHERE id = ANY(ids) AND secret IS NOT NULL;
        GET DIAGNOSTICS erased = ROW_COUNT;
        RETURN erased;
    END $$;

    CREATE FUNCTION evidence_erase_texts(warrant uuid, ids uuid[], entries uuid[]) RETURNS int
    LANGUAGE plpgsql @definer AS $$
    DECLARE
        row_ids uuid[];
        decision_ids uuid[];
        free int;
        erased int;
    BEGIN
        PERFORM evidence_require_pairs(ids, entries);
        PERFORM evidence_lock_holds();
        SELECT array_agg(DISTINCT v.row_id) INTO row_ids FROM ledger_particulars v WHERE v.id = ANY(ids);
        SELECT array_agg(DISTINCT k.decision_id) INTO decision_ids FROM evidence_kept(row_ids) k
            WHERE k.decision_id IS NOT NULL;
        IF warrant IS NULL THEN  -- what was corrected in a record of quarantine that is gone
            SELECT count(*) INTO free FROM ledger_particulars v JOIN intake_quarantinecase c ON c.id = v.row_id
                JOIN intake_quarantinedrecord q ON q.id = c.record_id AND q.secret IS NULL WHERE v.id = ANY(ids);
        ELSIF evidence_is_purge(warrant) THEN
            SELECT count(*) INTO free FROM ledger_particulars v JOIN evidence_kept(row_ids) k ON k.row_id = v.row_id
                JOIN evidence_purge_parts(warrant) p ON p.kind = k.kind AND k.since < p.before
                    AND p.system_id IS NOT DISTINCT FROM (CASE WHEN k.kind IN ('people_said', 'letters') THEN k.system_id END)
            WHERE v.id = ANY(ids) AND k.kind <> 'staff' AND clock_timestamp() >=
                    k.since + make_interval(days => evidence_floor_days(k.kind, k.system_id))
                AND v.row_id NOT IN (SELECT evidence_held_texts(row_ids))
                AND (k.decision_id IS NULL OR k.decision_id NOT IN (SELECT evidence_in_process(decision_ids)));
        ELSE
            PERFORM evidence_require_request(warrant);
            SELECT count(*) INTO free FROM ledger_particulars v LEFT JOIN evidence_kept(row_ids) k ON k.row_id = v.row_id
            WHERE v.id = ANY(ids) AND (
                k.decision_id IN (SELECT evidence_free_targets(warrant, decision_ids))
                OR v.id IN (SELECT evidence_free_finds(warrant, ids, row_ids))
                OR EXISTS (SELECT FROM audit_erasurerequest r WHERE r.id = warrant AND r.kind = 'person'
                    AND r.person_id = k.person_id AND evidence_staff_floor_ends(k.person_id) <= clock_timestamp())
                OR EXISTS (SELECT FROM intake_quarantinecase c JOIN intake_quarantinedrecord q ON q.id = c.record_id
                    AND q.secret IS NULL WHERE c.id = v.row_id)
                OR v.row_id = warrant
                OR EXISTS (SELECT FROM audit_erasureconsent c WHERE c.id = v.row_id AND c.request_id = warrant));
        END IF;
        IF free IS DISTINCT FROM cardinality(ids) THEN
            PERFORM evidence_refuse('a text is held, within its floor, or nobody agreed to it');
        END IF;
        PERFORM evidence_permit(array_agg(g.id), array_agg(g.entry)) FROM unnest(ids, entries) AS g (id, entry)
            JOIN ledger_particulars v ON v.id = g.id AND v.secret IS NOT NULL;
        UPDATE ledger_particulars SET secret = NULL, data = NULL WHERE id = ANY(ids) AND secret IS NOT NULL;
        GET DIAGNOSTICS erased = ROW_COUNT;
        RETURN erased;
    END $$;

    -- Without a warrant: what is past its time in quarantine, a day old at least.
    CREATE FUNCTION evidence_erase_quarantined(warrant uuid, ids uuid[], entries uuid[]) RETURNS int
    LANGUAGE plpgsql @definer AS $$
    DECLARE
        free int;
        erased int;
    BEGIN
        PERFORM evidence_require_pairs(ids, entries);
        PERFORM evidence_lock_holds();
        IF warrant IS NOT NULL THEN
            PERFORM evidence_require_request(warrant);
        END IF;
        SELECT count(*) INTO free FROM intake_quarantinedrecord q LEFT JOIN intake_quarantinecase c ON c.record_id = q.id
        WHERE q.id = ANY(ids)
            AND NOT EXISTS (SELECT FROM audit_legalhold h WHERE h.system_id = q.system_id AND h.status <> 'lifted'
                AND h.since <= q.received_at AND h.until > q.received_at)
            AND q.received_at + make_interval(days => evidence_floor_days('quarantine', q.system_id)) <= clock_timestamp()
            AND (warrant IS NULL AND q.received_at <= clock_timestamp() - interval '1 day'
                OR coalesce(c.decision_id, q.id) IN
                    (SELECT evidence_free_targets(warrant, ARRAY[coalesce(c.decision_id, q.id)]))
                OR EXISTS (SELECT FROM audit_erasurefind f
                    WHERE f.request_id = warrant AND f.item_id = q.id AND f.is_chosen));
        IF free IS DISTINCT FROM cardinality(ids) THEN
            PERFORM evidence_refuse('a record is held, within its floor, too young, or nobody agreed to it');
        END IF;
        PERFORM evidence_permit(array_agg(g.id), array_agg(g.entry)) FROM unnest(ids, entries) AS g (id, entry)
            JOIN intake_quarantinedrecord q ON q.id = g.id AND q.secret IS NOT NULL;
        UPDATE intake_quarantinedrecord SET secret = NULL, original = NULL, problems = NULL
            WHERE id = ANY(ids) AND secret IS NOT NULL;
        GET DIAGNOSTICS erased = ROW_COUNT;
        RETURN erased;
    END $$;

    -- The planner keeps some values of each column to estimate by. What was erased is not to live on among them.
    CREATE FUNCTION evidence_forget_statistics(tables text[]) RETURNS void LANGUAGE plpgsql @definer AS $$
    DECLARE name text;
    BEGIN
        FOREACH name IN ARRAY tables LOOP
            EXECUTE format('ANALYZE public.%I', name);
        END LOOP;
    END $$;
"""

FUNCTIONS = (
    "evidence_said(uuid, text)",
    "evidence_left_at(uuid)",
    "evidence_kept(uuid[])",
    "evidence_floor_days(text, uuid)",
    "evidence_staff_floor_ends(uuid)",
    "evidence_floor_ends(uuid[])",
    "evidence_lock_holds()",
    "evidence_held(uuid[])",
    "evidence_held_texts(uuid[])",
    "evidence_texts_within_floor(uuid[], timestamptz)",
    "evidence_in_process(uuid[])",
    "evidence_refuse(text)",
    "evidence_open_warrant(uuid)",
    "evidence_require_request(uuid)",
    "evidence_purge_parts(uuid)",
    "evidence_is_purge(uuid)",
    "evidence_free_targets(uuid, uuid[])",
    "evidence_free_finds(uuid, uuid[], uuid[])",
    "evidence_permit(uuid[], uuid[])",
    "evidence_require_pairs(uuid[], uuid[])",
    "evidence_erase_payloads(uuid, uuid[], uuid[])",
    "evidence_erase_texts(uuid, uuid[], uuid[])",
    "evidence_erase_quarantined(uuid, uuid[], uuid[])",
    "evidence_forget_statistics(text[])",
)
CLOSED = "".join(f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC;\n" for name in FUNCTIONS)

# What an erasure performed is counted by its entry; and nothing is estimated by what is only ever read whole.
INDEX = """
    CREATE INDEX ledger_erasure_entry ON ledger_erasure (entry_id);
    ALTER TABLE ledger_particulars ALTER COLUMN data SET STATISTICS 0, ALTER COLUMN secret SET STATISTICS 0;
    ALTER TABLE intake_quarantinedrecord ALTER COLUMN original SET STATISTICS 0, ALTER COLUMN secret SET STATISTICS 0,
        ALTER COLUMN problems SET STATISTICS 0;
"""

# What people write is kept in no sample of the planner: an erasure would have to find it there, too.
WRITTEN = {
    "audit_case": "summary title",
    "audit_caseattachment": "question why",
    "audit_casenote": "text",
    "audit_correctiveaction": "dropped_because evidence what",
    "audit_erasureconsent": "answer",
    "audit_erasurerequest": "identifiers reason subject",
    "audit_finding": "text",
    "audit_incident": "authority aware_by contacts containment deployer harm lessons narrative oversight provider"
    " reporter representative risk_assessment similar_incidents",
    "audit_incidentextension": "why",
    "audit_incidentnotice": "text",
    "audit_incidentreport": "content receipt",
    "audit_incidentsignoff": "text",
    "audit_legalhold": "lift_reason reason",
    "audit_payloadgrant": "answer reason",
    "audit_purge": "why",
    "audit_retentionclass": "floor_source name purpose why_lower",
    "audit_retentionrule": "answer reason",
    "audit_savedfilter": "conditions name terms",
    "audit_searchrun": "question terms",
    "evidence_custodyrequest": "answer reason",
    "evidence_explanationletter": "addressee check_key text",
    "evidence_export": "answer reason subject",
    "evidence_letterdraft": "addressee facts text",
    "governance_accountabilitynote": "text",
    "governance_aisystem": "intended_purpose name provider safe_state shutdown_contacts shutdown_steps",
    "governance_assignment": "competence duties",
    "governance_cardsave": "content",
    "governance_configurationsnapshot": "content",
    "governance_datadependency": "note",
    "governance_datasource": "description legal_basis location name provider",
    "governance_externalidentity": "subject_digest",
    "governance_failpolicyrequest": "note",
    "governance_lettertemplate": "answer contact note responsible text words",
    "governance_modelversion": "base_model name notes provider",
    "governance_passkey": "name",
    "governance_person": "email name staff_number",
    "governance_persontoken": "name",
    "governance_serviceaccount": "description name",
    "governance_systemcard": "answer check_key content content_digest note",
    "governance_versionpromotion": "answer reason",
    "intake_quarantinecase": "corrections",
    "monitoring_outcome": "note",
    "notices_alert": "note",
    "notices_webhookendpoint": "name url",
    "overrides_appeal": "finding statement",
    "overrides_drill": "conclusion_note expectation",
    "overrides_drillfinding": "resolution text",
    "overrides_effect": "detail",
    "overrides_looseningrequest": "evidence_url note",
    "overrides_override": "note output",
    "overrides_parameter": "description",
    "overrides_parameterversion": "note",
    "overrides_reportedoverride": "note reviewer",
    "overrides_reviewassignment": "draft note output",
    "overrides_switch": "note",
}
UNSAMPLED = "".join(
    f"ALTER TABLE {table} {', '.join(f'ALTER COLUMN {name} SET STATISTICS 0' for name in columns.split())};\n"
    for table, columns in WRITTEN.items()
)

MADE = [SAID, KEPT, FLOORS, HOLDS, WARRANTS, ERASERS, CLOSED, INDEX, UNSAMPLED]


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0070_retention_and_erasure"),
        ("evidence", "0040_custody_requests"),
        ("governance", "0060_letter_reasons_by_outcome"),
        ("intake", "0004_expectations"),
        ("ledger", "0002_guard"),
        ("monitoring", "0001_initial"),
        ("notices", "0006_address_changed"),
        ("overrides", "0037_executions"),
    ]

    operations = [
        migrations.RunSQL(
            [each.replace("@definer", DEFINER).replace("@helper", HELPER) for each in MADE],
            reverse_sql=migrations.RunSQL.noop,
        )
    ]
