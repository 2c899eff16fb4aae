"""Damages to disclosed contents."""

import json
from collections.abc import Callable

from tests.bundles.building import ALL_PARTS, Bundle, Wishes, build, part_line
from tests.bundles.cases import Made, damage, forgery, made, small, usual_world, whole_range
from tests.bundles.world import Json


# --- contents ---------------------------------------------------------------------------------------------------------
def opened(name: str, change: Callable[[list[Json]], object], *codes: str) -> None:
    """A row that changes the lines of the first file of contents, and lists it anew."""

    def damaged(bundle: Bundle) -> None:
        path = "parts/000000.ndjson"
        rows = [json.loads(line) for line in bundle.files[path].splitlines()]
        found = change(rows)
        lines = [
            line if isinstance(line, bytes) else json.dumps(line).encode()
            for line in (found if isinstance(found, list) else rows)
        ]
        bundle.files[path] = b"\n".join([*lines, b""])
        bundle.seal()

    damaged.__name__ = f"contents_{name}"
    damage(*codes)(damaged)


def put(at: int, **values: object) -> Callable[[list[Json]], None]:
    def change(rows: list[Json]) -> None:
        rows[at] |= values
        for name in [name for name, value in rows[at].items() if value is ...]:
            del rows[at][name]

    return change


NO_PART, ANOTHER, UNKNOWN = "part-malformed", "part-altered", "part-unknown"
opened("under_another_key", put(4, key="0" * 64), ANOTHER)
opened("that_are_others", put(4, text='{"n":999}'), ANOTHER)
opened("with_a_key_of_31_bytes", put(4, key="0" * 62), NO_PART)
opened("with_a_key_of_33_bytes", put(4, key="0" * 66), NO_PART)
opened("with_a_key_in_capitals", lambda rows: rows[4].update(key=rows[4]["key"].upper()), NO_PART)
opened("with_a_part_nobody_has", put(4, part="soul"), NO_PART)
opened("of_a_log_that_is_not_there", put(4, log="0" * 8 + "-0000-7000-8000-" + "0" * 12), NO_PART)
opened("of_an_index_that_is_true", put(4, index=True), NO_PART)
opened("of_a_negative_index", put(4, index=-1), NO_PART)
opened("without_a_text", put(4, text=...), NO_PART)
opened("with_text_and_base64", put(4, base64="AAAA"), NO_PART)
opened("with_a_member_more", put(4, note="look"), NO_PART)
opened("with_base64_that_has_padding_bits", put(4, text=..., base64="AB=="), NO_PART)
opened("with_base64_without_padding", put(4, text=..., base64="AA"), NO_PART)
opened("with_base64_with_a_newline", put(4, text=..., base64="AAAA\n"), NO_PART)
opened("with_a_lone_surrogate", put(4, text="\ud800"), NO_PART)
opened("twice", lambda rows: rows.insert(4, rows[4]), NO_PART)
opened("out_of_order", lambda rows: [*rows[:4], rows[5], rows[4], *rows[6:]], NO_PART)
opened("of_an_entry_that_is_not_disclosed", lambda rows: rows.insert(0, rows[0] | {"index": 5}), UNKNOWN)
opened(
    "behind_the_last_entry",
    lambda rows: [*rows[:3], rows[3] | {"index": 280, "log": "registry"}],
    UNKNOWN,
    "manifest-differs",
)
opened("of_a_part_that_was_not_sent", lambda rows: rows.insert(1, rows[0] | {"part": "explanation"}), NO_PART)
opened(
    "that_were_swapped_between_decisions",
    lambda rows: [*rows[:3], rows[3] | {"index": rows[0]["index"]}, *rows[4:]],
    NO_PART,
)
opened("with_a_name_twice", lambda rows: [b'{"index":10,"index":10}', *rows], NO_PART)
opened("that_are_no_json", lambda rows: [b"{", *rows], NO_PART)
opened("that_are_no_utf_8", lambda rows: [b'"\xff"', *rows], NO_PART)
opened("that_nest_deeply", lambda rows: [b"[" * 100_000, *rows], NO_PART)
opened("with_an_empty_line", lambda rows: [b"", *rows], NO_PART)
opened("dropped", lambda rows: rows.pop(4), "manifest-differs")


def swapped(part: str, what: str, *members: str) -> None:
    """A row in which two decisions have each other's part, its key, or the bytes alone."""

    def swap(bundle: Bundle) -> None:
        path = "parts/000000.ndjson"
        rows = [json.loads(line) for line in bundle.files[path].splitlines()]
        one, other = [row for row in rows if row["part"] == part][:2]
        assert one["text"] != other["text"] or "key" in members
        for name in members:
            one[name], other[name] = other[name], one[name]
        bundle.files[path] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        bundle.seal()

    swap.__name__ = f"{what}_swapped_between_two_decisions"
    damage("part-altered")(swap)


