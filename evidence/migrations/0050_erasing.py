"""Functions by which alone something is erased: each looks for itself at holds, floors and what two people agreed to.

The role `app` has no right to change what is erasable, so whoever has its password, or slips a statement into it,
erases nothing that two people did not agree to, nothing within a floor, and nothing under a legal hold. What they
agreed to, what floors hold and which holds are lifted is read from sealed entries, never from a row alone: a row can be
changed. What `app` may do is seal: whoever does that as `app` can forge what two people say, and leaves the forged
entries in the log for ever (docs/what-is-proven.md).
"""

from django.db import migrations

PLAIN = "SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC'"
DEFINER = f"SECURITY DEFINER {PLAIN}"

# What is sealed about a row: the newest entry of a kind, as JSON. One says nothing whose bytes were changed, that says
# itself to be something else or about something else, or that no head of its log covers.
SAID = """
    CREATE FUNCTION evidence_entry(about uuid, entry_kind text) RETURNS TABLE (log_id uuid, said jsonb)
    LANGUAGE sql STABLE @plain AS $$
        SELECT e.log_id, e.said FROM (
            SELECT e.id, e.log_id, e.leaf_index, convert_from(e.data, 'UTF8')::jsonb AS said FROM ledger_entry e
            WHERE e.about_id = about AND e.kind = entry_kind AND e.leaf_hash = sha256('\\x00'::bytea || e.data) OFFSET 0
        ) e
        WHERE e.said->>'id' = e.id::text AND e.said->>'kind' = entry_kind AND e.said->'body'->>'about' = about::text
            AND EXISTS (SELECT FROM ledger_head h WHERE h.log_id = e.log_id AND h.tree_size > e.leaf_index)
        ORDER BY e.id DESC LIMIT 1
    $$;

    CREATE FUNCTION evidence_said(about uuid, entry_kind text) RETURNS jsonb LANGUAGE sql STABLE @plain AS $$
        SELECT e.said FROM evidence_entry(about, entry_kind) e
    $$;

    CREATE FUNCTION evidence_two_people(one jsonb, other jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE @plain AS $$
        SELECT coalesce(one->'actor'->>'type' = 'person' AND other->'actor'->>'type' = 'person'
            AND one->'actor'->>'id' <> other->'actor'->>'id', false)
    $$;

    CREATE FUNCTION evidence_refuse(why text) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'erasure is refused: %', why USING ERRCODE = 'insufficient_privilege';
    END $$;

    -- An older snapshot sees no hold, no stop and no agreement that came after it began, whatever is locked.
    CREATE FUNCTION evidence_require_read_committed() RETURNS void LANGUAGE plpgsql @plain AS $$
    BEGIN
        IF current_setting('transaction_isolation') <> 'read committed' THEN
            PERFORM evidence_refuse('in READ COMMITTED alone everything is seen that counts');
        END IF;
    END $$;
"""

