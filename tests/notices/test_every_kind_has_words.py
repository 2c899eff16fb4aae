"""Whatever raises an alert or writes an e-mail has words for it: read from the source, so that none is forgotten."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from notices.alert_kinds import ALERT_KINDS
from notices.letters import has_words
from tests.running import PROJECT

APPS = ("ledger", "governance", "notices", "audit", "overrides", "intake", "monitoring", "evidence", "console")
PASSED_ON = {
    # helpers that are given the kind; what they are given
    "overrides/services/case_leads.py": {"case.lead_conflict", "case.lead_without_role"},
    "overrides/services/deciding.py": {"review.conflicted", "review.escalated"},
    "overrides/services/effects.py": {"effect.failed", "effect.mismatched"},
    "evidence/erasure/telling.py": {"erasure.announced", "erasure.held", "erasure.refused", "erasure.done"},
    "evidence/retention/telling.py": {"retention.announced", "retention.held", "retention.part_held", "retention.done"},
    "evidence/services/erased_again.py": {"erasure.not_remembered", "erasure.undone"},
    "evidence/services/standstill_alerts.py": {
        *("export.not_made", "export.failing", "export.not_deleted"),
        *("purge.standing_still", "erasure.standing_still"),
    },
    "notices/approvals.py": {"card.asked", "fail_policy.asked", "letter_template.asked", "role.asked", "version.asked"},
    "notices/services/term_days.py": {"assignment.term_due"},
    "notices/services/sending.py": {"webhook.disabled", "webhook.delivery_failed"},
}
Call = tuple[str, str | None]


def calls_of(name: str, word: str = "kind") -> list[Call]:
    """File and kind of every call that names one; None where the kind is no plain text."""
    return [found for app in APPS for path in sorted((PROJECT / app).rglob("*.py")) for found in _in(path, name, word)]


def _in(file: Path, name: str, word: str) -> Iterator[Call]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            named = [each.value for each in node.keywords if each.arg == word]
            if not named and word != "kind":
                continue  # a namesake
            kind = next(iter(named), None)
            said = kind.value if isinstance(kind, ast.Constant) and isinstance(kind.value, str) else None
            yield str(file.relative_to(PROJECT)), said


def kinds_of(name: str) -> set[str]:
    found: set[str] = set()
    for file, kind in calls_of(name):
        if kind is None:
            assert file in PASSED_ON, f"{file} gives {name} a kind that is no plain text: name it in PASSED_ON"
            found |= PASSED_ON[file]
        else:
            found.add(kind)
    return found


def test_what_every_alert_means_is_said() -> None:
    assert kinds_of("open_alert") == set(ALERT_KINDS)


def test_every_letter_has_words() -> None:
    kinds = kinds_of("tell") | kinds_of("ask_approvers")
    assert len(kinds) > 5
    assert sorted(kind for kind in kinds if not has_words(kind)) == []


@pytest.mark.parametrize("file", sorted(PASSED_ON))
def test_what_is_passed_on_stands_in_its_file(file: str) -> None:
    text = (PROJECT / file).read_text()
    for kind in PASSED_ON[file]:
        constant = kind.upper().replace(".", "_")  # as review_kinds.py names its constants
        assert f'"{kind}"' in text or constant in text
