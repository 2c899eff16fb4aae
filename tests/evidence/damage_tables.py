"""What somebody with all rights in the database may do to it, and what the self-audit must say: every code it has.

`{names}` are those of `tests.evidence.damaging`: ids, logs by their origin, indexes (`..._at`), sizes. In SQL they
stand as literals. Of rows, those damages that have nothing in common are done at once (`together`).
"""

from typing import Any

from django.utils import timezone

from ledger.entries import SERVER, draft_entry
from ledger.key_history import announcement
from ledger.kinds import KEY_ANNOUNCED
from ledger.models import Log
from ledger.sealing import sealing
from ledger.tlog import Signer
from tests.evidence.damaging import Damage


def copy(table: str, where: str, **changes: str) -> str:
    """SQL that inserts a row beside another one, with some columns otherwise."""
    changed = ", ".join(f"'{column}', {value}" for column, value in changes.items())
    return (
        f"INSERT INTO {table} SELECT (jsonb_populate_record(t, to_jsonb(t) || jsonb_build_object({changed}))).*"
        f" FROM {table} t WHERE {where}"
    )


def announce_a_key(cursor: Any, names: dict[str, Any]) -> None:
    """An entry that the application seals, as somebody could who has its rights: a key that no key has signed for."""
    log = Log.objects.get(pk=names["other_id"])
    stranger = Signer(log.origin, bytes([7]) * 32)
    said = announcement(stranger, signed_by=stranger)
    with sealing() as seal:
        seal.add(
            log.pk,
            draft_entry(kind=KEY_ANNOUNCED, actor=SERVER, at=timezone.now(), body=said, about_id=log.pk),
        )


def open_the_guard(cursor: Any, names: dict[str, Any]) -> None:
    cursor.execute("SELECT tgname FROM pg_trigger WHERE tgrelid = 'ledger_head'::regclass AND tgenabled = 'A' LIMIT 1")
    names["guard"] = cursor.fetchone()[0]
    cursor.execute(f"ALTER TABLE ledger_head DISABLE TRIGGER {names['guard']}")


