"""Bundles that say something else than what their entries show. All are signed by whoever holds the key."""

import json
from collections.abc import Callable
from typing import Any

from tests.bundles.building import ALL_PARTS, Bundle, Wishes, build
from tests.bundles.cases import Made, damage, forgery, made, small, usual_world, whole_range
from tests.bundles.world import Json, Log, World


def claimed(name: str, *codes: str, path: tuple[str | int, ...], value: object = None, change: Any = None) -> None:
    """The manifest says something else at a path: a value, or what `change` makes of the honest one."""

    def lie(bundle: Bundle) -> None:
        at: Any = bundle.manifest
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = change(at[path[-1]]) if change else value
        # of what is no manifest there is no page
        bundle.put_manifest(page=FORM not in codes)

    lie.__name__ = name
    damage(*codes)(lie)


def one_more(number: int) -> int:
    return number + 1


FORM, FIGURES = "manifest-malformed", "manifest-differs"
UUID = "0" * 8 + "-0000-7000-8000-" + "0" * 12
NOON = "2026-03-01T12:00:00.000000Z"

# --- the form of it ---------------------------------------------------------------------------------------------------
claimed("whole_and_something_left_out", FORM, path=("left_out",), value=["half of it"])
claimed("not_whole_and_nothing_left_out", FORM, path=("whole",), value=False)
claimed("sources_missing", FORM, path=("sources",), value=None)
claimed("a_time_that_is_none", FORM, path=("made_at",), value="2026-02-30T00:00:00Z")
claimed("a_time_in_another_zone", FORM, path=("made_at",), value="2026-02-03T00:00:00+01:00")
claimed("an_uppercase_id", FORM, path=("id",), value="A" * 8 + "-aaaa-7aaa-8aaa-" + "a" * 12)
claimed("an_approval_by_nobody", FORM, path=("asked", "approved_by"), value=None)
claimed("another_origin_in_the_manifest", FORM, path=("origin",), value="other.example.com")
claimed("a_range_behind_the_tree", FORM, path=("logs", 0, "range"), value=[10, 300])
claimed("a_range_that_ends_before_it_begins", FORM, path=("logs", 0, "range"), value=[10, 9])
claimed("a_range_of_three_numbers", FORM, path=("logs", 0, "range"), value=[10, 290, 291])
claimed("an_unknown_part", FORM, path=("parts", "soul"), value={"disclosed": 0, "erased": 0, "withheld": 0})
claimed("an_earlier_checkpoint_of_a_later_tree", FORM, path=("logs", 0, "before"), value=290)
claimed("a_registry_log_with_a_range", FORM, path=("logs", 1, "range"), value=[0, 1])
claimed("a_question_that_ends_before_it_begins", FORM, path=("question", "until"), value="2020-01-01T00:00:00Z")
claimed("a_question_of_another_kind", FORM, path=("question", "kind"), value="everything")
claimed("a_log_that_is_a_path", FORM, path=("logs", 0, "log"), value="../..")
claimed("the_same_log_twice", FORM, path=("logs",), change=lambda logs: [logs[0], *logs])
claimed("the_registry_log_first", FORM, path=("logs",), change=lambda logs: logs[::-1])
claimed("no_registry_log", FORM, path=("logs",), change=lambda logs: logs[:1])
claimed("files_out_of_order", FORM, path=("files",), change=lambda files: files[::-1])
claimed("a_file_listed_twice", FORM, path=("files",), change=lambda files: [files[0], *files])

# --- figures ----------------------------------------------------------------------------------------------------------
for _name in ("entries", "decisions", "adverse", "flagged", "failed", "overridden", "withheld_entries"):
    claimed(f"another_number_of_{_name}", FIGURES, path=("answer", _name), change=one_more)
