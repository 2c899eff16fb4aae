"""Settings that are read once, and beat entries behind which there is a task."""

import ast
from collections import Counter

from django.conf import settings

from config.celery import app


def test_no_setting_is_given_a_second_value_further_down() -> None:
    tree = ast.parse((settings.BASE_DIR / "config" / "settings.py").read_text())
    named = Counter(
        target.id
        for statement in tree.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    )
    assert [name for name, times in named.items() if times > 1] == []


def test_whatever_beat_asks_for_is_a_task() -> None:
    app.loader.import_default_modules()
    asked = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert asked - app.tasks.keys() == set()
