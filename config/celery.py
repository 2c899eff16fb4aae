"""Background jobs. A job that matters is a row in PostgreSQL; the message only says "look now".

So a lost broker loses nothing: the beat schedule sweeps the rows. Tasks take ids, are idempotent and run at least once.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("answerable")
app.config_from_object("config.celery_options")  # by name: read at first use, when Django's settings are there
app.conf.beat_schedule = {
    "tally-decisions": {"task": "audit.tasks.tally_decisions_task", "schedule": 60.0},
    "forget-old-tallies": {"task": "audit.tasks.forget_old_tallies_task", "schedule": 24 * 3600.0},
    "watch-leads": {"task": "overrides.tasks.watch_leads_task", "schedule": 300.0},
    "watch-every-lead": {"task": "overrides.tasks.watch_every_lead_task", "schedule": 24 * 3600.0},
    "end-left-searches": {"task": "audit.tasks.end_left_searches_task", "schedule": 300.0},
    "forget-searches-of-nobody": {"task": "audit.tasks.forget_searches_of_nobody_task", "schedule": 24 * 3600.0},
    "watch-incidents": {"task": "audit.tasks.watch_clocks_task", "schedule": 300.0},
    "record-checkpoints": {"task": "evidence.tasks.record_checkpoints_task", "schedule": 60.0},
    "self-audit": {"task": "evidence.tasks.audit_slice_task", "schedule": 60.0},
    "loose-ends": {"task": "evidence.tasks.audit_loose_ends_task", "schedule": 300.0},
    "discontinued-logs": {"task": "evidence.tasks.alert_discontinued_task", "schedule": 60.0},
    "anchor-checkpoints": {
        "task": "evidence.tasks.anchor_checkpoints_task",
        "schedule": 10.0,
        "options": {"expires": 30},
    },
    "look-at-witnesses": {
        "task": "evidence.tasks.look_at_witnesses_task",
        "schedule": 30.0,
        "options": {"expires": 60},
    },
    "watch-exposure": {"task": "evidence.tasks.watch_exposure_task", "schedule": 60.0},
    "search-for-finds": {"task": "evidence.tasks.search_for_finds_task", "schedule": 30.0},
    "run-erasures": {"task": "evidence.tasks.run_erasures_task", "schedule": 60.0},
    "erased-and-back": {"task": "evidence.tasks.look_for_returned_task", "schedule": 600.0},
    "announce-purge": {"task": "evidence.tasks.announce_purge_task", "schedule": 3600.0},
    "run-purges": {"task": "evidence.tasks.run_purges_task", "schedule": 60.0},
    "seal-custody-requests": {"task": "evidence.tasks.seal_waiting_requests_task", "schedule": 60.0},
    "forget-letter-drafts": {"task": "evidence.tasks.forget_letter_drafts_task", "schedule": 24 * 3600.0},
    "run-exports": {"task": "evidence.tasks.run_exports_task", "schedule": 5.0, "options": {"expires": 10}},
    "sweep-exports": {"task": "evidence.tasks.sweep_exports_task", "schedule": 60.0},
    "watch-standstills": {"task": "evidence.tasks.watch_standstills_task", "schedule": 60.0},
    "seal-alerts": {"task": "notices.tasks.seal_waiting_alerts_task", "schedule": 60.0},
    "send-webhooks": {"task": "notices.tasks.send_webhooks_task", "schedule": 2.0, "options": {"expires": 10}},
    "send-mails": {"task": "notices.tasks.send_mails_task", "schedule": 10.0, "options": {"expires": 30}},
    "escalate-alerts": {"task": "notices.tasks.escalate_alerts_task", "schedule": 60.0},
    "alert-gaps": {"task": "notices.tasks.alert_gaps_task", "schedule": 300.0},
    "warn-of-endings": {"task": "notices.tasks.warn_of_endings_task", "schedule": 900.0},
    "remind-of-terms": {"task": "notices.tasks.remind_of_terms_task", "schedule": 3600.0},
    "remind-of-card-days": {"task": "notices.tasks.remind_of_card_days_task", "schedule": 3600.0},
    "disable-orphaned-webhooks": {"task": "notices.tasks.disable_orphans_task", "schedule": 300.0},
    "forget-old-deliveries": {"task": "notices.tasks.forget_old_task", "schedule": 3600.0},
    "prune-heads": {"task": "evidence.tasks.prune_heads_task", "schedule": 60.0},
    "seal-arrivals": {"task": "intake.tasks.seal_arrivals_task", "schedule": 60.0},
    "alert-conflicts": {"task": "intake.tasks.alert_conflicts_task", "schedule": 60.0},
    "tail-sources": {"task": "intake.tasks.tail_sources_task", "schedule": 10.0},
    "place-sources": {"task": "intake.tasks.place_sources_task", "schedule": 60.0},
    "alert-silence": {"task": "intake.tasks.alert_silence_task", "schedule": 60.0},
    "seal-heartbeats": {"task": "intake.tasks.seal_heartbeats_task", "schedule": 3600.0},
    "expire-quarantine": {"task": "intake.tasks.expire_quarantine_task", "schedule": 3600.0},
    "announce-reviews": {"task": "overrides.tasks.announce_decided_task", "schedule": 5.0},
    "review-deadlines": {"task": "overrides.tasks.review_deadlines_task", "schedule": 10.0},
    "lapsed-claims": {"task": "overrides.tasks.end_lapsed_claims_task", "schedule": 30.0},
    "tell-of-deadlines": {"task": "overrides.tasks.tell_of_deadlines_task", "schedule": 60.0},
    "watch-drills": {"task": "overrides.tasks.watch_drills_task", "schedule": 5.0},
    "alert-overdue-drills": {"task": "overrides.tasks.alert_overdue_drills_task", "schedule": 3600.0},
    "send-probe": {"task": "overrides.tasks.send_probe_task", "schedule": 300.0},
    "alert-not-armed": {"task": "overrides.tasks.alert_not_armed_task", "schedule": 60.0},
    "sweep-parameters": {"task": "overrides.tasks.sweep_parameters_task", "schedule": 10.0},
    "settle-accountability-gaps": {"task": "governance.tasks.settle_gaps_task", "schedule": 60.0},
    "forget-register-changes": {"task": "governance.tasks.forget_old_changes_task", "schedule": 3600.0},
    "forget-sign-in-attempts": {"task": "governance.tasks.forget_old_attempts_task", "schedule": 3600.0},
    "ask-about-the-register": {"task": "notices.tasks.ask_about_the_register_task", "schedule": 10.0},
    "tell-credential-changes": {"task": "notices.tasks.tell_credential_changes_task", "schedule": 10.0},
    "tell-lock-outs": {"task": "notices.tasks.tell_lock_outs_task", "schedule": 10.0},
    "clear-sessions": {"task": "governance.tasks.clear_sessions_task", "schedule": 3600.0},
    "seal-switches": {"task": "overrides.tasks.seal_waiting_task", "schedule": 5.0},
    "watch-changes": {"task": "overrides.tasks.watch_changes_task", "schedule": 5.0},
    "lapse-emergency-clears": {"task": "overrides.tasks.lapse_emergency_clears_task", "schedule": 10.0},
    "void-loosenings": {"task": "overrides.tasks.void_passed_requests_task", "schedule": 60.0},
    "alert-breaches": {"task": "overrides.tasks.alert_breaches_task", "schedule": 15.0},
    "seal-break-glass": {"task": "overrides.tasks.seal_break_glass_task", "schedule": 10.0},
    "forget-instances": {"task": "overrides.tasks.forget_instances_task", "schedule": 3600.0},
    "partitions": {"task": "evidence.tasks.ensure_partitions_task", "schedule": 6 * 3600.0},
}
app.autodiscover_tasks()