# What the text of a row belongs to: its kind of data, since when it is kept, what it is about.
KEPT = """
    CREATE FUNCTION evidence_left_at(somebody uuid) RETURNS timestamptz LANGUAGE sql STABLE @plain AS $$
        SELECT min(h.history_date) FROM governance_historicalperson h
        JOIN governance_person p ON p.id = h.id AND NOT p.is_active
        WHERE h.id = somebody AND NOT h.is_active AND h.revision >
            coalesce((SELECT max(b.revision) FROM governance_historicalperson b WHERE b.id = somebody AND b.is_active), 0)
    $$;

    -- What is written into a row anew is kept from then on.
    CREATE FUNCTION evidence_written(row_id uuid, at timestamptz) RETURNS timestamptz LANGUAGE sql STABLE @plain AS $$
        SELECT greatest(at, (SELECT max(v.created_at) FROM ledger_particulars v WHERE v.row_id = $1))
    $$;

    -- The decision that a record of quarantine became.
    CREATE FUNCTION evidence_replayed_as(record uuid) RETURNS uuid LANGUAGE sql STABLE @plain AS $$
        SELECT coalesce((SELECT c.decision_id FROM intake_quarantinecase c WHERE c.record_id = record),
            (SELECT d.id FROM audit_decision d WHERE d.id = record))
    $$;

    -- The other way round: what is left in quarantine of these decisions.
    CREATE FUNCTION evidence_records_of(ids uuid[]) RETURNS TABLE (record_id uuid, decision_id uuid)
    LANGUAGE sql STABLE @plain AS $$
        SELECT q.id, q.id FROM intake_quarantinedrecord q WHERE q.id = ANY(ids) AND q.secret IS NOT NULL
        UNION SELECT q.id, c.decision_id FROM intake_quarantinecase c JOIN intake_quarantinedrecord q
            ON q.id = c.record_id AND q.secret IS NOT NULL WHERE c.decision_id = ANY(ids)
    $$;

    CREATE FUNCTION evidence_kept(row_ids uuid[]) RETURNS TABLE
        (row_id uuid, kind text, system_id uuid, since timestamptz, decision_id uuid, case_id uuid, person_id uuid)
    LANGUAGE sql STABLE @plain AS $$
        SELECT o.id, 'people_said', o.system_id, evidence_written(o.id, o.created_at), o.decision_id, NULL::uuid, NULL::uuid
            FROM overrides_override o WHERE o.id = ANY(row_ids)
        UNION ALL SELECT o.id, 'people_said', o.system_id, evidence_written(o.id, o.created_at), o.decision_id, NULL, NULL
            FROM overrides_reportedoverride o WHERE o.id = ANY(row_ids)
        UNION ALL SELECT o.id, 'people_said', o.system_id, evidence_written(o.id, o.created_at), o.decision_id, NULL, NULL
            FROM overrides_effect o WHERE o.id = ANY(row_ids)
        UNION ALL SELECT o.id, 'people_said', o.system_id, evidence_written(o.id, o.created_at), o.decision_id, NULL, NULL
            FROM overrides_appeal o WHERE o.id = ANY(row_ids)
        UNION ALL SELECT o.id, 'people_said', o.system_id, evidence_written(o.id, o.created_at), o.decision_id, NULL, NULL
            FROM monitoring_outcome o WHERE o.id = ANY(row_ids)
        UNION ALL SELECT o.id, 'people_said', r.system_id, evidence_written(o.id, o.created_at), r.decision_id, NULL, NULL
            FROM overrides_reviewassignment o JOIN overrides_review r ON r.id = o.review_id WHERE o.id = ANY(row_ids)
        UNION ALL SELECT o.id, 'letters', o.system_id, evidence_written(o.id, o.issued_at), o.decision_id, NULL, NULL
            FROM evidence_explanationletter o WHERE o.id = ANY(row_ids)
        UNION ALL SELECT o.id, 'quarantine', q.system_id, q.received_at, evidence_replayed_as(q.id), NULL, NULL
            FROM intake_quarantinecase o JOIN intake_quarantinedrecord q ON q.id = o.record_id WHERE o.id = ANY(row_ids)
        UNION ALL SELECT q.id, 'quarantine', q.system_id, q.received_at, evidence_replayed_as(q.id), NULL, NULL
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

    -- Whose words these are: the AI system's in whose log they were first sealed; NULL: the organisation's.
    CREATE FUNCTION evidence_systems_of(row_ids uuid[]) RETURNS TABLE (row_id uuid, system_id uuid)
    LANGUAGE sql STABLE @definer AS $$
        SELECT r.id, CASE WHEN k.row_id IS NOT NULL THEN k.system_id ELSE (
            SELECT l.system_id FROM ledger_entry e JOIN ledger_log l ON l.id = e.log_id
            WHERE e.about_id = r.id ORDER BY e.id LIMIT 1) END
        FROM (SELECT DISTINCT unnest(row_ids) AS id) r LEFT JOIN evidence_kept(row_ids) k ON k.row_id = r.id
            AND k.kind IN ('people_said', 'letters', 'quarantine')
    $$;
"""

