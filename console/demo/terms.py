"""What goes with the roles of the demonstration's people."""

from datetime import timedelta

from config.days import today
from governance.acts import Role
from governance.models import Assignment
from governance.terms import NO_TERMS, Terms

Power = Assignment.Power
DUTIES: dict[Assignment.Role, tuple[str, tuple[Power, ...], str]] = {
    Role.ACCOUNTABLE: (
        "Decides what the AI system may be used for, and answers for what it decides. Reads the monthly report.",
        (Power.OVERRIDE, Power.STOP, Power.APPROVE),
        "",
    ),
    Role.OPERATOR: (
        "On call on working days, 8 to 18. Stops first, and asks afterwards.",
        (Power.STOP, Power.RESUME),
        "Drill of stopping, spring 2026.",
    ),
    Role.REVIEWER: (
        "Looks at close calls within a working day, and says why where the model is overruled.",
        (Power.OVERRIDE,),
        "Course on reviewing automated decisions, two days.",
    ),
}


def terms_of(role: Assignment.Role) -> Terms:
    if role not in DUTIES:
        return NO_TERMS
    duties, powers, competence = DUTIES[role]
    return Terms(
        duties=duties,
        powers=[str(each) for each in powers],
        competence=competence,
        competence_until=today() + timedelta(days=330) if competence else None,
        review_on=today() + timedelta(days=180),
    )