claimed("an_earlier_first_time", FIGURES, path=("answer", "first_at"), value="2026-03-01T00:00:01.000000Z")
claimed("no_last_time", FIGURES, path=("answer", "last_at"), value=None)
claimed("another_number_of_an_outcome", FIGURES, path=("answer", "outcomes", "approved"), change=one_more)
claimed("an_outcome_that_nothing_has", FIGURES, path=("answer", "outcomes", "declined"), value=0)
claimed("an_outcome_not_named", FIGURES, path=("answer", "outcomes"), value={"approved": 251})
claimed("another_model_version", FIGURES, path=("answer", "by_model_version"), value={"2.2": 276})
for _name in ("disclosed", "withheld", "erased"):
    claimed(f"another_number_of_{_name}_inputs", FIGURES, path=("parts", "input", _name), change=one_more)
claimed("a_part_not_named", FIGURES, path=("parts",), value={})
claimed("another_number_of_disclosed_entries", FIGURES, path=("logs", 0, "disclosed"), value=282)
claimed("a_gap_not_named", FIGURES, path=("sources", 0, "missing"), change=lambda gaps: gaps[1:])
claimed("a_gap_that_is_smaller", FIGURES, path=("sources", 0, "missing", 0, 1), change=one_more)
claimed("fewer_missing_numbers", FIGURES, path=("sources", 0, "missing_count"), value=0)
claimed("a_number_twice_that_is_not", FIGURES, path=("sources", 0, "twice"), value=[5])
claimed("a_larger_last_number", FIGURES, path=("sources", 0, "last_seq"), change=one_more)
claimed("a_source_not_named", FIGURES, path=("sources",), value=[])
claimed(
    "a_source_that_is_none", FIGURES, path=("sources",),
    change=lambda sources: sorted([*sources, sources[0] | {"source": UUID}], key=lambda each: str(each["source"])),
)  # fmt: skip
claimed("sources_out_of_order", FIGURES, path=("sources",), change=lambda sources: [sources[0], sources[0]])

# --- what was asked ---------------------------------------------------------------------------------------------------
ASKED = "asked-differs"
claimed("asked_by_somebody_else", ASKED, path=("asked", "by"), value=UUID)
claimed("asked_at_another_time", ASKED, path=("asked", "at"), value=NOON)
claimed("asked_in_an_entry_that_is_not_there", ASKED, path=("asked", "entry"), value=UUID)
claimed("approved_by_somebody_else", ASKED, path=("asked", "approved_by"), value=UUID)
claimed("approved_in_an_entry_that_is_not_there", ASKED, path=("asked", "approval"), value=UUID)
claimed("another_export", ASKED, path=("id",), value=UUID)
claimed("another_system_asked_for", ASKED, "log-differs", path=("question", "system"), value=UUID)
claimed("a_later_beginning_asked_for", ASKED, "range-wrong", path=("question", "since"), value="2026-03-01T00:00:50Z")
claimed(
    "an_earlier_beginning_asked_for", ASKED, "range-wrong", path=("question", "since"), value="2026-02-01T00:00:50Z"
)
claimed("no_beginning_asked_for", ASKED, "range-wrong", path=("question", "since"), value=None)
claimed("an_earlier_end_asked_for", ASKED, "range-wrong", path=("question", "until"), value="2026-03-01T00:04:50Z")
claimed("a_later_end_asked_for", ASKED, "range-wrong", path=("question", "until"), value=NOON)
claimed("no_end_asked_for", ASKED, "range-wrong", path=("question", "until"), value=None)

claimed("made_before_it_was_asked_for", FIGURES, path=("made_at",), value="1999-12-31T23:59:59Z")


@damage(ASKED)
def approved_in_the_entry_of_the_asking(bundle: Bundle) -> None:
    bundle.manifest["asked"]["approval"] = bundle.manifest["asked"]["entry"]
    bundle.manifest["asked"]["approved_by"] = bundle.manifest["asked"]["by"]
    bundle.put_manifest()


@forgery(ASKED)
def asked_for_another_export() -> Made:
    world, log = small()
    other = world.ask(world.uuid(), whole_range(log))
    return made(build(world, whole_range(log), asked=other))