# --- the trees: one edit has several findings, so each is done alone --------------------------------------------------
OTHERS_ENTRY = "log_id = {other_id} AND leaf_index = {theirs_at}"
TREES: dict[str, Damage] = {
    "an entry is deleted": Damage(
        f"DELETE FROM ledger_entry WHERE {OTHERS_ENTRY}",
        ("entry-missing log {other} index {theirs_at}", "decision-without-entry audit_decision {theirs}"),
        also=("rolled-back",),
    ),
    "an entry's bytes are changed": Damage(
        f"UPDATE ledger_entry SET data = data || ' '::bytea WHERE {OTHERS_ENTRY}",
        ("entry-altered log {other} index {theirs_at}",),
    ),
    "an entry's bytes are no text any more": Damage(
        f"UPDATE ledger_entry SET data = set_byte(data, 20, 255) WHERE {OTHERS_ENTRY}",
        ("entry-altered log {other} index {theirs_at}",),
        alone=True,
    ),
    "an entry's bytes are deeper than anything is read": Damage(
        f"UPDATE ledger_entry SET data = convert_to(repeat('[', 60000), 'UTF8') WHERE {OTHERS_ENTRY}",
        ("entry-altered log {other} index {theirs_at}",),
        alone=True,
    ),
    "an entry is called something else": Damage(
        f"UPDATE ledger_entry SET kind = 'decision.looked' WHERE {OTHERS_ENTRY}",
        ("entry-mislabelled log {other} index {theirs_at}", "decision-without-entry audit_decision {theirs}"),
    ),
    "the newest head is deleted": Damage(
        "DELETE FROM ledger_head WHERE log_id = {other_id} AND tree_size = {other_size}",
        ("entry-beyond-head log {other}", "rolled-back log {other} {other_size} signed"),
        also=("checkpoint-altered",),
    ),
    "all heads are deleted": Damage(
        "DELETE FROM ledger_head WHERE log_id = {other_id}",
        ("head-missing log {other}", "rolled-back log {other}"),
        also=("checkpoint-altered",),
    ),
    "a head is changed": Damage(
        "UPDATE ledger_head SET frontier = sha256(frontier) WHERE log_id = {other_id} AND tree_size = {other_size}",
        ("head-altered log {other} size {other_size}",),
    ),
    "a tile is deleted": Damage(
        "DELETE FROM ledger_tile WHERE log_id = {log_id} AND level = 0 AND index = 0",
        ("tile-missing log {log} 0/0",),
        also=("rolled-back",),
    ),
    "a tile is changed": Damage(
        "UPDATE ledger_tile SET data = set_byte(data, 0, get_byte(data, 0) # 1)"
        " WHERE log_id = {log_id} AND level = 0 AND index = 0",
        ("tile-altered log {log} 0/0",),
        also=("rolled-back",),
    ),
    "a tile of a tree that never was": Damage(
        copy("ledger_tile", "t.log_id = {log_id} AND level = 0 AND index = 0", index="5"),
        ("tile-beyond-head log {log} 0/5",),
    ),
    "this host forgets a log": Damage(
        "SELECT 1",
        ("head-store-missing log {other}",),
        heads="DELETE FROM heads WHERE hex(log_id) = upper('{other_hex}')",
    ),
    "more was signed than is there": Damage(
        "SELECT 1",
        ("rolled-back log {other} 40 signed {other_size} there",),
        heads="UPDATE heads SET tree_size = 40 WHERE hex(log_id) = upper('{other_hex}')",
    ),
    "a log's row is deleted": Damage(
        "DELETE FROM ledger_log WHERE id = {other_id}",
        (
            "log-missing log {registry} ledger_log {other_id} AI system other-limits",
            "log-missing ledger_log {other_id} AI system other-limits {other_size} entries signed",
        ),
    ),
    "a log is given another origin": Damage(
        "UPDATE ledger_log SET origin = 'elsewhere' WHERE id = {other_id}",
        ("log-altered log elsewhere ledger_log {other_id}",),
        also=("checkpoint-altered", "key-unsigned"),
    ),
    "a hidden log": Damage(
        copy("ledger_log", "t.id = {other_id}", id="{forged0}", origin="'hidden'", sequence="7"),
        ("log-unannounced log hidden ledger_log {forged0}", "log-altered log hidden ledger_log {forged0}"),
    ),
    "a key of somebody's own": Damage("SELECT 1", ("key-unsigned log {other} index {other_size}",), by=announce_a_key),
    "a trigger is disabled": Damage("SELECT 1", ("guard-open ledger_head {guard}",), by=open_the_guard),
}

