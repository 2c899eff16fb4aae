"""What a successor, or the registry log, says against the log that stands in the bundle."""

import json
from typing import Any

from tests.bundles.building import ALL_PARTS, Wishes, build
from tests.bundles.cases import Made, forgery, made, small, whole_range
from tests.bundles.merkle import root
from tests.bundles.world import Json, Log, World, timestamp

FORKED = "ab" * 32


def grown(world: World, log: Log, count: int = 5) -> Log:
    for _ in range(count):
        world.decide(log)
    return log


def told(name: str, *codes: str, exit_code: int, lost: int = 0, **stated: object) -> None:
    """A row about a log of 13 entries, of which `lost` are lost, whose successor states something more of it."""

    def make() -> Made:
        world, log = small(count=12)
        grown(world, world.close(log, lost=lost, **stated))
        return made(build(world, whole_range(log)))

    make.__name__ = name
    forgery(*codes, exit_code=exit_code)(make)


told("a_tail_of_which_nobody_knows", "entries-lost", exit_code=3, tail="unknown")
told("a_tail_of_which_more_is_said", "log-differs", exit_code=1, tail="known")
told("a_tail_that_is_null", "log-differs", exit_code=1, tail=None)
told("a_tree_held_outside_of_another_root", "history-forked", exit_code=1, contradicted=[[9, FORKED]])
told("one_held_outside_of_the_same_size", "history-forked", exit_code=1, contradicted=[[13, FORKED]])
told("a_larger_tree_held_outside", "history-elsewhere", exit_code=3, contradicted=[[14, FORKED]])
told(
    "thirteen_trees_held_outside", "history-elsewhere", exit_code=3, contradicted=[[14 + n, FORKED] for n in range(13)]
)
told("many_trees_held_outside", "history-elsewhere", exit_code=3, contradicted=[[14, FORKED]] * 101)
told("trees_held_outside_that_are_none", "log-differs", exit_code=1, contradicted=[[14, "ab"]])
told("trees_held_outside_that_are_no_list", "log-differs", exit_code=1, contradicted={"14": FORKED})
told(
    "another_tree_within_the_lost_tail",
    "entries-lost",
    "history-elsewhere",
    exit_code=3,
    lost=3,
    contradicted=[[12, FORKED]],
)
told("a_tail_that_began_elsewhere", "entries-lost", exit_code=3, lost=3, missing=[9, 10])
told("a_successor_that_denies_what_is_missing", "entries-lost", exit_code=3, lost=3, missing=[10, 10])


@forgery("record-differs")
def a_record_of_a_larger_tree_than_the_successor_states() -> Made:
    world, log = small(count=12)
    world.record_checkpoint(log)
    del log.entries[9:]
    stated: dict[str, Any] = {"tree_size": 9, "root_hash": root(log.leaves).hex(), "missing": [9, 9]}
    grown(world, world.close(log, **stated))
    record = next(each for each in world.registry.entries if each.json["kind"] == "checkpoint.recorded")
    index = world.registry.entries.index(record)
    return made(build(world, whole_range(log), Wishes(registry=frozenset([index]))))


def contradicted(name: str, *codes: str, exit_code: int, size: int) -> None:
    """A row about an open log of 13 entries, of which the registry log says that somebody holds another tree."""

    def make() -> Made:
        world, log = small(count=12)
        world.contradict(log, size, FORKED)
        return made(build(world, whole_range(log)))

    make.__name__ = name
    forgery(*codes, exit_code=exit_code)(make)


contradicted("an_open_log_of_two_histories", "history-forked", exit_code=1, size=9)
contradicted("an_open_log_of_which_more_is_held_outside", "history-elsewhere", exit_code=3, size=20)


@forgery("entry-malformed")
def a_contradiction_without_a_tree() -> Made:
    world, log = small()
    body: Json = {"log": log.name, "origin": log.origin, "tree_size": "9", "root_hash": FORKED}
    world.say(world.registry, "checkpoint.contradicted", body, about=world.uuid())
    return made(build(world, whole_range(log)))


def rewritten(name: str, *codes: str, exit_code: int, wishes: Wishes | None = None) -> None:
    """A row about a log that was rewritten behind what the registry log recorded of it; the range lies far behind."""

    def make() -> Made:
        world, log = small(count=300)
        world.record_checkpoint(log)
        log.entries[5].data = log.entries[5].data.replace(b"approved", b"declined")
        grown(world, log, 300)
        return made(build(world, whole_range(log) | {"since": log.entries[520].json["at"]}, wishes))

    make.__name__ = name
    forgery(*codes, exit_code=exit_code)(make)


