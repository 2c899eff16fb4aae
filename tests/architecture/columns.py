"""Every column of every model: personal or not, and what ends it. Held against the models by test_columns.py.

Whoever adds a column says here what it may hold about a person. What goes into an append-only table can never be taken
back, so nothing personal belongs there in clear.
"""

PLAIN = "not about a person"
PERSON = "a person's uuid: names nobody once that person's particulars are erased"
CASE = "about an unnamed person: stays, pseudonymous, when the payload is erased (docs/what-is-proven.md)"
SEALED = "a salted commitment, or a state in which what is personal is one: opens nothing without its erased secret"
PAYLOAD = "personal: all of a row's erasable columns to NULL together, under an `Erasure`"
PARTICULARS = "personal or free text: emptied in the row, its versions erased in `Particulars`"
WITH_PERSON = "personal, in no history and no log: goes with the person's erasure"
KEYED = "a keyed hash of what a caller sent: goes with the decision's erasure, or cannot be tried without the key"
CREDENTIAL = "a hash of a random secret, a public key or the name of one: tells nothing of a person"
SESSION = "who is signed in, or tried to: goes with the session, at the latest an hour after it has expired; a day"
TOLD = "personal, from where somebody changed how they sign in: deleted 30 days after they were told"
DRAFT = "free text that somebody is still writing: deleted when it is published or given up"
DRAFT_FILTER = "what somebody keeps for searching, in no history and no log: goes when they delete it, or leave"
DRAFT_SEARCH = "what somebody searches for, in no history and no log: goes a day after they last looked at it"
EMPTY = "never written: a package's own column that we leave empty"

ERASERS: dict[str, tuple[str, ...]] = {
    PAYLOAD: (
        "evidence.erasure.performing.erase_decisions",
        "evidence.erasure.performing.erase_finds",
        "evidence.services.purges.run_purges",
        "intake.services.sweeps.expire_quarantine",
    ),
    PARTICULARS: (
        "evidence.erasure.performing.erase_decisions",
        "evidence.erasure.performing.erase_finds",
        "evidence.erasure.performing.erase_person",
        "evidence.erasure.performing.erase_own_words",
        "evidence.services.purges.run_purges",
    ),
    WITH_PERSON: ("evidence.erasure.performing.erase_person", "evidence.erasure.performing.erase_decisions"),
    KEYED: ("evidence.erasure.places.forget_external_ids",),
    SESSION: (
        "governance.tasks.clear_sessions_task",
        "governance.tasks.forget_old_attempts_task",
        "governance.services.erasing.forget_person",
        "evidence.erasure.sessions.forget_in_sessions",
    ),
    TOLD: (
        "notices.services.sending.forget_old",
        "notices.credentials.tell_credential_changes",
        "governance.services.erasing.forget_person",
    ),
    DRAFT: (
        "evidence.services.letter_drafts.forget_letter_drafts",
        "evidence.erasure.performing.erase_finds",
        "evidence.erasure.performing.erase_decisions",
    ),
    DRAFT_FILTER: (
        "audit.services.saved_filters.forget_filters_of_leavers",
        "audit.services.saved_filters.forget_searches_of_nobody",
        "evidence.erasure.performing.erase_finds",
    ),
    DRAFT_SEARCH: ("audit.services.search_runs.end_left_searches", "evidence.erasure.performing.erase_finds"),
}
"""What ends each sort of personal column. tests/evidence/test_erasing_everywhere.py sees each of them gone."""

CHANGE = {  # what each history table adds to the columns of its row
    PLAIN: "reason_id log_id id created_at particulars_id revision history_id history_date history_type",
    PERSON: "history_user_id",
    SEALED: "state state_secret",
    EMPTY: "history_change_reason",
}
ROW = "id created_at particulars_id revision"  # of each governed row


def history(**columns: str) -> dict[str, str]:
    """A history table: `CHANGE` and its row's own columns. Erasable columns are not among them."""
    names = {"plain": PLAIN, "person": PERSON, "credential": CREDENTIAL, "case": CASE}
    own = {names[kind]: text for kind, text in columns.items()}
    return {kind: " ".join(filter(None, (CHANGE.get(kind), own.get(kind)))) for kind in {**CHANGE, **own}}