def wished(name: str, change: Callable[[World, str], None] = lambda world, export: None, **asking: Any) -> None:
    """A row about a bundle with all contents for which something else was asked or approved."""

    def make() -> Made:
        world, log = small()
        export = world.uuid()
        asked = world.ask(export, asking.pop("question", whole_range(log)), **({"parts": ALL_PARTS} | asking))
        change(world, export)
        return made(build(world, whole_range(log), asked=asked, export=export))

    make.__name__ = name
    forgery(ASKED)(make)


def resealed(kind: str, **values: object) -> Callable[[World, str], None]:
    """The entry of a kind about the export says something else."""

    def change(world: World, export: str) -> None:
        entry = next(each for each in world.registry.entries if each.json["kind"] == kind)
        said = entry.json
        said["body"] = {name: value for name, value in (said["body"] | values).items() if value != "gone"}
        entry.data = json.dumps(said, separators=(",", ":")).encode()

    return change


wished("contents_that_nobody_approved")
wished("contents_that_were_not_asked_for", approved=True, parts=("input",))
wished("contents_that_were_not_asked_for_at_all", parts=())
wished("other_contents_approved", approved=True, sealed={"parts": ["input"]})
wished("another_question_approved", approved=True, sealed={"question": {"kind": "subject"}})
wished("asked_for_in_another_form", resealed("export.requested", form="csv"), approved=True)
wished("asked_for_without_a_question", resealed("export.requested", question="gone"), approved=True)
wished("asked_for_without_a_list_of_contents", resealed("export.requested", parts="gone"), approved=True)
wished("approved_without_a_question", resealed("export.approved", question="gone"), approved=True)


@forgery(ASKED)
def approved_by_whoever_asked() -> Made:
    world, log = small()
    world.approver = world.person
    return made(build(world, whole_range(log)))


@forgery(ASKED)
def approved_before_it_was_asked_for() -> Made:
    world, log = small()
    export = world.uuid()
    asked = world.ask(export, whole_range(log), approved=True, parts=ALL_PARTS)
    entries = world.registry.entries
    entries[-2:] = entries[:-3:-1]
    return made(build(world, whole_range(log), asked=asked, export=export))


# --- the range --------------------------------------------------------------------------------------------------------
def ranged(name: str, *codes: str, first: int = 10, end: int = 290, wishes: Wishes | None = None) -> None:
    """A bundle of the usual question whose range is moved, and whose figures are those of the range it has."""

    def make() -> Made:
        at = usual_world()
        bundle = build(at.world, at.question, wishes)
        bundle.manifest["logs"][0]["range"] = [first, end]
        return made(bundle.put_manifest())

    make.__name__ = name
    forgery(*codes)(make)


ranged("a_range_that_begins_one_late", "range-wrong", first=11)
ranged("a_range_that_begins_one_early", "range-wrong", first=9)
ranged("a_range_that_ends_one_early", "range-wrong", end=289)
ranged("a_range_that_ends_one_late", "range-wrong", end=291)
ranged("a_range_that_begins_far_too_late", "range-wrong", first=100)
ranged("a_range_that_is_empty", "range-wrong", first=10, end=10)
ranged("a_range_whose_fences_are_not_there", "fence-missing", first=8, end=292)


def shrunk(name: str, *codes: str, drop: Callable[[int], bool]) -> None:
    """A bundle that discloses fewer entries, and counts them right, but calls itself whole."""

    def make() -> Made:
        at = usual_world()
        bundle = build(at.world, at.question, Wishes(discloses=lambda log, index, entry: not drop(index)))
        bundle.manifest |= {"whole": True, "left_out": []}
        return made(bundle.put_manifest())

    make.__name__ = name
    forgery(*codes)(make)


shrunk("entries_withheld_and_called_whole", "whole-claimed", drop=lambda index: 50 <= index < 60)
shrunk("one_entry_withheld_and_called_whole", "whole-claimed", drop=lambda index: index == 60)


@forgery("entries-withheld", "not-whole", exit_code=3)
def entries_withheld_and_said() -> Made:
    at = usual_world()
    return made(build(at.world, at.question, Wishes(discloses=lambda log, index, entry: index % 7 > 0)))