rewritten("a_log_rewritten_behind_its_record", "record-differs", exit_code=1)
rewritten(
    "a_log_rewritten_and_its_record_not_compared", "record-not-comparable", exit_code=3,
    wishes=Wishes(proves_records=False),
)  # fmt: skip


def asked_and_grown(name: str, *codes: str, exit_code: int = 1, left_out: tuple[str, ...] = ()) -> None:
    """A row about a bundle under an older checkpoint than there was when it was asked for."""

    def make() -> Made:
        world, log = small(count=12)
        export = world.uuid()
        asked = world.ask(export, whole_range(log), approved=True, parts=ALL_PARTS)
        wishes = Wishes(sizes={log.origin: 9}, left_out=left_out)
        return made(build(world, whole_range(log), wishes, asked=asked, export=export))

    make.__name__ = name
    forgery(*codes, exit_code=exit_code)(make)


asked_and_grown("an_older_tree_than_when_it_was_asked_for", "range-wrong")
asked_and_grown("an_older_tree_than_when_it_was_asked_for_and_said", "not-whole", exit_code=3, left_out=("its end",))


@forgery("record-differs")
def a_log_rewritten_since_it_was_asked_for() -> Made:
    world, log = small(count=12)
    export = world.uuid()
    asked = world.ask(export, whole_range(log), approved=True, parts=ALL_PARTS)
    log.entries[5].data = log.entries[5].data.replace(b"approved", b"declined")
    grown(world, log)
    return made(build(world, whole_range(log), asked=asked, export=export))


@forgery("range-wrong")
def an_end_behind_the_asking() -> Made:
    world, log = small(count=12)
    return made(build(world, whole_range(log) | {"until": timestamp(world.now + 100)}))


@forgery("range-wrong")
def a_larger_tree_was_recorded_before_it_was_asked_for() -> Made:
    world, log = small(count=12)
    world.record_checkpoint(log)
    record = len(world.registry.entries) - 1
    world.now += 100
    wishes = Wishes(sizes={log.origin: 9}, registry=frozenset([record]))
    return made(build(world, whole_range(log), wishes))


@forgery("asked-differs")
def no_logs_sealed_when_it_was_asked_for() -> Made:
    world, log = small()
    export = world.uuid()
    asked = world.ask(export, whole_range(log), approved=True, parts=ALL_PARTS)
    entry = next(each for each in world.registry.entries if each.json["kind"] == "export.requested")
    entry.data = entry.data.replace(b'"logs":', b'"lags":')
    return made(build(world, whole_range(log), asked=asked, export=export))


def beside(name: str, *codes: str, is_told: bool) -> None:
    """A row about a second log of the same AI system that the bundle leaves out."""

    def make() -> Made:
        world, log = small()
        second = world.open_system(log.system)
        grown(world, second)
        export = world.uuid()
        asked = world.ask(export, whole_range(log), approved=True, parts=ALL_PARTS)
        announced = [
            at for at, each in enumerate(world.registry.entries) if each.json["body"].get("log") == second.name
        ]
        if is_told:
            entry = next(each for each in world.registry.entries if each.json["kind"] == "export.requested")
            said = entry.json
            said["body"]["logs"] = said["body"]["logs"][:1]
            entry.data = json.dumps(said, separators=(",", ":")).encode()
        del world.logs[second.origin]
        wishes = Wishes(registry=frozenset(announced if is_told else ()))
        return made(build(world, whole_range(log), wishes, asked=asked, export=export))

    make.__name__ = name
    forgery(*codes)(make)


beside("a_second_log_that_was_there_when_it_was_asked_for", "log-missing", is_told=False)
beside("a_second_log_that_is_announced", "log-missing", is_told=True)


@forgery("record-differs")
def a_log_closed_twice_differently() -> Made:
    world, log = small()
    other = world.open_system()
    world.decide(world.close(log))
    closed = {"log": log.name, "origin": log.origin, "successor": other.origin}
    world.say(world.registry, "log.closed", closed, about=log.name)
    return made(build(world, whole_range(log)))


@forgery("chain-broken")
def a_closure_that_names_another_log() -> Made:
    world, log = small()
    successor = world.close(log)
    world.decide(successor)
    for entry in world.registry.entries:
        if entry.json["kind"] == "log.closed":
            entry.data = entry.data.replace(successor.origin.encode(), world.registry.origin.encode())
    return made(build(world, whole_range(log)))