# --- rows: each by what an entry says of it ---------------------------------------------------------------------------
ROWS: dict[str, Damage] = {
    "a log is closed by nobody": Damage(
        "INSERT INTO ledger_logclosure (log_id, tree_size, root_hash, entry_id)"
        " SELECT {other_id}, {other_size}, '', {theirs}",
        ("log-closure-unsealed log {other} ledger_logclosure",),
        alone=True,  # of a closed log less is asked
    ),
    "a closure is taken away": Damage(
        "DELETE FROM ledger_logclosure WHERE log_id = {closed_id}",
        ("log-closure-missing log {closed} ledger_logclosure",),
        also=("contradicted",),
    ),
    "a closure with another tree": Damage(
        "UPDATE ledger_logclosure SET root_hash = sha256(root_hash) WHERE log_id = {closed_id}",
        ("log-closure-altered log {closed} ledger_logclosure size {closed_size}",),
    ),
    "a decision is deleted": Damage(
        "DELETE FROM audit_decision WHERE id = {decision0}",
        (
            "decision-missing log {log} index {at0} audit_decision {decision0}",
            "payload-without-decision audit_payload {decision0}",
        ),
    ),
    "a decision that nobody sealed": Damage(
        copy("audit_decision", "t.id = {decision1}", id="{forged1}"),
        ("decision-without-entry audit_decision {forged1}",),
    ),
    "a decision is changed": Damage(
        "UPDATE audit_decision SET outcome = 'otherwise' WHERE id = {decision1}",
        ("decision-altered log {log} index {at1} audit_decision {decision1} outcome",),
    ),
    "a payload is deleted": Damage(
        "DELETE FROM audit_payload WHERE id = {decision2}",
        ("payload-missing log {log} index {at2} audit_payload {decision2}",),
    ),
    "a payload of no decision": Damage(
        copy("audit_payload", "t.id = {decision3}", id="{forged2}"),
        ("payload-without-decision audit_payload {forged2}",),
    ),
    "a payload is changed": Damage(
        "UPDATE audit_payload SET output = input WHERE id = {decision3}",
        ("payload-altered log {log} index {at3} audit_payload {decision3} output",),
    ),
    "a payload is found by another input": Damage(
        "UPDATE audit_payload SET input_digest = input_digest + 1 WHERE id = {decision4}",
        ("payload-misled log {log} index {at4} audit_payload {decision4}",),
    ),
    "a payload is emptied": Damage(
        "UPDATE audit_payload SET (secret, input, output, explanation, context, refs, subject, label_terms,"
        " input_digest) = (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) WHERE id = {theirs}",
        ("payload-gone log {other} index {theirs_at} audit_payload {theirs}",),
    ),
    "a review is deleted": Damage(
        "DELETE FROM overrides_review WHERE id = {review}",
        ("review-missing log {review_log} index {review_at} overrides_review {review}",),
    ),
    "a review lets through": Damage(
        "UPDATE overrides_review SET on_timeout = 'allow' WHERE id = {review}",
        ("review-altered log {review_log} index {review_at} overrides_review {review}",),
    ),
    "a decision is taken out of a case": Damage(
        "DELETE FROM audit_casedecision WHERE decision_id = {attached}",
        ("case-miscounted audit_casedecision {attachment}", "case-mistallied audit_casetally {case}"),
    ),
    "a decision in a case is of another time": Damage(
        "UPDATE audit_casedecision SET recorded_at = recorded_at + interval '1 day' WHERE decision_id = {attached}",
        ("case-decision-altered audit_casedecision {attached}",),
    ),
    "a case counts otherwise": Damage(
        "UPDATE audit_casetally SET count = count + 1 WHERE case_id = {case}",
        ("case-mistallied audit_casetally {case}",),
    ),
    "an AI system waits for an authority": Damage(
        "INSERT INTO governance_uninformedincident (incident_id, system_id, since) SELECT {forged3}, {system}, now()",
        ("incident-misnoted governance_uninformedincident {forged3}",),
    ),
    "a change of a switch is deleted": Damage(
        "DELETE FROM overrides_switchchange WHERE id = {change}",
        (
            "change-missing log {confirmed_log} index {changed_at} overrides_switchchange {change}",
            "change-missing log {confirmed_log} index {confirmed_at} overrides_switchchange {change}",
        ),
    ),
    "a change of a switch is changed": Damage(
        "UPDATE overrides_switchchange SET reason_code = 'otherwise' WHERE id = {change}",
        ("change-altered log {confirmed_log} index {changed_at} overrides_switchchange {change}",),
    ),
    "a confirmation is made up": Damage(
        "UPDATE overrides_switchchange SET confirmed_count = confirmed_count + 1 WHERE id = {change}",
        (
            "change-altered log {confirmed_log} index {confirmed_at} overrides_switchchange {change}",
            "change-altered overrides_switchchange {change}",
        ),
    ),
    "a change of a switch that never was": Damage(
        copy("overrides_switchchange", "t.id = {change}", id="{forged4}", number="number + 1000"),
        ("change-without-entry overrides_switchchange {forged4}",),
    ),
    "a recovery is deleted": Damage(
        "DELETE FROM overrides_controlrecovery WHERE id = {recovery}",
        ("recovery-missing log {recovery_log} index {recovery_at} overrides_controlrecovery {recovery}",),
    ),
    "a recovery is changed": Damage(
        "UPDATE overrides_controlrecovery SET cause = 'memory' WHERE id = {recovery}",
        ("recovery-altered log {recovery_log} index {recovery_at} overrides_controlrecovery {recovery}",),
    ),
    "a recovery that never was": Damage(
        copy("overrides_controlrecovery", "t.id = {recovery}", id="{forged5}"),
        ("recovery-without-entry overrides_controlrecovery {forged5}",),
    ),
    "an app's secret is replaced": Damage(
        "UPDATE governance_totpfactor SET sealed_secret = sha256(sealed_secret) WHERE id = {app}",
        ("credential-altered governance_totpfactor {app} sealed_secret",),
    ),
    "a governed row is deleted": Damage(
        "DELETE FROM governance_servicekey WHERE id = {key}",
        ("row-missing log {key_log} index {key_at} governance_servicekey {key}",),
    ),
    "a governed row is changed": Damage(
        "UPDATE governance_servicekey SET environment = 'elsewhere' WHERE id = {key}",
        ("row-altered log {key_log} index {key_at} governance_servicekey {key}",),
    ),
    "a governed row that never was": Damage(
        copy("governance_servicekey", "t.id = {key}", id="{forged6}", key_id="'forged'"),
        ("row-without-history governance_servicekey {forged6}",),
    ),
    "a history is deleted": Damage(
        "DELETE FROM governance_historicalservicekey WHERE id = {key}",
        (
            "history-missing log {key_log} index {key_at} governance_servicekey {key}",
            "row-without-history governance_servicekey {key}",
        ),
    ),
    "a history is changed": Damage(
        "UPDATE governance_historicalservicekey SET environment = 'elsewhere' WHERE id = {key}",
        (
            "history-altered log {key_log} index {key_at} governance_servicekey {key}",
            "row-altered log {key_log} index {key_at} governance_servicekey {key}",
        ),
    ),
    "a history that never was": Damage(
        copy("governance_historicalservicekey", "t.id = {key}", history_id="{forged7}", revision="2"),
        ("history-without-entry governance_historicalservicekey {forged7}",),
    ),
    "a reason is deleted": Damage(
        "DELETE FROM ledger_particulars WHERE row_id = {search}",
        ("particulars-missing log {search_log} index {search_at} ledger_particulars {search}",),
    ),
    "a reason is changed": Damage(
        "UPDATE ledger_particulars SET data = data || ' '::bytea WHERE row_id = {search}",
        ("particulars-altered log {search_log} index {search_at} ledger_particulars {search}",),
    ),
    "a reason is emptied": Damage(
        "UPDATE ledger_particulars SET (secret, data) = (NULL, NULL) WHERE row_id = {search}",
        ("particulars-gone log {search_log} index {search_at} ledger_particulars {search}",),
    ),
    "a reason of nothing": Damage(
        copy("ledger_particulars", "t.row_id = {search}", id="{forged8}", row_id="{forged8}", part="'reason'"),
        ("particulars-loose ledger_particulars {forged8}",),
    ),
    "an erasure that nobody sealed": Damage(
        "INSERT INTO ledger_erasure (id, row_id, entry_id, transaction) VALUES ({forged9}, {forged9}, {decision5}, 0)",
        ("erasure-unsealed ledger_erasure {forged9}",),
    ),
    "what is to be erased is taken away": Damage(
        "DELETE FROM audit_erasuretarget WHERE request_id = {asked}",
        ("erasure-altered audit_erasuretarget {asked}",),
    ),
    "a restriction is taken away": Damage(
        "DELETE FROM audit_restriction WHERE request_id = {restricting}",
        ("restriction-altered audit_restriction {restricting}",),
    ),
    "a receipt is changed": Damage(
        "UPDATE evidence_signeddocument SET note = replace(note, 'took: ', 'left: ') WHERE id = {document}",
        ("document-altered evidence_signeddocument {document}",),
    ),
    "a recorded checkpoint is deleted": Damage(
        "DELETE FROM ledger_checkpoint WHERE id = {recorded}",
        ("checkpoint-missing log {registry} index {recorded_at} ledger_checkpoint {recorded}",),
    ),
    "a checkpoint is changed": Damage(
        "UPDATE ledger_checkpoint SET note = replace(note, '1', '2') WHERE id = {recorded}",
        ("checkpoint-altered log {recorded_log} ledger_checkpoint {recorded}",),
    ),
    "a checkpoint that was never recorded": Damage(
        copy("ledger_checkpoint", "t.id = {recorded}", id="{forged10}"),
        ("checkpoint-without-entry ledger_checkpoint {forged10}",),
    ),
    "a quarantined record is deleted": Damage(
        "DELETE FROM intake_quarantinedrecord WHERE id = {quarantined}",
        ("quarantine-missing log {quarantined_log} index {quarantined_at} intake_quarantinedrecord {quarantined}",),
    ),
    "a quarantined record is changed": Damage(
        "UPDATE intake_quarantinedrecord SET environment = 'elsewhere' WHERE id = {quarantined}",
        ("quarantine-altered log {quarantined_log} index {quarantined_at} intake_quarantinedrecord {quarantined}",),
    ),
    "a quarantined record is emptied": Damage(
        "UPDATE intake_quarantinedrecord SET (secret, original, problems) = (NULL, NULL, NULL)"
        " WHERE id = {quarantined}",
        ("quarantine-gone log {quarantined_log} index {quarantined_at} intake_quarantinedrecord {quarantined}",),
    ),
    "a receipt of a quarantined record is deleted": Damage(
        "DELETE FROM intake_quarantinereceipt WHERE record_id = {quarantined}",
        (
            "quarantine-miscounted log {quarantined_log} index {quarantined_at} intake_quarantinereceipt",
            "quarantine-unsealed intake_quarantinedrecord {quarantined}",
        ),
    ),
    "somebody outside is said to hold something": Damage(
        copy("ledger_contradiction", "t.id = {contradiction}", id="{forged11}", log_id="{other_id}"),
        ("contradicted log {other}",),
    ),
    "what a witness holds is made away with": Damage(
        "DELETE FROM ledger_contradiction WHERE id = {contradiction}",
        ("contradiction-missing log {registry} index {contradicted_at} ledger_contradiction {contradiction}",),
    ),
    "what a witness holds is made less": Damage(
        "UPDATE ledger_contradiction SET tree_size = 1 WHERE id = {contradiction}",
        ("contradiction-altered log {registry} index {contradicted_at} ledger_contradiction {contradiction}",),
    ),
    "a cosignature is given another witness": Damage(
        "UPDATE evidence_cosignature SET vkey = 'w+00000000+x' WHERE id = {cosignature}",
        ("cosignature-altered evidence_cosignature {cosignature}",),
    ),
    "a time-stamp is spoilt": Damage(
        "UPDATE evidence_timestamp SET token ="
        " set_byte(token, length(token) - 3, get_byte(token, length(token) - 3) # 1) WHERE id = {stamp}",
        ("timestamp-altered evidence_timestamp {stamp}",),
    ),
    "a time-stamp is of another time": Damage(
        "UPDATE evidence_timestamp SET stamped_at = stamped_at - interval '1 year' WHERE id = {stamp}",
        ("timestamp-altered evidence_timestamp {stamp}",),
    ),
}
