"""What somebody with all rights in the database would do who has a purpose: the self-audit says what they did.

`KNOWN` are attacks that take several statements, or that belong to somebody's role. `BEYOND` are those that the
self-audit cannot see by design: docs/what-is-proven.md says so, in the words that stand with them.
"""

from tests.evidence.damage_tables import copy
from tests.evidence.damaging import Damage

IN_PLACE = "UPDATE ledger_entry SET leaf_index = 1000000 WHERE log_id = {log_id} AND leaf_index = {at0};"
TREE = ("tile-altered", "head-altered", "checkpoint-altered", "rolled-back")
"""What the tree of a log says once an entry is not where it was."""
ALL_ROWS = """
DELETE FROM audit_decision WHERE log_id = {other_id};
DELETE FROM audit_payload WHERE id IN (SELECT id FROM ledger_entry WHERE log_id = {other_id});
DELETE FROM ledger_entry WHERE log_id = {other_id};
DELETE FROM ledger_head WHERE log_id = {other_id};
DELETE FROM ledger_checkpoint WHERE log_id = {other_id};
DELETE FROM ledger_log WHERE id = {other_id}
"""
ITS_HISTORY = ";".join(
    f"DELETE FROM governance_historical{name} WHERE log_id = {{other_id}}; DELETE FROM governance_{name} WHERE {where}"
    for name, where in (("environment", "system_id = {other_system}"), ("aisystem", "id = {other_system}"))
)