swapped("input", "inputs", "key", "text")
swapped("input", "inputs_without_their_keys", "text")
swapped("output", "keys_of_outputs", "key")
swapped("refs", "subjects", "key", "text")
swapped("refs", "subjects_without_their_keys", "text")


def referred(name: str, change: Callable[[Json], object]) -> None:
    """A row in which the refs of a decision (its subject, its labels) are others than those that were sealed."""

    def refer(bundle: Bundle) -> None:
        path = "parts/000000.ndjson"
        rows = [json.loads(line) for line in bundle.files[path].splitlines()]
        row = next(row for row in rows if row["part"] == "refs")
        refs = json.loads(row["text"])
        change(refs)
        row["text"] = json.dumps(refs, separators=(",", ":"))
        bundle.files[path] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        bundle.seal()

    refer.__name__ = f"refs_with_{name}"
    damage("part-altered")(refer)


referred("another_subject", lambda refs: refs.update(subject="somebody else"))
referred("labels_of_their_own", lambda refs: refs.update(labels={"region": "EU"}))
referred("no_subject", lambda refs: refs.clear())


@damage("part-altered", "part-unknown")
def particulars_of_another_row(bundle: Bundle) -> None:
    path = max(path for path in bundle.files if path.startswith("parts/"))
    every = b"".join(bundle.files[path] for path in sorted(bundle.files) if path.startswith("parts/"))
    rows = [json.loads(line) for line in every.splitlines()]
    row = next(row for row in rows if row["part"] == "particulars")
    row["text"] = '{"note":"did not speak to them"}'
    state = next(row for row in rows if row["part"] == "state")
    rows.append({**state, "part": "particulars", "index": state["index"] + 1})
    rows.sort(key=lambda row: (row["index"], ALL_PARTS.index(row["part"])))
    for path in [path for path in bundle.files if path.startswith("parts/")]:
        del bundle.files[path]
    bundle.files["parts/000000.ndjson"] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    bundle.seal()


@damage("part-unknown")
def particulars_without_their_state(bundle: Bundle) -> None:
    for path in sorted(path for path in bundle.files if path.startswith("parts/")):
        lines = bundle.files[path].splitlines(keepends=True)
        bundle.files[path] = b"".join(line for line in lines if json.loads(line)["part"] != "state")
    bundle.seal()


@damage("manifest-differs")
def an_erasure_that_never_was(bundle: Bundle) -> None:
    path = "parts/000000.ndjson"
    lines = bundle.files[path].splitlines(keepends=True)
    assert json.loads(lines[0])["part"] == "input"
    bundle.files[path] = b"".join(lines[1:])
    bundle.manifest["parts"]["input"]["disclosed"] -= 1
    bundle.manifest["parts"]["input"]["erased"] += 1
    bundle.seal()


@forgery("part-altered")
def contents_of_an_erased_decision_made_up() -> Made:
    at = usual_world()
    world, log = at.world, at.log
    bundle = build(world, whole_range(log), Wishes(shows=lambda entry, part: False))
    index = next(index for index, entry in enumerate(log.entries) if entry.json["id"] == at.decisions[20])
    bundle.files["parts/000000.ndjson"] = part_line(log.name, index, "input", bytes(32), b"nothing happened")
    return made(bundle.seal())


@forgery("erased-disclosed")
def contents_of_an_erased_decision() -> Made:
    world, log = small()
    entry = log.entries[2]
    held = dict(entry.parts)
    world.erase(log, entry.json["id"])
    entry.parts = held
    return made(build(world, whole_range(log)))


def not_of_the_decision(name: str, *, in_registry: bool, body: Json) -> None:
    """A row about an erasure of something else than the decision's contents, by which they are called erased."""

    def make() -> Made:
        world, log = small()
        decision = log.entries[2]
        world.say(world.registry if in_registry else log, "erasure.performed", body, about=decision.json["id"])
        registry = frozenset(range(len(world.registry.entries)) if in_registry else ())
        wishes = Wishes(shows=lambda entry, part: entry is not decision, registry=registry)
        bundle = build(world, whole_range(log), wishes)
        for row in bundle.manifest["parts"].values():
            row |= {"withheld": 0, "erased": 1}
        return made(bundle.put_manifest())

    make.__name__ = name
    forgery("manifest-differs")(make)


not_of_the_decision("an_erasure_in_quarantine_taken_for_the_decisions", in_registry=False, body={"place": "quarantine"})
not_of_the_decision("an_erasure_in_the_registry_log_taken_for_the_decisions", in_registry=True, body={})


@forgery("manifest-differs")
def an_erasure_from_before_the_decision() -> Made:
    world, log = small()
    world.erase(log, world.decide(log))
    log.entries[-2:] = reversed(log.entries[-2:])
    return made(build(world, whole_range(log)))