@forgery("not-whole", exit_code=3)
def something_left_out_and_said() -> Made:
    world, log = small()
    return made(build(world, whole_range(log), Wishes(left_out=("the letters",))))


@forgery("whole-claimed")
def a_decision_that_is_not_there_and_called_whole() -> Made:
    world, log = small()
    there = log.entries[2].json["id"]
    bundle = build(world, {"kind": "decision", "decision": UUID}, Wishes(decisions=frozenset([there])))
    bundle.manifest["answer"] |= {
        "decisions": 0,
        "outcomes": {},
        "by_model_version": {},
        "first_at": None,
        "last_at": None,
    }
    bundle.manifest["parts"] = {}
    return made(bundle.put_manifest())


@forgery("fence-missing")
def a_fence_not_disclosed() -> Made:
    at = usual_world()
    bundle = build(at.world, at.question)
    folder = f"logs/{at.log.name}"
    lines = bundle.files[f"{folder}/entries/000000.ndjson"].splitlines(keepends=True)
    bundle.files[f"{folder}/entries/000000.ndjson"] = b"".join(lines[:-1])
    bundle.files[f"{folder}/disclosed"] = b"0 1\n9 281\n298 1\n"
    bundle.manifest["logs"][0]["disclosed"] = 283
    return made(bundle.seal())


# --- logs -------------------------------------------------------------------------------------------------------------
def succeeded(lost: int = 0) -> tuple[World, Log, Log]:
    """A log that was closed, and its successor."""
    world, log = small(count=12)
    successor = world.close(log, lost=lost)
    for _ in range(5):
        world.decide(successor)
    return world, log, successor


def relogged(name: str, *codes: str, change: Callable[[Json, World, Log, Log], object]) -> None:
    """A row about two logs in a chain whose manifest is changed."""

    def make() -> Made:
        world, log, successor = succeeded()
        bundle = build(world, whole_range(log))
        change(bundle.manifest, world, log, successor)
        return made(bundle.put_manifest())

    make.__name__ = name
    forgery(*codes)(make)


def _drop(manifest: Json, world: World, log: Log, successor: Log) -> None:
    manifest["logs"] = [row for row in manifest["logs"] if row["log"] != log.name]


def _set(**values: object) -> Callable[[Json, World, Log, Log], None]:
    return lambda manifest, world, log, successor: manifest["logs"][1].update(values)


relogged("a_chain_with_its_first_link_missing", "log-missing", change=_drop)
relogged("a_chain_whose_last_link_is_missing", "log-missing", change=lambda manifest, *_: manifest["logs"].pop(1))
relogged("a_successor_without_its_predecessor", "chain-broken", change=_set(predecessor=None))
relogged("a_successor_of_another_log", "chain-broken", change=_set(predecessor=f"answerable.example.com/logs/{UUID}"))
relogged(
    "a_predecessor_where_there_is_none",
    "chain-broken",
    change=lambda manifest, *_: manifest["logs"][0].update(predecessor=manifest["logs"][1]["origin"]),
)
relogged(
    "a_chain_in_another_order",
    "chain-broken",
    change=lambda manifest, *_: manifest["logs"].insert(0, manifest["logs"].pop(1)),
)
relogged("a_log_of_another_system", "log-differs", "log-unannounced", change=_set(system=UUID))
relogged(
    "a_registry_log_of_another_name",
    "manifest-malformed",
    change=lambda manifest, *_: manifest["logs"][-1].update(log=UUID),
)


@forgery("log-left-out", "not-whole", exit_code=3)
def a_chain_whose_first_log_is_left_out_and_said() -> Made:
    world, log, _ = succeeded()
    bundle = build(world, whole_range(log), Wishes(left_out=("a log",)))
    for path in [path for path in bundle.files if path.startswith(f"logs/{log.name}/") or path.startswith("parts/")]:
        del bundle.files[path]
    row = bundle.manifest["logs"].pop(0)
    bundle.manifest["answer"] |= {
        "decisions": 5,
        "entries": 6,
        "outcomes": {"approved": 5},
        "by_model_version": {"2.1": 5},
    }
    bundle.manifest["answer"]["first_at"] = world.logs[bundle.manifest["logs"][0]["origin"]].entries[1].json["at"]
    bundle.manifest["parts"] = {name: {"disclosed": 0, "withheld": 5, "erased": 0} for name in ("input", "output")}
    assert row["log"] == log.name
    return made(bundle.seal())