KNOWN: dict[str, Damage] = {
    # --- the logs
    "two entries are swapped between two logs": Damage(
        IN_PLACE + "UPDATE ledger_entry SET log_id = {log_id}, leaf_index = {at0} WHERE log_id = {other_id} AND"
        " leaf_index = {theirs_at}; UPDATE ledger_entry SET log_id = {other_id}, leaf_index = {theirs_at}"
        " WHERE log_id = {log_id} AND leaf_index = 1000000",
        (
            "decision-altered log {log} index {at0} audit_decision {theirs} log_id leaf_index",
            "decision-altered log {other} index {theirs_at} audit_decision {decision0} log_id leaf_index",
            "decision-without-entry audit_decision {decision0}",
            "decision-without-entry audit_decision {theirs}",
            "rolled-back log {log}",
            "rolled-back log {other}",
        ),
        also=TREE,
        alone=True,
    ),
    "two payloads are swapped between two logs": Damage(
        "UPDATE audit_payload a SET (secret, input, output, refs, subject, label_terms) = (SELECT secret, input,"
        " output, refs, subject, label_terms FROM audit_payload b WHERE b.id IN ({decision0}, {theirs})"
        " AND b.id <> a.id) WHERE a.id IN ({decision0}, {theirs})",
        (
            "payload-altered log {log} index {at0} audit_payload {decision0}",
            "payload-altered log {other} index {theirs_at} audit_payload {theirs}",
        ),
    ),
    "a whole log is deleted with all its rows": Damage(
        f"{ALL_ROWS};{ITS_HISTORY}",
        (
            "log-missing log {registry} ledger_log {other_id} {other_system}",
            "log-missing ledger_log {other_id} other-limits {other_size} entries",
            "checkpoint-missing log {registry} ledger_checkpoint",
        ),
        also=("particulars-loose",),
        alone=True,
    ),
    "the registry log is cut": Damage(
        "DELETE FROM ledger_entry WHERE log_id = {registry_id} AND leaf_index >= {registry_size} - 3;"
        "DELETE FROM ledger_head WHERE log_id = {registry_id} AND tree_size > {registry_size} - 3",
        ("rolled-back log {registry} {registry_size} signed",),
        also=("entry-beyond-head", "checkpoint-without-entry", "head-missing", "history-without-entry"),
        alone=True,
    ),
    "the registry log is cut and its head kept": Damage(
        "DELETE FROM ledger_entry WHERE log_id = {registry_id} AND leaf_index >= {registry_size} - 3",
        ("entry-missing log {registry}", "rolled-back log {registry}"),
        also=("checkpoint-without-entry", "history-without-entry"),
        alone=True,
    ),
    "an entry is given the index after the last": Damage(
        "UPDATE ledger_entry SET leaf_index = {other_size} + 3 WHERE log_id = {other_id}"
        " AND leaf_index = {other_size} - 1",
        ("entry-missing log {other}", "entry-beyond-head log {other}"),
        also=("rolled-back", "decision-without-entry"),
        alone=True,
    ),
    "two entries change places": Damage(
        IN_PLACE + "UPDATE ledger_entry SET leaf_index = {at0} WHERE log_id = {log_id} AND leaf_index = {at1};"
        "UPDATE ledger_entry SET leaf_index = {at1} WHERE log_id = {log_id} AND leaf_index = 1000000",
        (
            "decision-altered log {log} index {at0} audit_decision {decision1} leaf_index",
            "decision-altered log {log} index {at1} audit_decision {decision0} leaf_index",
            "tile-altered log {log} 0/0",
            "rolled-back log {log}",
        ),
        also=(*TREE, "decision-without-entry"),
        alone=True,
    ),
    "an entry is dated back": Damage(
        "UPDATE ledger_entry SET data = regexp_replace(convert_from(data, 'UTF8'), '\"at\":\"20..', '\"at\":\"1999')"
        "::bytea WHERE log_id = {other_id} AND leaf_index = {theirs_at}",
        ("entry-altered log {other} index {theirs_at}",),
        alone=True,
    ),
    "an entry is dated back, and its hash with it": Damage(
        "UPDATE ledger_entry SET data = regexp_replace(convert_from(data, 'UTF8'), '\"at\":\"20..', '\"at\":\"1999')"
        "::bytea WHERE log_id = {other_id} AND leaf_index = {theirs_at};"
        "UPDATE ledger_entry SET leaf_hash = sha256('\\x00'::bytea || data)"
        " WHERE log_id = {other_id} AND leaf_index = {theirs_at}",
        (
            "decision-altered log {other} index {theirs_at} audit_decision {theirs} recorded_at",
            "head-altered log {other} size {other_size}",
            "rolled-back log {other}",
        ),
        also=TREE,
        alone=True,
    ),
    # --- what never was
    "a history and its row for what never was": Damage(
        copy(
            "governance_historicalassignment",
            "t.id = {assignment} AND t.revision = 1",
            id="{forged5}",
            history_id="{forged6}",
        )
        + ";"
        + copy("governance_assignment", "t.id = {assignment}", id="{forged5}", role="'administrator'"),
        (
            "history-without-entry governance_historicalassignment {forged6}",
            "row-without-history governance_assignment {forged5}",
        ),
    ),
    "a right that nobody gave": Damage(
        copy("governance_assignment", "t.id = {assignment}", id="{forged1}", role="'administrator'"),
        ("row-without-history governance_assignment {forged1}",),
    ),
    "a grant that nobody gave": Damage(
        copy("audit_payloadgrant", "t.id = {grant}", id="{forged2}"),
        ("row-without-history audit_payloadgrant {forged2}",),
    ),
    "a grant that lasts longer": Damage(
        "UPDATE audit_payloadgrant SET ends_at = ends_at + interval '1 year' WHERE id = {grant}",
        ("row-altered log {grant_log} index {grant_at} audit_payloadgrant {grant}",),
    ),
    "a right becomes a greater one": Damage(
        "UPDATE governance_assignment SET role = 'administrator' WHERE id = {assignment}",
        ("row-altered log {assignment_log} index {assignment_at} governance_assignment {assignment}",),
    ),
    "somebody who left is let in again": Damage(
        "UPDATE governance_person SET is_active = NOT is_active WHERE id = {person}",
        ("row-altered log {person_log} index {person_at} governance_person {person}",),
    ),
    "somebody is given another's address": Damage(
        "UPDATE governance_person SET email = 'somebody.else@example.org' WHERE id = {person}",
        ("row-altered log {person_log} index {person_at} governance_person {person}",),
    ),
    "a key may do more": Damage(
        "UPDATE governance_servicekey SET scopes = scopes || 'payloads:read'::varchar WHERE id = {key}",
        ("row-altered log {key_log} index {key_at} governance_servicekey {key}",),
    ),
    # --- holds, erasures, retention
    "a legal hold is deleted": Damage(
        "DELETE FROM audit_legalhold WHERE id = {hold}",
        ("row-missing log {hold_log} index {hold_at} audit_legalhold {hold}",),
    ),
    "a legal hold is deleted with its history": Damage(
        "DELETE FROM audit_legalhold WHERE id = {hold}; DELETE FROM audit_historicallegalhold WHERE id = {hold};"
        "DELETE FROM ledger_particulars WHERE row_id = {hold}",
        (
            "history-missing log {hold_log} index {hold_at} audit_legalhold {hold}",
            "row-missing log {hold_log} index {hold_at} audit_legalhold {hold}",
        ),
    ),
    "a legal hold is lifted": Damage(
        "UPDATE audit_legalhold SET status = 'lifted', lift_requested_by_id = placed_by_id, lift_requested_at = now(),"
        " lifted_by_id = {person}, lifted_at = now() WHERE id = {hold}",
        ("row-altered log {hold_log} index {hold_at} audit_legalhold {hold}",),
    ),
    "a legal hold is lifted, and its history says so": Damage(
        "UPDATE audit_legalhold SET status = 'lifted', lift_requested_by_id = placed_by_id, lift_requested_at = now(),"
        " lifted_by_id = {person}, lifted_at = now(), revision = revision + 1 WHERE id = {hold};"
        + copy(
            "audit_historicallegalhold",
            "t.id = {hold}",
            history_id="{forged7}",
            revision="t.revision + 1",
            status="'lifted'",
        ),
        (
            "history-without-entry audit_historicallegalhold {forged7}",
            "row-altered log {hold_log} index {hold_at} audit_legalhold {hold}",
        ),
    ),
    "another agreed to an erasure": Damage(
        "UPDATE audit_erasureconsent SET decided_by_id = {person} WHERE id = {consent}",
        ("row-altered log {consent_log} index {consent_at} audit_erasureconsent {consent}",),
    ),
    "an agreement to an erasure that nobody gave": Damage(
        copy("audit_erasureconsent", "t.id = {consent}", id="{forged3}", system_id="{forged3}"),
        ("row-without-history audit_erasureconsent {forged3}",),
    ),
    "an erasure was agreed to long ago": Damage(
        "UPDATE audit_erasurewarrant SET agreed_at = agreed_at - interval '9 days' WHERE consent_id = {warrant}",
        ("erasure-altered audit_erasurewarrant {warrant}",),
    ),
    "a warrant of no agreement": Damage(
        copy("audit_erasurewarrant", "t.consent_id = {warrant}", consent_id="{forged4}"),
        ("erasure-altered audit_erasurewarrant {forged4}",),
    ),
    "an erasure that is done is said to be undone": Damage(
        "DELETE FROM audit_erasurestep WHERE item_id = {erased}",
        ("erasure-altered audit_erasurestep {erased_request}",),
    ),
    "one erasure that is done is exchanged for another": Damage(
        copy("audit_erasurestep", "t.item_id = {erased}", item_id="{decision4}")
        + "; DELETE FROM audit_erasurestep WHERE item_id = {erased}",
        ("erasure-altered audit_erasurestep {erased_request}",),
        also=("erasure-altered",),
        alone=True,
    ),
    "an erasure is said to have taken more": Damage(
        "UPDATE audit_erasurestep SET counts = '{{\"payloads\": 900}}' WHERE item_id = {erased}",
        ("erasure-altered audit_erasurestep {erased_request}",),
        alone=True,
    ),
    "an erasure is said to be done": Damage(
        copy("audit_erasurestep", "t.item_id = {erased}", item_id="{decision4}"),
        ("erasure-altered audit_erasurestep {decision4}",),
        also=("erasure-altered",),
    ),
    "what was erased is said to be kept": Damage(
        "DELETE FROM ledger_erasure WHERE row_id = {erased}",
        ("payload-gone audit_payload {erased}",),
        also=("erasure-altered",),
    ),
    "a retention class keeps nothing": Damage(
        "UPDATE audit_retentionclass SET floor_days = 0, ceiling_days = 1 WHERE id = {class}",
        ("row-altered log {class_log} index {class_at} audit_retentionclass {class}",),
    ),
    "a retention rule was agreed to earlier": Damage(
        "UPDATE audit_retentionrule SET decided_at = decided_at - interval '1 day' WHERE id = {rule}",
        ("row-altered log {rule_log} index {rule_at} audit_retentionrule {rule}",),
    ),
    # --- exports, letters, receipts
    "an export discloses more than was agreed to": Damage(
        "UPDATE evidence_export SET parts = parts || 'refs'::varchar WHERE id = {export}",
        ("row-altered log {export_log} index {export_at} evidence_export {export}",),
    ),
    "an export that another asked for": Damage(
        "UPDATE evidence_export SET asked_by_id = {forged8} WHERE id = {export}",
        ("row-altered log {export_log} index {export_at} evidence_export {export}",),
    ),
    "a receipt is another erasure's": Damage(
        "UPDATE evidence_signeddocument SET about_id = {forged9} WHERE id = {document}",
        ("document-altered evidence_signeddocument {document}",),
    ),
    # --- what outsiders said
    "a time-stamp of another checkpoint": Damage(
        "UPDATE evidence_timestamp SET checkpoint_id = {recorded_of_other} WHERE id = {stamp}",
        ("timestamp-altered evidence_timestamp {stamp}",),
    ),
    "a witness's key is swapped": Damage(
        "UPDATE evidence_cosignature SET vkey = replace(vkey, 'made-up', 'other') WHERE id = {cosignature}",
        ("cosignature-altered evidence_cosignature {cosignature}",),
    ),
}

