"""Cases: what each attachment and detachment stands for is what its sealed row counts, and was there to take.

The tallies that pages show are counted again: they are derived, and nobody looks at the decisions behind them. So is
what the register knows of serious incidents: it keeps AI systems from being changed.
"""

from collections.abc import Iterator

from psycopg import sql

from evidence.verification.findings import Finding
from evidence.verification.walks import Slice, Walk, rows_of

CASES_AT_ONCE = 10
"""Of up to some ten thousand decisions each."""


def walks() -> list[Walk]:
    """Each act by the rows it stands for, and each row by what it repeats."""
    return [
        Walk("case-attachments", "audit_caseattachment", "id", _miscounted),
        Walk("case-decisions", "audit_casedecision", "decision_id", _altered),
        Walk("case-detachments", "audit_casedetachment", "decision_id", _never_attached),
        Walk("case-tallies", "audit_case", "id", _mistallied, at_once=CASES_AT_ONCE),
        Walk("incidents-uninformed", "audit_incident", "id", _misnoted),
        Walk("uninformed-incidents", "governance_uninformedincident", "incident_id", _of_no_incident),
    ]


def _miscounted(part: Slice) -> Iterator[Finding]:
    query = sql.SQL(
        """SELECT a.id, a.act FROM audit_caseattachment a LEFT JOIN LATERAL (
            SELECT count(*),
                encode(sha256(string_agg(uuid_send(r.decision_id), ''::bytea ORDER BY r.decision_id)), 'hex')
            FROM (SELECT decision_id FROM audit_casedecision WHERE attachment_id = a.id AND a.act = 'attached'
                UNION ALL
                SELECT decision_id FROM audit_casedetachment WHERE attachment_id = a.id AND a.act = 'detached') r
        ) found (count, digest) ON true
        WHERE {} AND (found.count, found.digest) IS DISTINCT FROM (a.count::bigint, a.digest::text) LIMIT 100"""
    )
    for row_id, act in rows_of(query.format(part.holds("a", "id"))):
        table = "audit_casedecision" if act == "attached" else "audit_casedetachment"
        yield Finding("case-miscounted", table=table, row=str(row_id))


def _altered(part: Slice) -> Iterator[Finding]:
    query = sql.SQL(
        """SELECT c.decision_id FROM audit_casedecision c JOIN audit_caseattachment a ON a.id = c.attachment_id
        LEFT JOIN audit_decision d ON d.id = c.decision_id
        WHERE {} AND ((c.case_id, c.system_id, c.recorded_at) IS DISTINCT FROM (a.case_id, d.system_id, d.recorded_at)
            OR a.act <> 'attached' OR NOT c.system_id = ANY(a.system_ids)) LIMIT 100"""
    )
    for (decision_id,) in rows_of(query.format(part.holds("c", "decision_id"))):
        yield Finding("case-decision-altered", table="audit_casedecision", row=str(decision_id))


def _never_attached(part: Slice) -> Iterator[Finding]:
    query = sql.SQL(
        """SELECT g.decision_id FROM audit_casedetachment g JOIN audit_caseattachment a ON a.id = g.attachment_id
        LEFT JOIN audit_casedecision c ON c.attachment_id = g.attached_by_id AND c.decision_id = g.decision_id
        WHERE {} AND (c.case_id IS DISTINCT FROM a.case_id OR a.act <> 'detached') LIMIT 100"""
    )
    for (decision_id,) in rows_of(query.format(part.holds("g", "decision_id"))):
        yield Finding("case-decision-altered", table="audit_casedetachment", row=str(decision_id))


def _mistallied(part: Slice) -> Iterator[Finding]:
    query = sql.SQL(
        """WITH counted AS (
            SELECT c.case_id, d.system_id, d.model_version, d.outcome, d.accountable_id, d.accountable_accepted,
                count(*) AS count
            FROM audit_casedecision c JOIN audit_decision d ON d.id = c.decision_id
            WHERE {} AND NOT EXISTS (SELECT FROM audit_casedetachment g
                WHERE g.attached_by_id = c.attachment_id AND g.decision_id = c.decision_id)
            GROUP BY 1, 2, 3, 4, 5, 6
        ), shown AS (
            SELECT t.case_id, t.system_id, t.model_version, t.outcome, t.accountable_id, t.is_accepted, t.count::bigint
            FROM audit_casetally t WHERE {} AND t.count > 0
        )
        SELECT DISTINCT case_id FROM (
            (SELECT * FROM counted EXCEPT SELECT * FROM shown)
            UNION ALL (SELECT * FROM shown EXCEPT SELECT * FROM counted)
        ) differing LIMIT 100"""
    )
    for (case_id,) in rows_of(query.format(part.holds("c", "case_id"), part.holds("t", "case_id"))):
        yield Finding("case-mistallied", table="audit_casetally", row=str(case_id))


def _misnoted(part: Slice) -> Iterator[Finding]:
    query = sql.SQL(
        """WITH waiting AS (
            SELECT i.id AS incident_id, unnest(c.system_ids) AS system_id
            FROM audit_incident i JOIN audit_case c ON c.id = i.case_id
            WHERE {} AND c.status <> 'closed' AND i.authority_informed_at IS NULL
                AND NOT EXISTS (SELECT FROM audit_incidentreport r WHERE r.incident_id = i.id)
        ), noted AS (
            SELECT u.incident_id, u.system_id FROM governance_uninformedincident u
            WHERE {} AND EXISTS (SELECT FROM audit_incident i WHERE i.id = u.incident_id)
        )
        SELECT DISTINCT incident_id FROM (
            (SELECT * FROM waiting EXCEPT SELECT * FROM noted)
            UNION ALL (SELECT * FROM noted EXCEPT SELECT * FROM waiting)
        ) differing LIMIT 100"""
    )
    for (incident_id,) in rows_of(query.format(part.holds("i", "id"), part.holds("u", "incident_id"))):
        yield Finding("incident-misnoted", table="governance_uninformedincident", row=str(incident_id))


def _of_no_incident(part: Slice) -> Iterator[Finding]:
    query = sql.SQL(
        "SELECT DISTINCT u.incident_id FROM governance_uninformedincident u WHERE {}"
        " AND NOT EXISTS (SELECT FROM audit_incident i WHERE i.id = u.incident_id) LIMIT 100"
    )
    for (incident_id,) in rows_of(query.format(part.holds("u", "incident_id"))):
        yield Finding("incident-misnoted", table="governance_uninformedincident", row=str(incident_id))