FLOORS = """
    -- What two people put in force for a place last, as their entry says: the class, its floor, its ceiling.
    CREATE FUNCTION evidence_rule(data_kind text, of_system uuid) RETURNS jsonb LANGUAGE sql STABLE @plain AS $$
        SELECT approved.said->'body' FROM (
            SELECT DISTINCT h.id FROM audit_historicalretentionrule h
            WHERE h.kind = data_kind AND h.system_id IS NOT DISTINCT FROM of_system
        ) r, LATERAL evidence_entry(r.id, 'retention_rule.approved') approved, ledger_log l
        WHERE l.id = approved.log_id AND l.system_id IS NOT DISTINCT FROM of_system
            AND approved.said->'body'->>'data' = data_kind
            AND evidence_two_people(approved.said, evidence_said(r.id, 'retention_rule.requested'))
        ORDER BY approved.said->>'id' DESC LIMIT 1
    $$;

    CREATE FUNCTION evidence_floor_days(data_kind text, of_system uuid) RETURNS int LANGUAGE sql STABLE @plain AS $$
        SELECT coalesce((evidence_rule(data_kind, of_system)->>'floor_days')::int,
            CASE WHEN data_kind IN ('quarantine', 'cases') THEN 0 ELSE 190 END)
    $$;

    -- After how many days a record of quarantine may go by itself; NULL: never. Less than 30 takes two people.
    CREATE FUNCTION evidence_quarantine_days(of_system uuid) RETURNS int LANGUAGE sql STABLE @plain AS $$
        SELECT CASE WHEN rule IS NULL THEN 30 ELSE (rule->>'ceiling_days')::int END
        FROM (SELECT evidence_rule('quarantine', of_system) AS rule) r
    $$;

    -- Names are needed as long as anything they answered for, or wrote, must be kept.
    CREATE FUNCTION evidence_staff_floor_ends(somebody uuid) RETURNS timestamptz LANGUAGE sql STABLE @definer AS $$
        SELECT evidence_left_at(somebody) + make_interval(days => greatest(
            evidence_floor_days('staff', NULL), evidence_floor_days('cases', NULL), evidence_floor_days('searches', NULL),
            (SELECT max(evidence_floor_days(kinds.name, s.id)) FROM governance_aisystem s,
                (VALUES ('payloads'), ('people_said'), ('letters'), ('quarantine')) kinds (name))))
    $$;

    -- The latest floor that holds for a decision: its payload's, what people wrote about it, letters, its record's.
    CREATE FUNCTION evidence_floor_ends(ids uuid[]) RETURNS TABLE (decision_id uuid, ends_at timestamptz)
    LANGUAGE sql STABLE @definer AS $$
        WITH floors AS MATERIALIZED (
            SELECT s.system_id, evidence_floor_days('payloads', s.system_id) AS payloads,
                evidence_floor_days('people_said', s.system_id) AS people_said,
                evidence_floor_days('letters', s.system_id) AS letters
            FROM (SELECT DISTINCT d.system_id FROM audit_decision d WHERE d.id = ANY(ids)) s),
        records AS MATERIALIZED (
            SELECT r.decision_id, max(q.received_at + make_interval(days => evidence_floor_days('quarantine', q.system_id)))
                AS ends_at FROM evidence_records_of(ids) r JOIN intake_quarantinedrecord q ON q.id = r.record_id GROUP BY 1)
        SELECT d.id, greatest(
            d.recorded_at + make_interval(days => f.payloads),
            (SELECT max(evidence_written(said.id, said.created_at)) FROM (
                SELECT o.id, o.created_at FROM overrides_override o WHERE o.decision_id = d.id
                UNION ALL SELECT o.id, o.created_at FROM overrides_reportedoverride o WHERE o.decision_id = d.id
                UNION ALL SELECT o.id, o.created_at FROM overrides_effect o WHERE o.decision_id = d.id
                UNION ALL SELECT o.id, o.created_at FROM overrides_appeal o WHERE o.decision_id = d.id
                UNION ALL SELECT o.id, o.created_at FROM monitoring_outcome o WHERE o.decision_id = d.id
                UNION ALL SELECT o.id, o.created_at FROM overrides_reviewassignment o
                    JOIN overrides_review r ON r.id = o.review_id WHERE r.decision_id = d.id
            ) said) + make_interval(days => f.people_said),
            (SELECT max(evidence_written(l.id, l.issued_at)) FROM evidence_explanationletter l WHERE l.decision_id = d.id)
                + make_interval(days => f.letters),
            r.ends_at)
        FROM audit_decision d JOIN floors f ON f.system_id = d.system_id LEFT JOIN records r ON r.decision_id = d.id
        WHERE d.id = ANY(ids)
    $$;
"""

