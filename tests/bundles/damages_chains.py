"""What a successor, or the registry log, says against the log that stands in the bundle."""

from tests.bundles.building import Wishes, build
from tests.bundles.cases import Made, forgery, made, small, whole_range
from tests.bundles.merkle import root
from tests.bundles.world import Json, Log, World

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
    stated = {"tree_size": 9, "root_hash": root(log.leaves).hex(), "missing": [9, 9]}
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
