"""The sections of a system card, version 1 of their schema.

What each is asked for by: Regulation (EU) 2024/1689 (the AI Act) by article, with its Annex IV for the technical file
and Article 13 for the instructions for use; the GDPR; ISO/IEC 42001.
"""

from dataclasses import dataclass

from governance.cards.fields import Choice, Day, Field, Number, Rows, Text, Words, YesNo
from governance.cards.scope import LANGUAGE, ONE_OF, RANGE

SCHEMA = 1
AT_LEAST, AT_MOST = "at_least", "at_most"


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the card."""

    name: str
    title: str
    about: str
    fields: tuple[Field, ...]


def _line(name: str, label: str, hint: str = "", law: str = "", needed: bool = False) -> Text:
    return Text(name=name, label=label, help=hint, law=law, needed=needed, is_long=False)


def _text(name: str, label: str, hint: str = "", law: str = "", needed: bool = False) -> Text:
    return Text(name=name, label=label, help=hint, law=law, needed=needed)


_IDENTITY = Section(
    "identity",
    "Identity",
    "Which AI system this is, and who stands behind it.",
    (
        _line("name", "Name", "As users know it.", "AI Act Annex IV 1(a)"),
        _line("release", "Release", "Which releases or model versions this card is about.", "AI Act Annex IV 1(a)"),
        _text("lineage", "Relation to earlier releases", law="AI Act Annex IV 1(a)"),
        _line("provider", "Provider", "Who develops it and puts it into service.", "AI Act Art. 13(3)(a)"),
        _line(
            "representative", "Authorised representative", "Where the provider is outside the Union.", "Art. 13(3)(a)"
        ),
        _line("deployer", "Deployer", "Who uses it under their authority.", "AI Act Art. 26"),
        _line("registration", "Number in the EU database", law="AI Act Art. 49"),
        _line("declaration", "Declaration of conformity", "Where it is kept.", "AI Act Art. 47"),
    ),
)
_CLASSIFICATION = Section(
    "classification",
    "Classification",
    "How it stands in law.",
    (
        Choice(
            name="annex_iii",
            label="Point of Annex III",
            law="AI Act Art. 6(2)",
            options={
                "none": "None",
                "1": "1 Biometrics",
                "2": "2 Critical infrastructure",
                "3": "3 Education",
                "4": "4 Employment",
                "5": "5 Essential services and benefits, credit, insurance",
                "6": "6 Law enforcement",
                "7": "7 Migration, asylum, borders",
                "8": "8 Justice and democratic processes",
            },
        ),
        _text(
            "rationale", "Why it is in this class", "Also why an exception of Article 6(3) holds.", "AI Act Art. 6(4)"
        ),
        YesNo(name="profiling", label="It profiles natural persons", law="AI Act Art. 6(3)"),
        Words(name="jurisdictions", label="Jurisdictions", help="Where its decisions take effect."),
    ),
)
_PURPOSE = Section(
    "purpose",
    "Purpose",
    "What it is for, and what it is not for.",
    (
        _text("capabilities", "Capabilities", "What it can do, and how well.", "AI Act Art. 13(3)(b)", True),
        _text(
            "intended",
            "Intended purpose",
            "What it is to be used for, by whom, where.",
            "AI Act Art. 13(3)(b)(i)",
            True,
        ),
        _text("users", "Users", "Who works with it, and what they must know.", "AI Act Art. 13(3)(b)(vii)"),
        _text("affected", "Affected groups", "Whom its decisions are about.", "AI Act Art. 13(3)(b)(v)", True),
        _text("out_of_scope", "Out-of-scope uses", "What it must not be used for.", "AI Act Art. 13(3)(b)(iii)", True),
        _text("misuse", "Foreseeable misuse", law="AI Act Art. 9(2)(b)"),
        _text(
            "limitations",
            "Known limitations",
            "Circumstances in which it does worse.",
            "AI Act Art. 13(3)(b)(ii)",
            True,
        ),
        _text("failures", "Failure modes", "How it fails, and how one notices.", "AI Act Art. 13(3)(b)(iii)", True),
    ),
)
_BUILD = Section(
    "build",
    "Build",
    "What it is made of.",
    (
        Rows(
            name="models",
            label="Models",
            law="AI Act Annex IV 2(c)",
            row="model",
            columns=(
                _line("name", "Model", needed=True),
                _line("version", "Version"),
                _line("digest", "Digest", "alg:hex"),
                _line("supplier", "Supplier"),
            ),
        ),
        _text("architecture", "Architecture", law="AI Act Annex IV 2(c)"),
        _text(
            "logic", "Logic and key choices", "What it optimises for, and what was traded off.", "AI Act Annex IV 2(b)"
        ),
        _text("compute", "Computing resources", law="AI Act Annex IV 2(c)"),
        _text("software", "Software and hardware it needs", law="AI Act Annex IV 1(c)"),
        _text("lifetime", "Expected lifetime and maintenance", law="AI Act Art. 13(3)(e)"),
    ),
)
_DATA = Section(
    "data",
    "Data",
    "What it was trained, tested and fed with.",
    (
        _text(
            "sources", "Sources", "Where training, validation and test data come from.", "AI Act Art. 10(2)(b)", True
        ),
        _text("preparation", "Preparation", "Labelling, cleaning, enrichment.", "AI Act Art. 10(2)(c)"),
        _text("bias", "Examination for bias", "What was looked for, found and done.", "AI Act Art. 10(2)(f)"),
        _text("gaps", "Gaps", "What the data lack.", "AI Act Art. 10(2)(h)"),
    ),
)
_PERFORMANCE = Section(
    "performance",
    "Performance",
    "How good it is, and the test that shows it.",
    (
        Rows(
            name="results",
            label="Test results",
            help="Each with the test that shows it. For a group of persons, name the group.",
            law="AI Act Art. 13(3)(b)(ii), Annex IV 2(g)",
            needed=True,
            row="result",
            columns=(
                _line("metric", "Metric", needed=True),
                Number(name="value", label="Value", needed=True),
                Choice(name="direction", label="Must be", options={AT_LEAST: "at least", AT_MOST: "at most"}),
                Number(name="threshold", label="Threshold", help="Fixed before the test.", law="AI Act Art. 9(8)"),
                _line("test", "Test", "The report, or where it is kept.", needed=True),
                _line("dataset", "Data it was tested on"),
                Day(name="tested_on", label="Day", needed=True, law="AI Act Annex IV 2(g)"),
                _line("signatory", "Signed by", "A role or desk.", "AI Act Annex IV 2(g)"),
                _line("group", "Group", "Of persons; empty: all.", "AI Act Art. 13(3)(b)(v)"),
                _line("accepted_because", "Accepted although not met, because", "Where it misses its threshold."),
            ),
        ),
        _text("why", "Why these metrics", law="AI Act Annex IV 4"),
        _text("robustness", "Robustness", law="AI Act Art. 15(4)"),
        _text("security", "Security", law="AI Act Art. 15(5)"),
    ),
)
_OVERSIGHT = Section(
    "oversight",
    "Human oversight",
    "What people do, and can do.",
    (
        _text(
            "measures",
            "Oversight measures",
            "Who looks at what, when, and what they may do about it.",
            "AI Act Art. 13(3)(d), 14",
            True,
        ),
        _text("override", "How a decision is overridden", law="AI Act Art. 14(4)(d)"),
        _text("stop", "How it is stopped, and the safe state", law="AI Act Art. 14(4)(e)"),
        _text("drills", "Drills", "How often stopping is practised."),
        _text("competence", "Competence of those who oversee", law="AI Act Art. 26(2)"),
    ),
)
_EXPLANATION = Section(
    "explanation",
    "Explanation",
    "What an affected person can be told.",
    (
        _text("method", "How its output is explained", law="AI Act Art. 13(3)(b)(iv)"),
        _text("contest", "How a decision is contested", law="AI Act Art. 86, GDPR Art. 22(3)"),
    ),
)
_INPUTS = Section(
    "inputs",
    "Input, and the scope that is checked",
    "What it may be given. Rules here are checked on each decision; outside them it is recorded and flagged.",
    (
        _text("specification", "Specification of input", law="AI Act Art. 13(3)(b)(vi)"),
        Rows(
            name="rules",
            label="Checked rules",
            help="Each names a place in the input by JSON pointer, as /applicant/age.",
            row="rule",
            columns=(
                _line("pointer", "Place", "/applicant/age", needed=True),
                Choice(
                    name="check",
                    label="Must be",
                    needed=True,
                    options={RANGE: "within a range", ONE_OF: "one of", LANGUAGE: "one of these languages"},
                ),
                Number(name="minimum", label="From"),
                Number(name="maximum", label="To"),
                Words(name="values", label="Values", help="Languages as de or pt-BR."),
                YesNo(name="required", label="Must be there", help="Else absent counts as inside."),
            ),
        ),
    ),
)
_LOGGING = Section(
    "logging",
    "Logging",
    "What is recorded of it.",
    (
        _text("events", "Events and fields", law="AI Act Art. 12, 13(3)(f)"),
        _line("retention", "Kept for", law="AI Act Art. 19, 26(6)"),
        _text("reading", "How to read the log", law="AI Act Art. 13(3)(f)"),
    ),
)
_RISK = Section(
    "risk",
    "Risk",
    "What could go wrong, and what is done about it.",
    (
        Rows(
            name="register",
            label="Risks",
            law="AI Act Art. 9(2)",
            row="risk",
            columns=(
                _line("risk", "Risk", needed=True),
                Choice(name="level", label="Remaining", options={"low": "low", "medium": "medium", "high": "high"}),
                _line("measure", "What is done"),
                _line("accepted_by", "Accepted by", "A role or desk."),
            ),
        ),
        _line("fria", "Fundamental rights impact assessment", "Where it is kept.", "AI Act Art. 27"),
        _line("dpia", "Data protection impact assessment", "Where it is kept.", "GDPR Art. 35"),
    ),
)
_MONITORING = Section(
    "monitoring",
    "Monitoring",
    "How it is watched while it runs.",
    (
        _text("plan", "Monitoring plan", law="AI Act Art. 72"),
        _line("incident_contact", "Who is told of an incident", "A role or desk.", "AI Act Art. 73"),
    ),
)
_CHANGES = Section(
    "changes",
    "Changes",
    "What changed, and what may change by itself.",
    (
        _text("predetermined", "Changes that were planned for", law="AI Act Art. 13(3)(c)"),
        Rows(
            name="history",
            label="Changes made",
            law="AI Act Annex IV 6",
            row="change",
            columns=(
                Day(name="on", label="Day", needed=True),
                _line("what", "What changed", needed=True),
                YesNo(name="substantial", label="Substantial modification"),
            ),
        ),
        _text("standards", "Standards applied", law="AI Act Annex IV 7"),
    ),
)
_REVIEW = Section(
    "review",
    "Review",
    "When this card is looked at again.",
    (
        Day(
            name="next_on",
            label="Next review",
            help="Who answers and who looks after it are written to 14, 7 and 1 days before, and when it has passed.",
            law="AI Act Art. 11(1)",
        ),
        Day(name="retirement_on", label="Planned retirement", help="The same people are written to."),
        _text("approvals", "Approvals given elsewhere"),
    ),
)
_CONTACTS = Section(
    "contacts",
    "Contacts",
    "Whom to turn to.",
    (
        Rows(
            name="people",
            label="Desks and roles",
            help="No private persons: a card is handed to others.",
            law="AI Act Art. 13(3)(a)",
            needed=True,
            row="contact",
            columns=(
                _line("desk", "Desk or role", needed=True),
                _line("for_what", "For what"),
                _line("reached_by", "Reached by", "E-mail, telephone, room.", needed=True),
            ),
        ),
    ),
)
SECTIONS = (
    _PURPOSE,
    _PERFORMANCE,
    _OVERSIGHT,
    _DATA,
    _CONTACTS,
    _IDENTITY,
    _CLASSIFICATION,
    _BUILD,
    _EXPLANATION,
    _INPUTS,
    _RISK,
    _MONITORING,
    _LOGGING,
    _CHANGES,
    _REVIEW,
)
"""First what no card goes without."""
BY_NAME = {section.name: section for section in SECTIONS}