HOLDS = """
    -- Nobody places a hold, or puts a decision into a held case, while something is being erased: who came first counts.
    CREATE FUNCTION evidence_lock_holds() RETURNS void LANGUAGE plpgsql @definer AS $$
    BEGIN
        PERFORM evidence_require_read_committed();
        LOCK TABLE audit_legalhold, audit_casedecision IN SHARE ROW EXCLUSIVE MODE;
    END $$;

    -- The holds in force, each with all that it ever covered: one is lifted by the entries of two people alone.
    CREATE FUNCTION evidence_holds() RETURNS TABLE (case_id uuid, system_id uuid, since timestamptz, until timestamptz)
    LANGUAGE sql STABLE @plain AS $$
        SELECT h.case_id, h.system_id, h.since, h.until FROM (
            SELECT id, case_id, system_id, since, until FROM audit_legalhold
            UNION SELECT id, case_id, system_id, since, until FROM audit_historicallegalhold
        ) h WHERE NOT EXISTS (
            SELECT FROM (SELECT evidence_said(h.id, 'hold.lifted') AS lifted,
                evidence_said(h.id, 'hold.lift_requested') AS asked) said
            JOIN audit_legalhold now ON now.id = h.id AND now.status = 'lifted'
            WHERE evidence_two_people(said.lifted, said.asked) AND said.asked->>'id' < said.lifted->>'id'
                AND NOT EXISTS (SELECT FROM ledger_entry e WHERE e.about_id = h.id AND e.kind = 'hold.lift_refused'
                    AND e.id > (said.asked->>'id')::uuid))
    $$;

    CREATE FUNCTION evidence_held(ids uuid[]) RETURNS SETOF uuid LANGUAGE sql STABLE @definer AS $$
        WITH holds AS MATERIALIZED (SELECT * FROM evidence_holds())
        SELECT c.decision_id FROM audit_casedecision c JOIN holds h ON h.case_id = c.case_id WHERE c.decision_id = ANY(ids)
        UNION SELECT d.id FROM audit_decision d JOIN holds h ON h.system_id = d.system_id
            AND h.since <= d.recorded_at AND h.until > d.recorded_at WHERE d.id = ANY(ids)
        -- what it was made of is part of it
        UNION SELECT r.decision_id FROM evidence_records_of(ids) r JOIN intake_quarantinedrecord q ON q.id = r.record_id
            JOIN holds h ON h.system_id = q.system_id AND h.since <= q.received_at AND h.until > q.received_at
    $$;

    CREATE FUNCTION evidence_held_texts(row_ids uuid[]) RETURNS SETOF uuid LANGUAGE sql STABLE @definer AS $$
        WITH holds AS MATERIALIZED (SELECT * FROM evidence_holds()),
            kept AS MATERIALIZED (SELECT * FROM evidence_kept(row_ids)),
            held AS MATERIALIZED (SELECT evidence_held(
                (SELECT array_agg(DISTINCT k.decision_id) FROM kept k WHERE k.decision_id IS NOT NULL)) AS id)
        SELECT k.row_id FROM kept k
        WHERE EXISTS (SELECT FROM holds h WHERE h.case_id = k.case_id)
            OR EXISTS (SELECT FROM holds h WHERE k.kind = 'quarantine' AND h.system_id = k.system_id
                AND h.since <= k.since AND h.until > k.since)
            OR k.decision_id IN (SELECT id FROM held)
    $$;

    -- Whether a hold covers something that somebody answered for, or wrote: then their name is part of the evidence.
    CREATE FUNCTION evidence_staff_held(somebody uuid) RETURNS boolean LANGUAGE sql STABLE @definer AS $$
        WITH holds AS MATERIALIZED (SELECT * FROM evidence_holds()),
            theirs AS MATERIALIZED (SELECT a.system_id FROM governance_assignment a
                WHERE a.person_id = somebody AND a.role = 'accountable' AND a.system_id IS NOT NULL),
            written AS MATERIALIZED (
                SELECT o.decision_id FROM overrides_override o WHERE somebody IN (o.person_id, o.second_person_id)
                UNION SELECT r.decision_id FROM overrides_reviewassignment o JOIN overrides_review r ON r.id = o.review_id
                    WHERE o.person_id = somebody
                UNION SELECT o.decision_id FROM overrides_appeal o WHERE somebody IN (o.opened_by_id, o.decided_by_id)
                UNION SELECT o.decision_id FROM monitoring_outcome o WHERE o.person_id = somebody
                UNION SELECT o.decision_id FROM evidence_explanationletter o
                    WHERE somebody IN (o.issued_by_id, o.withdrawn_by_id))
        SELECT EXISTS (SELECT FROM holds h WHERE h.system_id IN (SELECT t.system_id FROM theirs t)
                OR EXISTS (SELECT FROM audit_casedecision d WHERE d.case_id = h.case_id
                    AND d.system_id IN (SELECT t.system_id FROM theirs t))
                OR EXISTS (SELECT FROM audit_case c WHERE c.id = h.case_id AND somebody IN (c.opened_by_id, c.lead_id))
                OR EXISTS (SELECT FROM audit_historicalcase c WHERE c.id = h.case_id
                    AND somebody IN (c.lead_id, c.history_user_id))
                OR EXISTS (SELECT FROM audit_historicalcasenote n WHERE n.case_id = h.case_id AND n.history_user_id = somebody)
                OR EXISTS (SELECT FROM audit_historicalfinding n WHERE n.case_id = h.case_id AND n.history_user_id = somebody)
                OR EXISTS (SELECT FROM audit_historicalcorrectiveaction n WHERE n.case_id = h.case_id
                    AND n.history_user_id = somebody)
                OR EXISTS (SELECT FROM audit_historicalcaseattachment n WHERE n.case_id = h.case_id
                    AND n.history_user_id = somebody)
                OR EXISTS (SELECT FROM audit_historicalincident n WHERE n.case_id = h.case_id
                    AND n.history_user_id = somebody))
            OR EXISTS (SELECT FROM evidence_held((SELECT array_agg(w.decision_id) FROM written w)))
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
    DECLARE
        was uuid := CASE WHEN TG_OP <> 'INSERT' THEN OLD.request_id END;
        is_now uuid := CASE WHEN TG_OP <> 'DELETE' THEN NEW.request_id END;
    BEGIN
        IF current_setting('transaction_isolation') <> 'read committed' THEN
            RAISE EXCEPTION '% on % is refused but in READ COMMITTED', TG_OP, TG_TABLE_NAME
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF EXISTS (SELECT FROM public.audit_erasurewarrant w WHERE w.request_id IN (was, is_now)) THEN
            RAISE EXCEPTION '% on % is refused: two people have agreed to it as it is', TG_OP, TG_TABLE_NAME
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF TG_OP = 'DELETE' THEN
            RETURN OLD;
        END IF;
        RETURN NEW;
    END $$;

    -- The words of an AI system go by its warrant, those of none by the organisation's; of staff one is for all of them.
    CREATE FUNCTION evidence_open_warrant(of_consent uuid) RETURNS void LANGUAGE plpgsql @definer AS $$
    DECLARE
        c audit_erasureconsent;
        r audit_erasurerequest;
        said jsonb;
        asked jsonb;
        decisions text;
        texts text;
    BEGIN
        PERFORM evidence_require_read_committed();
        LOCK TABLE audit_erasuretarget, audit_erasurefind IN SHARE ROW EXCLUSIVE MODE;
        SELECT * INTO c FROM audit_erasureconsent WHERE id = of_consent FOR UPDATE;
        IF c.id IS NULL OR c.status <> 'approved' THEN
            PERFORM evidence_refuse('nobody agreed to it');
        END IF;
        IF EXISTS (SELECT FROM audit_erasurewarrant WHERE consent_id = of_consent) THEN
            RETURN;
        END IF;
        SELECT * INTO r FROM audit_erasurerequest WHERE id = c.request_id;
        said := evidence_said(of_consent, 'erasure.approved');
        asked := evidence_said(c.request_id, 'erasure.requested');
        IF NOT evidence_two_people(said, asked) OR said->'actor'->>'id' IS DISTINCT FROM c.decided_by_id::text
            OR asked->'actor'->>'id' IS DISTINCT FROM c.asked_by_id::text
        THEN
            PERFORM evidence_refuse('no sealed entry says that two people agreed to it');
        END IF;
        SELECT encode(sha256(coalesce(string_agg(uuid_send(t.decision_id), ''::bytea ORDER BY t.decision_id), '')), 'hex')
            INTO decisions FROM audit_erasuretarget t JOIN audit_decision d ON d.id = t.decision_id
            WHERE t.request_id = c.request_id AND d.system_id = c.system_id;
        SELECT encode(sha256(coalesce(string_agg(uuid_send(f.item_id), ''::bytea ORDER BY f.item_id), '')), 'hex')
            INTO texts FROM audit_erasurefind f WHERE f.request_id = c.request_id AND f.is_chosen
                AND (r.kind = 'person' OR f.system_id IS NOT DISTINCT FROM c.system_id);
        IF (said->'body'->>'decisions_digest', said->'body'->>'texts_digest', said->'body'->>'request',
                said->'body'->>'erases', said->'body'->>'person')
            IS DISTINCT FROM (decisions, texts, r.id::text, r.kind::text, r.person_id::text)
        THEN
            PERFORM evidence_refuse('this is not what two people agreed to');
        END IF;
        INSERT INTO audit_erasurewarrant (consent_id, request_id, system_id, agreed_at, opened_at)
            VALUES (c.id, c.request_id, c.system_id, (said->>'at')::timestamptz, clock_timestamp());
    END $$;

    -- What two people agreed to and nobody stopped, took back or refused since, as entries say.
    CREATE FUNCTION evidence_warrants(of_request uuid) RETURNS TABLE
        (system_id uuid, person_id uuid, agreed_at timestamptz) LANGUAGE sql STABLE @plain AS $$
        SELECT w.system_id, (said->'body'->>'person')::uuid, w.agreed_at FROM audit_erasurewarrant w
            JOIN audit_erasureconsent c ON c.id = w.consent_id AND c.status = 'approved',
            LATERAL evidence_said(w.consent_id, 'erasure.approved') AS said
        WHERE w.request_id = of_request
            AND NOT EXISTS (SELECT FROM ledger_entry e WHERE e.about_id = w.consent_id
                AND e.kind IN ('erasure.refused', 'erasure.withdrawn'))
            AND NOT EXISTS (SELECT FROM ledger_entry e WHERE e.about_id = of_request
                AND e.kind IN ('erasure.held', 'erasure.refused', 'erasure.withdrawn') AND e.id > (said->>'id')::uuid)
    $$;

    -- Whether a request may erase now: agreed to for at least a day, not stopped, its time has come.
    CREATE FUNCTION evidence_require_request(warrant uuid) RETURNS void LANGUAGE plpgsql @plain AS $$
    DECLARE announced jsonb := evidence_said(warrant, 'erasure.announced');
    BEGIN
        IF NOT EXISTS (SELECT FROM audit_erasurerequest r
            WHERE r.id = warrant AND r.status = 'running' AND r.runs_at <= clock_timestamp())
        THEN
            PERFORM evidence_refuse('its time has not come, or it was stopped');
        END IF;
        IF NOT EXISTS (SELECT FROM evidence_warrants(warrant)) OR EXISTS (SELECT FROM evidence_warrants(warrant) w
                WHERE w.agreed_at > clock_timestamp() - interval '24 hours')
        THEN
            PERFORM evidence_refuse('two people have not agreed to it a day ago, or it was stopped since');
        END IF;
        IF announced IS NULL OR (announced->'body'->>'runs_at')::timestamptz > clock_timestamp() THEN
            PERFORM evidence_refuse('it was announced for later');
        END IF;
    END $$;

    -- What a purge takes, as its sealed entry announced it at least a day before.
    CREATE FUNCTION evidence_purge_parts(warrant uuid) RETURNS TABLE (kind text, system_id uuid, before timestamptz)
    LANGUAGE plpgsql STABLE @plain AS $$
    DECLARE said jsonb := evidence_said(warrant, 'retention.announced');
    BEGIN
        IF said IS NULL OR (said->'body'->>'runs_at')::timestamptz > clock_timestamp()
            OR (said->>'at')::timestamptz > clock_timestamp() - interval '24 hours'
            OR NOT EXISTS (SELECT FROM audit_purge p WHERE p.id = warrant AND p.status = 'running')
            OR EXISTS (SELECT FROM ledger_entry e WHERE e.about_id = warrant AND e.kind = 'retention.held')
        THEN
            PERFORM evidence_refuse('it was not announced, its time has not come, or it was stopped');
        END IF;
        -- of places only where the class with a ceiling that it was announced by is still the one that two people chose
        RETURN QUERY SELECT part->>'kind', (part->>'system')::uuid, (part->>'before')::timestamptz
            FROM jsonb_array_elements(said->'body'->'parts') part
            JOIN audit_purge p ON p.id = warrant AND NOT p.stopped ? coalesce(part->>'system', ''),
                LATERAL evidence_rule(part->>'kind', (part->>'system')::uuid) AS rule
            WHERE rule->>'class' = part->>'class' AND rule->>'ceiling_days' IS NOT NULL;
    END $$;

    CREATE FUNCTION evidence_is_purge(warrant uuid) RETURNS boolean LANGUAGE sql STABLE @plain AS $$
        SELECT EXISTS (SELECT FROM audit_purge WHERE id = warrant)
    $$;

    -- Of these decisions those that a request may erase now: all that hangs on them.
    CREATE FUNCTION evidence_free_targets(warrant uuid, ids uuid[]) RETURNS SETOF uuid LANGUAGE sql STABLE @plain AS $$
        SELECT t.decision_id FROM audit_erasuretarget t
            JOIN audit_decision d ON d.id = t.decision_id
            JOIN evidence_warrants(warrant) w ON w.system_id = d.system_id
            JOIN evidence_floor_ends(ids) f ON f.decision_id = t.decision_id AND f.ends_at <= clock_timestamp()
        WHERE t.request_id = warrant AND t.decision_id = ANY(ids)
        EXCEPT SELECT evidence_held(ids)
    $$;

    -- Whether two people agreed, for whom these words belong to, that a find goes.
    CREATE FUNCTION evidence_agreed_finds(warrant uuid, items uuid[]) RETURNS TABLE (item_id uuid, row_id uuid)
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

    -- Of these versions those that a request may erase because their words were found: never a name of the register.
    CREATE FUNCTION evidence_free_finds(warrant uuid, items uuid[], row_ids uuid[]) RETURNS SETOF uuid
    LANGUAGE sql STABLE @plain AS $$
        SELECT f.item_id FROM evidence_agreed_finds(warrant, items) f
        WHERE f.row_id = ANY(row_ids)
            AND f.row_id NOT IN (SELECT evidence_held_texts(row_ids))
            AND f.row_id NOT IN (SELECT evidence_texts_within_floor(row_ids, clock_timestamp()))
            AND f.row_id NOT IN (SELECT k.row_id FROM evidence_kept(row_ids) k WHERE k.kind = 'staff')
    $$;
"""

