"""What is said to be proven goes no further than what was shown; both verifiers say it in the same words."""

from pathlib import Path

import pytest

from answerable_verify import verify
from tests.bundles import stamping
from tests.bundles.building import Wishes, build
from tests.bundles.cases import Made, as_request, authority, check, made, options_of, small, usual_made, whole_range
from tests.bundles.cases import usual as usual_bundle
from tests.bundles.javascript import JavaScript, with_node
from tests.bundles.world import Log, World


def codes(report: dict[str, object], member: str) -> list[str]:
    said = report[member]
    assert isinstance(said, list)
    return [each["code"] for each in said]


def stamped(*, registry: bool, system: bool, recorded: bool, after: int = 0) -> Made:
    """A bundle of which one log or both have a time-stamp; the registry has recorded the other, or not."""
    world, log = small(count=5)
    if recorded:
        world.record_checkpoint(log)
    for _ in range(after):
        world.decide(log)
    wishes = Wishes(
        stamps=lambda log, text: (
            [stamping.Stamp(certificate=authority()).token(text)] if (system if log.system else registry) else []
        )
    )
    return made(build(world, whole_range(log), wishes), certificates=(stamping.pem(authority()),))


@pytest.mark.parametrize(
    ("given", "lacking"),
    [
        ({"registry": True, "system": True, "recorded": False}, 0),
        ({"registry": True, "system": False, "recorded": True}, 0),
        ({"registry": True, "system": False, "recorded": False}, 1),
        ({"registry": True, "system": False, "recorded": True, "after": 2}, 1),
        ({"registry": False, "system": True, "recorded": False}, 1),
    ],
    ids=["both", "recorded", "not recorded", "recorded before the last", "the system's alone"],
)
def test_a_time_stamp_is_said_of_what_it_covers(given: dict[str, int], lacking: int) -> None:
    report = check(stamped(**given))  # type: ignore[arg-type]
    assert report["exit_code"] == verify.VERIFIED, report["findings"]
    assert codes(report, "not_proven").count("n_unstamped") == lacking
    assert "n_unseen" not in codes(report, "not_proven")


def test_a_log_without_a_head_is_named_where_others_have_one() -> None:
    world, log = small(count=5)
    bundle = build(world, whole_range(log))
    report = check(made(bundle, heads=(world.checkpoint(log, 3).encode(),)))
    said = [each["text"] for each in report["not_proven"] if each["code"] == "n_head"]
    assert said == [verify.fill(verify.WORDS["n_head"], {"log": "Registry log"})]
    assert codes(check(made(bundle)), "not_proven").count("n_heads") == 1


def test_what_retention_purged_is_not_called_withheld_for_sure() -> None:
    world, log = small(count=2)
    without = codes(check(_withheld(world, log)), "not_proven")
    assert "n_withheld" in without and "n_purged" not in without
    world.say(log, "retention.purged", {"count": 1, "digest": "0" * 64}, about=world.uuid())
    said = codes(check(_withheld(world, log)), "not_proven")
    assert "n_purged" in said and "n_withheld" not in said


def _withheld(world: World, log: Log) -> Made:
    return made(build(world, whole_range(log), Wishes(shows=lambda entry, part: False)))


def _with_a_registry_log_that_lost_entries() -> Made:
    world, log = small(count=2)
    world.record_checkpoint(log)
    world.close(world.registry, lost=1)
    return made(build(world, whole_range(log)))


def test_a_tail_that_the_registry_log_lost_is_said() -> None:
    report = check(_with_a_registry_log_that_lost_entries())
    assert (report["exit_code"], codes(report, "not_proven").count("n_registry")) == (verify.VERIFIED, 1)
    world, log = small(count=2)
    world.close(world.registry)
    assert "n_registry" not in codes(check(made(build(world, whole_range(log)))), "not_proven")


def test_times_are_proven_by_the_entries_directly_beside_them() -> None:
    said = codes(check(usual_made(usual_bundle())), "not_proven")
    assert "n_beside" in said
    world, log = small(count=2)
    assert "n_beside" not in codes(check(made(build(world, whole_range(log)))), "not_proven")


@with_node
@pytest.mark.parametrize("number", range(12))
def test_the_page_says_it_in_the_same_words(number: int, javascript: JavaScript, tmp_path: Path) -> None:
    world, log = small(count=2)
    bundle = build(world, whole_range(log))
    cases = [
        usual_made(usual_bundle()),
        Made(usual_bundle().zip()),
        made(bundle, heads=(world.checkpoint(log, 3).encode(),)),
        made(bundle, heads=(world.checkpoint(log).replace(log.origin, "other.example.com/logs/registry").encode(),)),
        stamped(registry=True, system=False, recorded=False),
        stamped(registry=False, system=True, recorded=True),
        made(build(world, whole_range(log), Wishes(left_out=("a <b>file</b>",)))),
        made(build(world, {"kind": "subject"}, Wishes(decisions=frozenset(entry.json["id"] for entry in log.entries)))),
        _with_many_outcomes(),
        _with_a_registry_log_that_lost_entries(),
        _of_a_case(),
        _withheld(*_purged()),
    ]
    given = cases[number]
    report, theirs = _report(given, tmp_path / "bundle.zip"), javascript.ask(as_request(given))["words"]
    ours = [[heading, lines] for heading, lines in verify.compose(report)]
    assert theirs == [*ours, verify.verdict_line(report)]


def _of_a_case() -> Made:
    world, log = small(count=2)
    decision = world.decide(log)
    case = world.open_case([decision])
    return made(build(world, {"kind": "case", "case": case}, Wishes(decisions=frozenset([decision]))))


def _purged() -> tuple[World, Log]:
    world, log = small(count=2)
    world.say(log, "retention.purged", {"count": 1, "digest": "0" * 64}, about=world.uuid())
    return world, log


def _with_many_outcomes() -> Made:
    """Names that sort otherwise as UTF-16 does, or as an object's keys do."""
    world, log = small(count=1)
    for outcome in ("10", "9", "a", "B", "\U0001f600", "\uffee", "é"):
        world.decide(log, outcome=outcome, model_version=outcome)
    return made(build(world, whole_range(log)))


def _report(given: Made, path: Path) -> verify.Report:
    path.write_bytes(given.data)
    container = verify.open_container(str(path))
    try:
        return verify.check_bundle(container, options_of(given))
    finally:
        container.close()
