"""The templates of explanation letters of the demonstration."""

from governance.services.letter_templates import TemplateContent

_CREDIT = TemplateContent(
    text="""\
# Your application for a higher limit

We decided on it on {decided_on}. {outcome}

# Why

These points weighed most:

{reasons}

# How it was decided

{ai_role} {who_decided}

We used these data about you and your card:

{data_used}

# What came of it since

{what_followed}

Today this holds: {outcome_now}

# If you do not agree

Tell us by {contest_until} and a person who had no part in it looks at your application anew. You can say how you see it, and what we do not know. {contact}

Please name the reference {reference}.

{responsible}
""",  # noqa: E501 - a paragraph is a line
    words="""\
income = Your income
requested_limit = The limit you asked for
utilisation = How much of your current limit you use
late_payments = Payments that came late
late_payments_12m = Late payments of the last twelve months
customer_for = How long you have been our customer
customer_for_years = How long you have been our customer
outcome:approved = Your application was granted.
outcome:refused = Your application was refused.
outcome:failed = Your application could not be decided by the program; a person decides it.
""",
    responsible="Example Bank, Consumer credit, 1 Harbour Street, 1000 Example",
    contact="Write to the customer information desk, contest@example.org, or come to any branch.",
    contest_days=30,
    reasons_side="outcome",
    reasons_most=4,
)
_CREDIT_GERMAN = TemplateContent(
    text="""\
# Ihr Antrag auf einen höheren Kreditrahmen

Wir haben am {decided_on} darüber entschieden. {outcome}

# Warum

Am meisten wog:

{reasons}

# Wie entschieden wurde

{ai_role} {who_decided}

Heute gilt: {outcome_now}

# Wenn Sie nicht einverstanden sind

Sagen Sie es uns bis zum {contest_until}; dann prüft ein Mensch Ihren Antrag neu, der nicht beteiligt war. {contact}

Zeichen: {reference}

{responsible}
""",
    words="""\
income = Ihr Einkommen
requested_limit = Der beantragte Rahmen
utilisation = Wie stark Sie Ihren Rahmen nutzen
late_payments = Verspätete Zahlungen
late_payments_12m = Verspätete Zahlungen der letzten zwölf Monate
customer_for = Wie lange Sie bei uns Kunde sind
customer_for_years = Wie lange Sie bei uns Kunde sind
outcome:approved = Ihr Antrag wurde bewilligt.
outcome:refused = Ihr Antrag wurde abgelehnt.
""",
    responsible="Example Bank, Verbraucherkredit, Hafenstraße 1, 1000 Beispiel",
    contact="Schreiben Sie an den Kundendienst, contest@example.org.",
    contest_days=30,
    reasons_side="outcome",
    reasons_most=4,
)
_TRIAGE = TemplateContent(
    text="""\
# Your application

It came in for a position with us, and was looked at on {decided_on}. {outcome}

{ai_role} {who_decided}

These points weighed most:

{reasons}

If you see it otherwise, write to us by {contest_until}: {contact} Name the reference {reference}.

{responsible}
""",
    words="""\
requirements_met = How many of the position's requirements you meet
experience = Your years of experience
missing_documents = Documents that are missing
outcome:shortlisted = Your application was shortlisted.
outcome:recruiter-review = A recruiter looks at your application.
outcome:declined = It was proposed to decline your application.
""",
    responsible="Example Company, Recruiting",
    contact="recruiting@example.org.",
    contest_days=60,
)
LETTER_TEMPLATES = {"credit-limits": {"en": _CREDIT, "de": _CREDIT_GERMAN}, "cv-triage": {"en": _TRIAGE}}
"""By AI system and language. The third has none: its letters are written by ours."""