@forgery("log-left-out", "not-whole", exit_code=3)
def the_first_registry_log_left_out_and_said() -> Made:
    world, log = small()
    world.close(world.registry)
    bundle = build(world, whole_range(log), Wishes(left_out=("a log",)))
    for path in [path for path in bundle.files if path.startswith("logs/registry/")]:
        del bundle.files[path]
    bundle.manifest["logs"] = [row for row in bundle.manifest["logs"] if row["log"] != "registry"]
    return made(bundle.seal())


@forgery("log-missing", "chain-broken", "log-unannounced")
def the_first_registry_log_left_out_and_not_said() -> Made:
    world, log = small()
    world.close(world.registry)
    bundle = build(world, whole_range(log))
    for path in [path for path in bundle.files if path.startswith("logs/registry/")]:
        del bundle.files[path]
    bundle.manifest["logs"] = [row for row in bundle.manifest["logs"] if row["log"] != "registry"]
    return made(bundle.seal())


@forgery("entries-lost", exit_code=3)
def a_chain_with_a_lost_tail() -> Made:
    world, log, _ = succeeded(lost=3)
    return made(build(world, whole_range(log)))


@forgery("entries-lost", exit_code=3)
def a_chain_whose_first_log_ends_before_its_successor_says() -> Made:
    world, log, _ = succeeded()
    return made(build(world, whole_range(log), Wishes(sizes={log.origin: 9})))


@forgery("record-differs")
def a_predecessor_larger_than_its_successor_states() -> Made:
    world, log, _ = succeeded()
    world.decide(log)
    return made(build(world, whole_range(log)))


@forgery("record-differs")
def a_predecessor_of_another_root_than_its_successor_states() -> Made:
    world, log, _ = succeeded()
    log.entries[5].data = log.entries[5].data.replace(b"approved", b"declined")
    return made(build(world, whole_range(log)))


@forgery("log-unannounced")
def a_log_that_the_registry_never_announced() -> Made:
    world, log = small()
    world.registry.entries = [each for each in world.registry.entries if each.json["kind"] != "log.announced"]
    return made(build(world, whole_range(log)))


@forgery("log-unannounced")
def a_log_announced_as_another_systems() -> Made:
    world, log = small()
    entry = next(each for each in world.registry.entries if each.json["kind"] == "log.announced")
    entry.data = entry.data.replace(str(log.system).encode(), UUID.encode())
    return made(build(world, whole_range(log)))


@forgery("log-differs")
def an_entry_0_of_another_system() -> Made:
    world, log = small()
    log.entries[0].data = log.entries[0].data.replace(str(log.system).encode(), UUID.encode())
    return made(build(world, whole_range(log)))


@forgery("log-differs")
def an_entry_0_of_another_registry() -> Made:
    world, log = small()
    log.entries[0].data = log.entries[0].data.replace(b"/logs/registry", b"/logs/regestry")
    return made(build(world, whole_range(log)))


@forgery("log-differs")
def an_entry_0_that_is_a_decision() -> Made:
    world, log = small()
    log.entries.pop(0)
    return made(build(world, whole_range(log)))


@forgery("log-differs")
def an_entry_0_that_is_not_disclosed() -> Made:
    world, log = small(count=30)
    question = {"kind": "range", "system": log.system, "since": log.entries[20].json["at"], "until": None}
    bundle = build(world, question)
    folder = f"logs/{log.name}"
    bundle.files[f"{folder}/entries/000000.ndjson"] = b"".join(
        bundle.files[f"{folder}/entries/000000.ndjson"].splitlines(keepends=True)[1:]
    )
    bundle.files[f"{folder}/disclosed"] = b"19 12\n"
    bundle.manifest["logs"][0]["disclosed"] -= 1
    return made(bundle.seal())


