"""The words of e-mails about switches."""

from typing import Any

from django.urls import reverse

from governance.models import AISystem
from notices.letters import Letter, letter


@letter("switch.emergency_cleared")
def emergency_cleared(facts: dict[str, Any]) -> Letter:
    system = AISystem.objects.filter(pk=facts["system"]).first()
    lines = [
        "One person alone took it from stop to review: the AI may propose again, and people decide.",
        "It lapses back to stop after four hours. Another person has to look at it: an alert waits for that.",
    ]
    return Letter(f"Emergency clear: {system or 'an AI system'}", lines, reverse("admin:notices_alert_changelist"))