COLUMNS: dict[str, dict[str, str]] = {
    # --- ledger: append-only, for ever ---------------------------------------------------------------------------
    "ledger.Log": {PLAIN: "id origin kind system_id sequence predecessor_id created_at lock"},
    "ledger.Entry": {PLAIN: "log_id leaf_index id kind about_id leaf_hash", SEALED: "data"},
    "ledger.Tile": {PLAIN: "log_id level index data root"},
    "ledger.Head": {PLAIN: "log_id tree_size root_hash frontier recorded_at"},
    "ledger.LogClosure": {PLAIN: "log_id tree_size root_hash entry_id closed_at"},
    "ledger.Checkpoint": {PLAIN: "id log_id tree_size root_hash note purpose created_at"},
    "ledger.Contradiction": {PLAIN: "id log_id tree_size root_hash note witness found_size found_at"},
    "ledger.Erasure": {PLAIN: "id row_id entry_id transaction erased_at"},
    "ledger.Particulars": {PLAIN: "id row_id part created_at", PAYLOAD: "secret data"},
    # --- the record ----------------------------------------------------------------------------------------------
    "audit.Decision": {
        PLAIN: "id log_id leaf_index system_id service_account_id environment model_version model_version_id"
        " capability recorded_at ai_role phase config_digest model_digest prompt_version source_id source_seq"
        " control_epoch latency_ms assignment_id accountable_accepted occurred_assignment_id directive_action"
        " directive_reason directive_mode directive_epoch flags",
        PERSON: "accountable_id occurred_accountable_id",
        CASE: "occurred_at outcome error_type confidence score threshold adverse parent_id review_id",
    },
    "audit.DecisionTally": {PLAIN: "minute system_id outcome count adverse held"},
    "audit.CardTally": {PLAIN: "minute system_id card count outside"},
    "audit.Payload": {
        PLAIN: "id",
        PAYLOAD: "secret input output explanation context refs subject label_terms input_digest",
    },
    # --- investigations --------------------------------------------------------------------------------------------
    "audit.Case": {
        PLAIN: f"{ROW} key year number status severity origin alert_id system_ids concluded_at closed_at",
        PERSON: "opened_by_id lead_id",
        PARTICULARS: "title summary",
    },
    "audit.HistoricalCase": history(
        plain="year number status severity origin alert_id system_ids concluded_at closed_at",
        person="opened_by_id lead_id",
    ),
    "audit.CaseNote": {PLAIN: f"{ROW} key case_id", PERSON: "author_id", PARTICULARS: "text"},
    "audit.HistoricalCaseNote": history(plain="case_id", person="author_id"),
    "audit.Finding": {
        PLAIN: f"{ROW} key case_id severity root_cause replaces_id",
        PERSON: "author_id",
        PARTICULARS: "text",
    },
    "audit.HistoricalFinding": history(plain="case_id severity root_cause replaces_id", person="author_id"),
    "audit.CorrectiveAction": {
        PLAIN: f"{ROW} key case_id kind due_on done_at dropped_at",
        PERSON: "owner_id planned_by_id settled_by_id",
        PARTICULARS: "what evidence dropped_because",
    },
    "audit.HistoricalCorrectiveAction": history(
        plain="case_id kind due_on done_at dropped_at", person="owner_id planned_by_id settled_by_id"
    ),
    "audit.CaseAttachment": {
        PLAIN: f"{ROW} key case_id act by is_all count digest system_ids",
        PERSON: "person_id",
        PARTICULARS: "why question",
    },
    "audit.HistoricalCaseAttachment": history(
        plain="case_id act by is_all count digest system_ids", person="person_id"
    ),
    "audit.CaseDecision": {PLAIN: "attachment_id decision_id case_id system_id recorded_at"},
    "audit.CaseDetachment": {PLAIN: "attached_by_id decision_id attachment_id"},
    "audit.CaseTally": {
        PLAIN: "id case_id system_id model_version is_accepted count",
        PERSON: "accountable_id",
        CASE: "outcome",
    },
    "audit.Incident": {
        PLAIN: f"{ROW} case_id limbs days awareness_at due_at follow_up_due_at final_due_at breach_aware_at"
        " occurred_at detected_at causal_link causal_link_at use"
        " persons_affected member_state eu_registration_id annex_iii_point contained_at stopped_at"
        " authority_informed_at",
        PERSON: "declared_by_id",
        PARTICULARS: "narrative aware_by harm reporter provider representative deployer contacts authority oversight"
        " containment risk_assessment similar_incidents lessons",
    },
    "audit.HistoricalIncident": history(
        plain="case_id limbs days awareness_at due_at follow_up_due_at final_due_at breach_aware_at"
        " occurred_at detected_at causal_link causal_link_at use"
        " persons_affected member_state eu_registration_id annex_iii_point contained_at stopped_at"
        " authority_informed_at",
        person="declared_by_id",
    ),
    "audit.IncidentReport": {
        PLAIN: f"{ROW} key incident_id stage reported_at due_at is_late",
        PERSON: "reported_by_id",
        PARTICULARS: "receipt content",
    },
    "audit.HistoricalIncidentReport": history(
        plain="incident_id stage reported_at due_at is_late", person="reported_by_id"
    ),
    "audit.IncidentExtension": {
        PLAIN: f"{ROW} incident_id clock was_due_at due_at",
        PERSON: "by_id",
        PARTICULARS: "why",
    },
    "audit.HistoricalIncidentExtension": history(plain="incident_id clock was_due_at due_at", person="by_id"),
    "audit.IncidentSignOff": {
        PLAIN: f"{ROW} incident_id incident_revision stage capacity",
        PERSON: "person_id",
        PARTICULARS: "text",
    },
    "audit.HistoricalIncidentSignOff": history(
        plain="incident_id incident_revision stage capacity", person="person_id"
    ),
    "audit.IncidentNotice": {
        PLAIN: f"{ROW} key incident_id to told_at due_at is_late",
        PERSON: "told_by_id",
        PARTICULARS: "text",
    },
    "audit.HistoricalIncidentNotice": history(plain="incident_id to told_at due_at is_late", person="told_by_id"),
    "audit.SavedFilter": {
        PLAIN: "id system_ids shared was_of_somebody created_at updated_at",
        PERSON: "owner_id",
        DRAFT_FILTER: "name conditions terms",
    },
    "audit.SearchRun": {
        PLAIN: "id actor_type log_id since until started_at last_at entry_id hits scanned barred erased searched_to"
        " frontier cancelled_at ended_at",
        PERSON: "actor_id",
        DRAFT_SEARCH: "terms question",
    },
    "audit.SearchHit": {PLAIN: "run_id position decision_id"},
    # --- retention and erasure ----------------------------------------------------------------------------------
    "audit.RetentionClass": {
        PLAIN: f"{ROW} kind floor_days ceiling_days archived_at",
        PERSON: "made_by_id",
        PARTICULARS: "name floor_source purpose why_lower",
    },
    "audit.HistoricalRetentionClass": history(plain="kind floor_days ceiling_days archived_at", person="made_by_id"),
    "audit.RetentionRule": {
        PLAIN: f"{ROW} retention_class_id kind system_id status requested_at decided_at superseded_at",
        PERSON: "requested_by_id decided_by_id",
        PARTICULARS: "reason answer",
    },
    "audit.HistoricalRetentionRule": history(
        plain="retention_class_id kind system_id status requested_at decided_at superseded_at",
        person="requested_by_id decided_by_id",
    ),
    "audit.Purge": {
        PLAIN: f"{ROW} status announced_at runs_at parts done stopped walk held_at done_at",
        PERSON: "held_by_id",
        PARTICULARS: "why",
    },
    "audit.HistoricalPurge": history(
        plain="status announced_at runs_at parts done stopped held_at done_at", person="held_by_id"
    ),
    "audit.ErasureRequest": {
        PLAIN: f"{ROW} kind basis system_id look_into_payloads status requested_at runs_at held_at ended_at decisions"
        " decisions_digest texts texts_digest looked_at",
        PERSON: "person_id requested_by_id held_by_id",
        PARTICULARS: "subject identifiers reason",
    },
    "audit.HistoricalErasureRequest": history(
        plain="kind basis system_id look_into_payloads status requested_at runs_at held_at ended_at decisions"
        " decisions_digest texts texts_digest",
        person="person_id requested_by_id held_by_id",
    ),
    "audit.ErasureTarget": {PLAIN: "request_id decision_id system_id"},
    "audit.ErasureFind": {PLAIN: "request_id item_id place row_id is_chosen is_shown system_id"},
    "audit.ErasureScan": {PLAIN: "request_id place cursor finished_at newer walk"},
    "audit.ErasureConsent": {
        PLAIN: f"{ROW} request_id system_id status decided_at decisions decisions_digest texts_digest",
        PERSON: "asked_by_id decided_by_id",
        PARTICULARS: "answer",
    },
    "audit.HistoricalErasureConsent": history(
        plain="request_id system_id status decided_at decisions decisions_digest texts_digest",
        person="asked_by_id decided_by_id",
    ),
    "audit.ErasureWarrant": {PLAIN: "consent_id request_id system_id agreed_at opened_at"},
    "audit.Restriction": {PLAIN: "request_id decision_id entry_id"},
    "audit.TextRestriction": {PLAIN: "request_id item_id row_id entry_id"},
    "audit.ErasureStep": {PLAIN: "request_id item_id entry_id counts"},
    "audit.LegalHold": {
        PLAIN: f"{ROW} case_id system_id since until status lift_requested_at lifted_at",
        PERSON: "placed_by_id lift_requested_by_id lifted_by_id",
        PARTICULARS: "reason lift_reason",
    },
    "audit.HistoricalLegalHold": history(
        plain="case_id system_id since until status lift_requested_at lifted_at",
        person="placed_by_id lift_requested_by_id lifted_by_id",
    ),
    "audit.PayloadGrant": {
        PLAIN: f"{ROW} system_id since until ends_at status requested_at decided_at ended_at",
        PERSON: "person_id decided_by_id ended_by_id",
        PARTICULARS: "reason answer",
    },
    "audit.HistoricalPayloadGrant": history(
        plain="system_id since until ends_at status requested_at decided_at ended_at",
        person="person_id decided_by_id ended_by_id",
    ),
    # --- intake --------------------------------------------------------------------------------------------------
    "intake.ExternalId": {PLAIN: "system_id decision_id", KEYED: "digest"},
    "intake.QuarantinedRecord": {
        PLAIN: "id account_id key_row_id system_id environment problem_code is_truncated original_size received_at",
        PAYLOAD: "secret original problems",
        KEYED: "original_digest",
    },
    "intake.QuarantineCase": {
        PLAIN: f"{ROW} record_id status decision_id decided_at",
        PERSON: "requested_by_id decided_by_id",
        PARTICULARS: "corrections",
    },
    "intake.HistoricalQuarantineCase": history(
        plain="record_id status decision_id decided_at", person="requested_by_id decided_by_id"
    ),
    "intake.QuarantineArrival": {
        PLAIN: "id key_row_id record_ids refused received_at",
        SEALED: "originals problems digests",
    },
    "intake.QuarantineReceipt": {PLAIN: "record_id entry_id", SEALED: "original problems digest"},
    "intake.Source": {PLAIN: f"{ROW} account_id slug system_id expected_every_s ended_at"},
    "intake.HistoricalSource": history(plain="account_id slug system_id expected_every_s ended_at"),
    "intake.SourceState": {
        PLAIN: "source_id starts_at last_seq gaps gap_count forks judged_from last_seen_at last_heartbeat_at"
        " heartbeat_seq heartbeat_sealed_at system_id",
    },
    "intake.TailCursor": {PLAIN: "name log_id next_index"},
    "intake.ConflictCount": {PLAIN: "decision_id key_row_id hour count system_id alerted_at"},
    # --- the register --------------------------------------------------------------------------------------------
    "governance.Person": {
        PLAIN: f"{ROW} is_active",
        PARTICULARS: "name email staff_number",
        WITH_PERSON: "password last_login time_zone",
    },
    "governance.HistoricalPerson": history(plain="is_active"),
    "governance.SetupLink": {
        PLAIN: "id expires_at used_at created_at",
        PERSON: "person_id",
        CREDENTIAL: "secret_hash",
    },
    "governance.Assignment": {
        PLAIN: f"{ROW} role scope system_id model_version_id capability case_id status offered_at accepted_at"
        " declined_at ends_at delegated_from_id succeeds_id powers competence_until review_on",
        PERSON: "person_id requested_by_id approved_by_id",
        PARTICULARS: "duties competence",
    },
    "governance.HistoricalAssignment": history(
        plain="role scope system_id model_version_id capability case_id status offered_at accepted_at declined_at"
        " ends_at delegated_from_id succeeds_id powers competence_until review_on",
        person="person_id requested_by_id approved_by_id",
    ),
    "governance.AccountabilityNote": {
        PLAIN: f"{ROW} system_id assignment_id since until",
        PERSON: "written_by_id",
        PARTICULARS: "text",
    },
    "governance.HistoricalAccountabilityNote": history(
        plain="system_id assignment_id since until", person="written_by_id"
    ),
    "governance.AccountabilityGap": {PLAIN: f"{ROW} system_id opened_at closed_at last_assignment_id"},
    "governance.HistoricalAccountabilityGap": history(plain="system_id opened_at closed_at last_assignment_id"),
    "governance.AISystem": {
        PLAIN: f"{ROW} slug risk_class status max_staleness_s safe_mode fallback_kind fallback",
        PARTICULARS: "name intended_purpose provider safe_state shutdown_steps shutdown_contacts",
    },
    "governance.HistoricalAISystem": history(
        plain="slug risk_class status max_staleness_s safe_mode fallback_kind fallback"
    ),
    "governance.FailPolicyRequest": {
        PLAIN: f"{ROW} system_id max_staleness_s safe_mode against_staleness_s against_mode status requested_at"
        " expires_at decided_at",
        PERSON: "requested_by_id decided_by_id",
        PARTICULARS: "note",
    },
    "governance.HistoricalFailPolicyRequest": history(
        plain="system_id max_staleness_s safe_mode against_staleness_s against_mode status requested_at expires_at"
        " decided_at",
        person="requested_by_id decided_by_id",
    ),
    "governance.Environment": {PLAIN: f"{ROW} system_id slug ended_at"},
    "governance.HistoricalEnvironment": history(plain="system_id slug ended_at"),
    "governance.ModelVersion": {
        PLAIN: f"{ROW} system_id version model_digest configuration config_digest status",
        PARTICULARS: "name provider base_model notes",
    },
    "governance.HistoricalModelVersion": history(
        plain="system_id version model_digest configuration config_digest status"
    ),
    "governance.VersionPromotion": {
        PLAIN: f"{ROW} model_version_id status gates requested_at decided_at",
        PERSON: "written_by requested_by_id decided_by_id",
        PARTICULARS: "reason answer",
    },
    "governance.HistoricalVersionPromotion": history(
        plain="model_version_id status gates requested_at decided_at", person="written_by requested_by_id decided_by_id"
    ),
    "governance.DataSource": {
        PLAIN: f"{ROW} slug kind personal_data archived_at",
        PERSON: "owner_id",
        PARTICULARS: "name description provider location legal_basis",
    },
    "governance.HistoricalDataSource": history(plain="slug kind personal_data archived_at", person="owner_id"),
    "governance.DataDependency": {
        PLAIN: f"{ROW} model_version_id source_id use snapshot digest removed_at",
        PARTICULARS: "note",
    },
    "governance.HistoricalDataDependency": history(plain="model_version_id source_id use snapshot digest removed_at"),
    "governance.ConfigurationSnapshot": {PLAIN: f"{ROW} system_id digest size", PARTICULARS: "content"},
    "governance.HistoricalConfigurationSnapshot": history(plain="system_id digest size"),
    "governance.SystemCard": {
        PLAIN: f"{ROW} system_id number status digest begun_from submitted_at published_at superseded_at",
        PERSON: "begun_by_id drafted_by_id written_by submitted_by_id published_by_id",
        PARTICULARS: "content content_digest check_key note answer",
    },
    "governance.HistoricalSystemCard": history(
        plain="system_id number status digest begun_from submitted_at published_at superseded_at",
        person="begun_by_id drafted_by_id written_by submitted_by_id published_by_id",
    ),
    "governance.UninformedIncident": {PLAIN: "id system_id incident_id since"},
    "governance.CardSave": {PLAIN: "id card_id number saved_at", PERSON: "saved_by_id", DRAFT: "content"},
    "governance.LetterTemplate": {
        PLAIN: f"{ROW} system_id language number status contest_days reasons_most reasons_side names_staff saved_at"
        " submitted_at published_at superseded_at",
        PERSON: "saved_by_id written_by submitted_by_id published_by_id",
        PARTICULARS: "text words responsible contact note answer",
    },
    "governance.HistoricalLetterTemplate": history(
        plain="system_id language number status contest_days reasons_most reasons_side names_staff saved_at"
        " submitted_at published_at superseded_at",
        person="saved_by_id written_by submitted_by_id published_by_id",
    ),
    "governance.ServiceAccount": {
        PLAIN: f"{ROW} slug is_active",
        PERSON: "owner_id",
        PARTICULARS: "name description",
    },
    "governance.HistoricalServiceAccount": history(plain="slug is_active", person="owner_id"),
    "governance.ServiceKey": {
        PLAIN: f"{ROW} account_id environment system_ids scopes expires_at revoked_at replaced_by_id last_used_at",
        CREDENTIAL: "key_id secret_hash",
    },
    "governance.HistoricalServiceKey": history(
        plain="account_id environment system_ids scopes expires_at revoked_at replaced_by_id",
        credential="key_id secret_hash",
    ),
    "governance.KeyAct": {PLAIN: "id key_id act last_at"},
    "governance.PersonToken": {
        PLAIN: f"{ROW} proven_at expires_at revoked_at last_used_at",
        PERSON: "person_id",
        PARTICULARS: "name",
        CREDENTIAL: "token_id secret_hash",
    },
    "governance.HistoricalPersonToken": history(
        plain="proven_at expires_at revoked_at", person="person_id", credential="token_id secret_hash"
    ),
    "governance.TotpFactor": {
        PLAIN: f"{ROW} last_step last_used_at removed_at",
        PERSON: "person_id",
        WITH_PERSON: "sealed_secret",
    },
    "governance.HistoricalTotpFactor": history(plain="removed_at", person="person_id"),
    "governance.Passkey": {
        PLAIN: f"{ROW} is_synced sign_count last_used_at removed_at",
        PERSON: "person_id",
        PARTICULARS: "name",
        CREDENTIAL: "credential_id public_key",
    },
    "governance.HistoricalPasskey": history(
        plain="is_synced removed_at", person="person_id", credential="credential_id public_key"
    ),
    "governance.RecoveryCode": {PLAIN: "id used_at created_at", PERSON: "person_id", CREDENTIAL: "code_hash"},
    "governance.StaffSession": {SESSION: "session_key session_data expire_date last_seen_at person_id"},
    "governance.ExternalIdentity": {
        PLAIN: f"{ROW} issuer by_group ended_at",
        PERSON: "person_id",
        PARTICULARS: "subject_digest",
    },
    "governance.HistoricalExternalIdentity": history(plain="issuer by_group ended_at", person="person_id"),
    "governance.SignInThrottle": {
        PLAIN: "id kind failures locks last_failed_at locked_until is_told",
        SESSION: "digest",
    },
    "governance.CredentialChange": {
        PLAIN: "id what at actor_type",
        PERSON: "person_id actor_id",
        TOLD: "place email",
    },
    "governance.RegisterChange": {PLAIN: "id transaction noun row_id at"},
    # --- human control -------------------------------------------------------------------------------------------
    "overrides.UnknownFlag": {PLAIN: "id key_id flag asked first_asked_at last_asked_at"},
    "overrides.ControlClock": {PLAIN: "id generation number changed_at register_digest"},
    "overrides.Parameter": {
        PLAIN: f"{ROW} system_id environment name type minimum maximum allowed max_length unit safe_direction"
        " safe_value default retired_at",
        PARTICULARS: "description",
    },
    "overrides.HistoricalParameter": history(
        plain="system_id environment name type minimum maximum allowed max_length unit safe_direction safe_value"
        " default retired_at"
    ),
    "overrides.ParameterVersion": {
        PLAIN: f"{ROW} parameter_id number value retires status against requested_by_type requested_at"
        " request_expires_at in_force_at expires_at ended_at epoch reason_code",
        PERSON: "requested_by_id approved_by_id",
        PARTICULARS: "note",
    },
    "overrides.HistoricalParameterVersion": history(
        plain="parameter_id number value retires status against requested_by_type requested_at"
        " request_expires_at in_force_at expires_at ended_at epoch reason_code",
        person="requested_by_id approved_by_id",
    ),
    "overrides.Drill": {
        PLAIN: f"{ROW} system_id environment type status mode in_flight starts_at window_ends_at approved_at started_at"
        " former switch_id generation number requested_at expected ended_at ended_by measures conclusion concluded_at",
        PERSON: "participants planned_by_id approved_by_id started_by_id concluded_by_id",
        PARTICULARS: "expectation conclusion_note",
    },
    "overrides.HistoricalDrill": history(
        plain="system_id environment type status mode in_flight starts_at window_ends_at approved_at started_at"
        " former switch_id generation number requested_at expected ended_at ended_by measures conclusion concluded_at",
        person="participants planned_by_id approved_by_id started_by_id concluded_by_id",
    ),
    "overrides.DrillFinding": {
        PLAIN: f"{ROW} drill_id due_on closed_at",
        PERSON: "owner_id closed_by_id",
        PARTICULARS: "text resolution",
    },
    "overrides.HistoricalDrillFinding": history(plain="drill_id due_on closed_at", person="owner_id closed_by_id"),
    "overrides.DrillReading": {PLAIN: "id drill_id instance_id instance seen_at applied_at drained_at"},
    "overrides.Probe": {PLAIN: "id generation number sent_at"},
    "overrides.Switch": {
        PLAIN: f"{ROW} system_id environment model_version capability mode reason_code in_flight generation number"
        " changed_at changed_by_type source drill_id expires_at seal_pending",
        PERSON: "changed_by_id",
        PARTICULARS: "note",
    },
    "overrides.HistoricalSwitch": history(
        plain="system_id environment model_version capability mode reason_code in_flight generation number changed_at"
        " changed_by_type source drill_id expires_at",
        person="changed_by_id",
    ),
    "overrides.SwitchChange": {
        PLAIN: "id switch_id from_mode to_mode reason_code in_flight generation number actor_type source drill_id"
        " requested_at status expected applied confirmed_count confirmed_at reported_at settled_at",
        PERSON: "actor_id",
    },
    "overrides.LooseningRequest": {
        PLAIN: f"{ROW} switch_id generation number mode reason_code status expires_at decided_at",
        PERSON: "requested_by_id decided_by_id",
        PARTICULARS: "note evidence_url",
    },
    "overrides.HistoricalLooseningRequest": history(
        plain="switch_id generation number mode reason_code status expires_at decided_at",
        person="requested_by_id decided_by_id",
    ),
    "overrides.ControlRecovery": {
        PLAIN: "id cause found_generation found_number known_generation known_number generation number"
        " reinstated system_id account_id recovered_at"
        " entry_id"
    },
    "overrides.ClientInstance": {
        PLAIN: "id system_id environment account_id key_id instance client model_version learned_by first_heard_at"
        " heard_at seen_generation seen_number seen_at applied_generation applied_number applied_at applied_mode"
        " applied_by file_mode sealed_file_mode in_flight drained_at"
    },
    "overrides.BreachCount": {
        PLAIN: "id system_id switch_id generation number count alerted_count first_decision_id first_at last_at"
    },
    "overrides.ReviewQueue": {
        PLAIN: f"{ROW} slug system_id is_default when_full capacity lease_s claims_per_person deadline_s blind_share"
        " dwell_floor_s archived_at",
        PERSON: "owner_id",
    },
    "overrides.HistoricalReviewQueue": history(
        plain="slug system_id is_default when_full capacity lease_s claims_per_person deadline_s blind_share"
        " dwell_floor_s archived_at",
        person="owner_id",
    ),
    "overrides.ReviewRule": {
        PLAIN: f"{ROW} system_id environment name condition queue_id deadline_s required_skill reviews_required"
        " is_blind on_timeout order archived_at",
    },
    "overrides.HistoricalReviewRule": history(
        plain="system_id environment name condition queue_id deadline_s required_skill reviews_required is_blind"
        " on_timeout order archived_at",
    ),
    "overrides.RuleChange": {
        PLAIN: f"{ROW} rule_id queue_id system_id rule_revision changes loosens status decided_at expires_at",
        PERSON: "requested_by_id decided_by_id",
    },
    "overrides.HistoricalRuleChange": history(
        plain="rule_id queue_id system_id rule_revision changes loosens status decided_at expires_at",
        person="requested_by_id decided_by_id",
    ),
    "overrides.ReasonList": {PLAIN: f"{ROW} queue_id version codes"},
    "overrides.HistoricalReasonList": history(plain="queue_id version codes"),
    "overrides.ReviewerSkill": {PLAIN: f"{ROW} skill ended_at", PERSON: "person_id"},
    "overrides.HistoricalReviewerSkill": history(plain="skill ended_at", person="person_id"),
    "overrides.Review": {
        PLAIN: f"{ROW} decision_id system_id environment rule_id queue_id mode_epoch phase opened_at deadline_at"
        " on_timeout reviews_required is_blind required_skill probability status version escalated_at decisive_id"
        " action closing closed_at told_share visible_at announced_at",
        CASE: "verdict outcome reason_code",
    },
    "overrides.HistoricalReview": history(
        plain="decision_id system_id environment rule_id queue_id mode_epoch phase opened_at deadline_at on_timeout"
        " reviews_required is_blind required_skill probability status version escalated_at decisive_id action closing"
        " closed_at",
        case="verdict outcome reason_code",
    ),
    "overrides.ReviewAssignment": {
        PLAIN: f"{ROW} review_id seat status token is_blind claimed_at held_until shown_at first_at ended_at"
        " lease_until draft_saved_at",
        PERSON: "person_id offered_by_id",
        CASE: "first_outcome decision outcome reason_code",
        PARTICULARS: "output note",
        WITH_PERSON: "draft",
    },
    "overrides.HistoricalReviewAssignment": history(
        plain="review_id seat status token is_blind claimed_at held_until shown_at first_at ended_at",
        person="person_id offered_by_id",
        case="first_outcome decision outcome reason_code",
    ),
    "overrides.Override": {
        PLAIN: f"{ROW} decision_id system_id source status at has_output",
        PERSON: "person_id second_person_id",
        CASE: "outcome reason_code",
        PARTICULARS: "output note",
    },
    "overrides.HistoricalOverride": history(
        plain="decision_id system_id source status at has_output",
        person="person_id second_person_id",
        case="outcome reason_code",
    ),
    "overrides.ReportedOverride": {
        PLAIN: f"{ROW} decision_id system_id account_id",
        CASE: "outcome reason_code occurred_at",
        PARTICULARS: "reviewer note",
    },
    "overrides.HistoricalReportedOverride": history(
        plain="decision_id system_id account_id", case="outcome reason_code occurred_at"
    ),
    "overrides.Effect": {
        PLAIN: f"{ROW} decision_id system_id account_id status via received_at",
        CASE: "outcome expected occurred_at",
        PARTICULARS: "detail",
    },
    "overrides.HistoricalEffect": history(
        plain="decision_id system_id account_id status via received_at", case="outcome expected occurred_at"
    ),
    "overrides.Execution": {
        PLAIN: f"{ROW} decision_id system_id account_id word_id execution_id version worker claimed_at",
        CASE: "outcome",
    },
    "overrides.HistoricalExecution": history(
        plain="decision_id system_id account_id word_id execution_id version worker claimed_at", case="outcome"
    ),
    "overrides.Appeal": {
        PLAIN: f"{ROW} decision_id system_id received_at status account_id decided_at override_id effect_id"
        " remedied_at",
        PERSON: "opened_by_id decided_by_id",
        CASE: "ground_code reason_code",
        PARTICULARS: "statement finding",
    },
    "overrides.HistoricalAppeal": history(
        plain="decision_id system_id received_at status account_id decided_at override_id effect_id remedied_at",
        person="opened_by_id decided_by_id",
        case="ground_code reason_code",
    ),
    # --- monitoring ----------------------------------------------------------------------------------------------
    "monitoring.Outcome": {
        PLAIN: f"{ROW} decision_id system_id account_id received_at corrects_id",
        PERSON: "person_id",
        CASE: "outcome value observed_at",
        PARTICULARS: "note",
    },
    "monitoring.HistoricalOutcome": history(
        plain="decision_id system_id account_id received_at corrects_id",
        person="person_id",
        case="outcome value observed_at",
    ),
    # --- notices, evidence ---------------------------------------------------------------------------------------
    "notices.Alert": {
        PLAIN: f"{ROW} kind fingerprint severity status system_id about_id facts opened_at acknowledged_at closed_at"
        " occurrences last_seen_at seal_pending escalated_at",
        PERSON: "owner_id acknowledged_by_id closed_by_id",
        PARTICULARS: "note",
    },
    "notices.GatheredAlert": {PLAIN: "id alert_id fingerprint about_id gathered_at"},
    "notices.Event": {PLAIN: "id type system_id about_id facts occurred_at fanned_out_at"},
    "notices.Message": {
        TOLD: "facts address",
        PLAIN: "id kind fingerprint is_urgent created_at status attempts next_attempt_at last_error mail_id sent_at",
        PERSON: "person_id",
    },
    "notices.WebhookEndpoint": {
        PLAIN: f"{ROW} system_ids event_types format status disabled_why disabled_at",
        PERSON: "owner_id",
        PARTICULARS: "name url",
    },
    "notices.HistoricalWebhookEndpoint": history(
        plain="system_ids event_types format status disabled_why disabled_at", person="owner_id"
    ),
    "notices.EndpointSecret": {PLAIN: "id endpoint_id secret created_at expires_at"},
    "notices.Delivery": {
        PLAIN: "id endpoint_id event_id content_type body status attempt_count failures next_attempt_at lease"
        " leased_until created_at ended_at",
    },
    "notices.Attempt": {PLAIN: "id delivery_id number outcome http_status duration_ms at"},
    "notices.HistoricalAlert": history(
        plain="kind fingerprint severity status system_id about_id facts opened_at acknowledged_at closed_at",
        person="owner_id acknowledged_by_id closed_by_id",
    ),
    "evidence.AuditProgress": {
        PLAIN: "log_id next_index frontier pass_started_at pass_finished_at attempted_at findings"
    },
    "evidence.WalkProgress": {PLAIN: "walk cursor attempted_at pass_started_at pass_finished_at"},
    "evidence.Cosignature": {PLAIN: "id checkpoint_id log_id tree_size witness vkey line cosigned_at received_at"},
    "evidence.Timestamp": {PLAIN: "id checkpoint_id log_id tree_size authority token stamped_at received_at"},
    "evidence.Anchor": {
        PLAIN: "id log_id kind name identity known_size tree_size outcome detail failures attempted_at succeeded_at"
        " next_attempt_at seen_size looked_at next_look_at lease leased_until"
    },
    "evidence.AnchorTarget": {PLAIN: "id log_id kind checkpoint_id chosen_at"},
    "evidence.SignedDocument": {PLAIN: "id kind about_id note signed_at"},
    "evidence.LetterDraft": {
        PLAIN: "id decision_id language replaces_id saved_at",
        PERSON: "author_id",
        DRAFT: "addressee text facts",
    },
    "evidence.ExplanationLetter": {
        PLAIN: f"{ROW} key year number decision_id system_id language template_id is_edited status replaces_id"
        " issued_at withdrawn_at",
        PERSON: "issued_by_id withdrawn_by_id",
        PARTICULARS: "text addressee check_key",
        SEALED: "digest",
    },
    "evidence.HistoricalExplanationLetter": {
        **history(
            plain="year number decision_id system_id language template_id is_edited status replaces_id issued_at"
            " withdrawn_at",
            person="issued_by_id withdrawn_by_id",
        ),
        SEALED: f"{CHANGE[SEALED]} digest",
    },
    "evidence.Export": {
        PLAIN: f"{ROW} key question system_id since until case_id decision_id form parts heads"
        " status asked_at decided_at ended_at failure is_whole left_out file_name size digest manifest_digest"
        " decisions disclosed_parts expires_at",
        PERSON: "asked_by_id decided_by_id ended_by_id",
        PARTICULARS: "reason answer subject",
    },
    "evidence.HistoricalExport": history(
        plain="question system_id since until case_id decision_id form parts heads status"
        " asked_at decided_at ended_at failure is_whole left_out file_name size digest manifest_digest decisions"
        " disclosed_parts expires_at",
        person="asked_by_id decided_by_id ended_by_id",
    ),
    "evidence.ExportWork": {
        PLAIN: "export_id worker host kept_in worked_at not_before begun_at attempts begun_anew trouble looked_at plan"
        " phase done total",
    },
    "evidence.ExportPlace": {PLAIN: "export_id log_id leaf_index is_withheld is_asked_for"},
    "evidence.ExportDownload": {PLAIN: "id export_id begun_at given", PERSON: "person_id"},
    "evidence.CustodyRequest": {
        PLAIN: f"{ROW} what logs status requested_at expires_at decided_at carried_out_at seal_pending vouched",
        PERSON: "requested_by_id decided_by_id",
        PARTICULARS: "reason answer",
    },
    "evidence.HistoricalCustodyRequest": history(
        plain="what logs status requested_at expires_at decided_at carried_out_at",
        person="requested_by_id decided_by_id",
    ),
    # --- Django's own --------------------------------------------------------------------------------------------
    "admin.LogEntry": {
        EMPTY: "id action_time user_id content_type_id object_id object_repr action_flag change_message",
    },
    "sessions.Session": {SESSION: "session_key session_data expire_date"},
    "auth.Group": {EMPTY: "id name"},
    "auth.Group_permissions": {EMPTY: "id group_id permission_id"},
    "auth.Permission": {PLAIN: "id name content_type_id codename"},
    "contenttypes.ContentType": {PLAIN: "id app_label model"},
}