@forgery("chain-broken", "log-differs")
def a_registry_log_that_is_not_the_registry() -> Made:
    world, log = small()
    bundle = build(world, whole_range(log))
    row, name = bundle.manifest["logs"][-1], UUID
    for path in [path for path in bundle.files if path.startswith("logs/registry/")]:
        bundle.files[path.replace("registry", name)] = bundle.files.pop(path)
    row |= {"log": name, "origin": row["origin"].replace("registry", name)}
    return made(bundle.seal())


@forgery("chain-broken")
def two_logs_of_one_system_side_by_side() -> Made:
    world, log = small()
    second = world.open_system(log.system)
    world.decide(second)
    return made(build(world, whole_range(log)))


@damage("file-extra")
def a_log_that_the_manifest_does_not_name(bundle: Bundle) -> None:
    for path in [path for path in bundle.files if path.startswith("logs/registry/")]:
        bundle.files[path.replace("registry", UUID)] = bundle.files[path]
    bundle.seal()


@damage("file-missing")
def a_log_of_which_nothing_is_there(bundle: Bundle) -> None:
    row = bundle.manifest["logs"][0] | {"log": UUID, "origin": f"answerable.example.com/logs/{UUID}"}
    bundle.manifest["logs"].insert(0, row)
    bundle.seal()


# --- the decisions of a case ------------------------------------------------------------------------------------------
def of_case(
    name: str, *codes: str, exit_code: int = 1, shown: slice = slice(6), taken: int = 0, acts: int = 1, **said: Any
) -> None:
    """A row whose case has six decisions, put in by some acts, of which some were taken out, and some are shown."""

    def make() -> Made:
        world, log = small(count=2)
        decisions = [world.decide(log) for _ in range(8)]
        case = world.open_case(*(decisions[:6][at::acts] for at in range(acts)))
        if taken:
            world.put_into(case, decisions[:taken], takes_out=True, **said)
        wishes = Wishes(decisions=frozenset(decisions[shown]))
        return made(build(world, {"kind": "case", "case": case}, wishes))

    make.__name__ = name
    forgery(*codes, exit_code=exit_code)(make)


of_case("all_decisions_of_a_case", exit_code=0)
of_case("all_decisions_of_a_case_that_were_put_in_twice", exit_code=0, acts=2)
of_case("all_decisions_of_a_case_but_those_that_were_taken_out", exit_code=0, taken=2, shown=slice(2, 6))
of_case("two_of_six_decisions_of_a_case", "whole-claimed", shown=slice(2))
of_case("two_of_six_decisions_of_a_case_that_were_put_in_twice", "whole-claimed", shown=slice(2), acts=2)
of_case("more_decisions_than_a_case_has", "whole-claimed", shown=slice(8))
of_case("other_decisions_than_those_of_a_case", "whole-claimed", shown=slice(1, 7))
of_case("decisions_of_a_case_that_were_taken_out", "whole-claimed", taken=2)
of_case("a_case_that_counts_nothing", "entry-malformed", taken=2, count="2")


@forgery("whole-claimed")
def a_case_of_which_nothing_is_told() -> Made:
    world, log = small()
    wishes = Wishes(decisions=frozenset([world.decide(log)]))
    return made(build(world, {"kind": "case", "case": world.uuid()}, wishes))


@forgery("whole-claimed")
def another_case_than_the_one_that_was_asked_for() -> Made:
    world, log = small()
    decision = world.decide(log)
    world.open_case([decision])
    return made(build(world, {"kind": "case", "case": world.uuid()}, Wishes(decisions=frozenset([decision]))))


@forgery("manifest-differs")
def a_case_that_is_called_otherwise() -> Made:
    world, log = small()
    decision = world.decide(log)
    case = world.open_case([decision])
    bundle = build(world, {"kind": "case", "case": case}, Wishes(decisions=frozenset([decision])))
    bundle.manifest["called"] = "C-another"
    return made(bundle.seal())