ERASERS = """
    -- Ids of erasures are in the order of time, as all ids are.
    CREATE FUNCTION evidence_permit(ids uuid[], entries uuid[]) RETURNS void LANGUAGE sql @plain AS $$
        INSERT INTO ledger_erasure (id, row_id, entry_id, transaction)
        SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0')
            || '7' || substr(r.hex, 14, 3) || substr(r.hex, 17))::uuid, g.row_id, g.entry_id, 0
        FROM unnest(ids, entries) AS g (row_id, entry_id),
            LATERAL (SELECT replace(gen_random_uuid()::text, '-', '') AS hex WHERE g.row_id IS NOT NULL) r
    $$;

    CREATE FUNCTION evidence_require_pairs(ids uuid[], entries uuid[]) RETURNS void LANGUAGE plpgsql @plain AS $$
    BEGIN
        PERFORM evidence_require_read_committed();
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
                OR k.person_id IN (SELECT w.person_id FROM evidence_warrants(warrant) w
                    WHERE evidence_staff_floor_ends(w.person_id) <= clock_timestamp()
                        AND NOT evidence_staff_held(w.person_id))
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

    -- Without a warrant: what is past its time in quarantine, by its class or, where there is none, a month old.
    CREATE FUNCTION evidence_erase_quarantined(warrant uuid, ids uuid[], entries uuid[]) RETURNS int
    LANGUAGE plpgsql @definer AS $$
    DECLARE
        became uuid[];
        free int;
        erased int;
    BEGIN
        PERFORM evidence_require_pairs(ids, entries);
        PERFORM evidence_lock_holds();
        IF warrant IS NOT NULL THEN
            PERFORM evidence_require_request(warrant);
            SELECT array_agg(evidence_replayed_as(id)) INTO became FROM unnest(ids) AS id;
        END IF;
        SELECT count(*) INTO free FROM intake_quarantinedrecord q
        WHERE q.id = ANY(ids)
            AND q.id NOT IN (SELECT evidence_held_texts(ids))
            AND q.id NOT IN (SELECT evidence_texts_within_floor(ids, clock_timestamp()))
            AND (warrant IS NULL AND q.received_at
                    + make_interval(days => evidence_quarantine_days(q.system_id)) <= clock_timestamp()
                OR evidence_replayed_as(q.id) IN (SELECT evidence_free_targets(warrant, became))
                OR q.id IN (SELECT f.item_id FROM evidence_agreed_finds(warrant, ids) f));
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
    "evidence_entry(uuid, text)",
    "evidence_said(uuid, text)",
    "evidence_two_people(jsonb, jsonb)",
    "evidence_refuse(text)",
    "evidence_require_read_committed()",
    "evidence_left_at(uuid)",
    "evidence_written(uuid, timestamptz)",
    "evidence_replayed_as(uuid)",
    "evidence_records_of(uuid[])",
    "evidence_kept(uuid[])",
    "evidence_systems_of(uuid[])",
    "evidence_rule(text, uuid)",
    "evidence_floor_days(text, uuid)",
    "evidence_quarantine_days(uuid)",
    "evidence_staff_floor_ends(uuid)",
    "evidence_floor_ends(uuid[])",
    "evidence_lock_holds()",
    "evidence_holds()",
    "evidence_held(uuid[])",
    "evidence_held_texts(uuid[])",
    "evidence_staff_held(uuid)",
    "evidence_texts_within_floor(uuid[], timestamptz)",
    "evidence_in_process(uuid[])",
    "evidence_open_warrant(uuid)",
    "evidence_warrants(uuid)",
    "evidence_require_request(uuid)",
    "evidence_purge_parts(uuid)",
    "evidence_is_purge(uuid)",
    "evidence_free_targets(uuid, uuid[])",
    "evidence_agreed_finds(uuid, uuid[])",
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
    CREATE INDEX intake_quarantinecase_decision ON intake_quarantinecase (decision_id) WHERE decision_id IS NOT NULL;
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
    "django_session": "session_data session_key",
    "evidence_custodyrequest": "answer reason",
    "evidence_explanationletter": "addressee check_key text",
    "evidence_export": "answer reason subject",
    "evidence_letterdraft": "addressee facts text",
    "governance_accountabilitynote": "text",
    "governance_aisystem": "intended_purpose name provider safe_state shutdown_contacts shutdown_steps",
    "governance_assignment": "competence duties",
    "governance_cardsave": "content",
    "governance_configurationsnapshot": "content",
    "governance_credentialchange": "email place",
    "governance_datadependency": "note",
    "governance_datasource": "description legal_basis location name provider",
    "governance_externalidentity": "subject_digest",
    "governance_failpolicyrequest": "note",
    "governance_lettertemplate": "answer contact note responsible text words",
    "governance_modelversion": "base_model name notes provider",
    "governance_passkey": "name",
    "governance_person": "email name password staff_number time_zone",
    "governance_persontoken": "name",
    "governance_serviceaccount": "description name",
    "governance_signinthrottle": "digest",
    "governance_staffsession": "session_data session_key",
    "governance_systemcard": "answer check_key content content_digest note",
    "governance_totpfactor": "sealed_secret",
    "governance_versionpromotion": "answer reason",
    "intake_quarantinecase": "corrections",
    "monitoring_outcome": "note",
    "notices_alert": "note",
    "notices_message": "address facts",
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
        ("sessions", "0001_initial"),
        ("overrides", "0037_executions"),
    ]

    operations = [
        migrations.RunSQL(
            [each.replace("@definer", DEFINER).replace("@plain", PLAIN) for each in MADE],
            reverse_sql=migrations.RunSQL.noop,
        )
    ]