BEYOND: dict[str, tuple[str, str]] = {
    # the SQL, and what the page says of it
    "a time-stamp is replaced by another authority's over the same checkpoint": (
        "UPDATE evidence_timestamp SET (token, stamped_at) ="
        " (SELECT token, stamped_at FROM evidence_timestamp WHERE id = {stamp_of_another}) WHERE id = {stamp}",
        "Which authority a time-stamp is by",
    ),
    "a cosignature and a time-stamp are deleted": (
        "DELETE FROM evidence_cosignature WHERE id = {cosignature}; DELETE FROM evidence_timestamp WHERE id = {stamp}",
        "That a cosignature which is missing was never there",
    ),
    "a password is replaced": (
        "UPDATE governance_person SET password = 'x' WHERE id = {person}",
        "Who sat at the keyboard",
    ),
    "a receipt is deleted": (
        "DELETE FROM evidence_signeddocument WHERE id = {document}",
        "made anew, from what is sealed",
    ),
    "what an export in the making has planned is changed": (
        "INSERT INTO evidence_exportplace (export_id, log_id, leaf_index, is_withheld, is_asked_for)"
        " SELECT {export}, {other_id}, {theirs_at}, false, true",
        "What is being made",
    ),
    "the self-audit is told that it has been everywhere": (
        "INSERT INTO evidence_walkprogress (walk, cursor) VALUES ('decisions', 'ffffffff-ffff-ffff-ffff-ffffffffffff')",
        "How far the scheduled self-audit has come",
    ),
}
