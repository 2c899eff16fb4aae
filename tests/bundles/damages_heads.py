"""Earlier checkpoints, heads that were kept, and what the registry log recorded."""

import base64
from collections.abc import Callable
from dataclasses import replace

from tests.bundles import merkle
from tests.bundles.building import Bundle, build
from tests.bundles.cases import Made, damage, forgery, made, small, usual, usual_made, whole_range
from tests.bundles.merkle import Signer

STRANGER = Signer(bytes([66]) * 32)


# --- the earlier checkpoint, and heads that were kept -----------------------------------------------------------------
@damage("before-differs")
def an_earlier_checkpoint_of_another_history(bundle: Bundle) -> None:
    name = bundle.manifest["logs"][0]["log"]
    origin = bundle.manifest["logs"][0]["origin"]
    text = f"{origin}\n7\n{base64.b64encode(bytes(32)).decode()}\n"
    bundle.files[f"logs/{name}/checkpoint.before"] = merkle.note(text, origin, bundle.note_signers).encode()
    bundle.seal()


@damage("before-differs")
def an_earlier_checkpoint_of_another_size(bundle: Bundle) -> None:
    bundle.manifest["logs"][0]["before"] = 6
    bundle.seal()


@damage("before-differs")
def an_earlier_checkpoint_of_another_log(bundle: Bundle) -> None:
    name = bundle.manifest["logs"][0]["log"]
    bundle.files[f"logs/{name}/checkpoint.before"] = bundle.files["logs/registry/checkpoint"]
    bundle.seal()


@damage("before-unsigned", exit_code=0)
def an_earlier_checkpoint_by_a_stranger(bundle: Bundle) -> None:
    path = f"logs/{bundle.manifest['logs'][0]['log']}/checkpoint.before"
    text = bundle.files[path].decode().partition("\n\n")[0] + "\n"
    bundle.files[path] = merkle.note(text, bundle.manifest["logs"][0]["origin"], [STRANGER]).encode()
    bundle.seal()


def kept(size: int, *, root: bytes | None = None, origin: str = "") -> bytes:
    """A head of the usual log as an auditor kept it."""
    log = usual().world.logs[usual().manifest["logs"][0]["origin"]]
    text = merkle.checkpoint_text(log.origin, log.leaves[:size])
    if root is not None:
        text = f"{log.origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    text = text.replace(log.origin, origin or log.origin)
    return merkle.note(text, origin or log.origin, usual().note_signers).encode()


def headed(name: str, head: Callable[[], bytes], *codes: str, exit_code: int) -> None:
    def make() -> Made:
        return replace(usual_made(usual()), heads=(head(),))

    make.__name__ = f"a_head_{name}"
    forgery(*codes, exit_code=exit_code)(make)


headed("of_an_earlier_tree", lambda: kept(100), exit_code=0)
headed("of_a_tree_of_256", lambda: kept(256), exit_code=0)
headed("of_a_tree_of_one", lambda: kept(1), exit_code=0)
headed("of_an_empty_tree", lambda: kept(0), exit_code=0)
headed("of_this_tree", lambda: kept(299), exit_code=0)
headed("of_a_fork", lambda: kept(100, root=bytes(32)), "head-forked", exit_code=1)
headed("of_a_fork_of_the_same_size", lambda: kept(299, root=bytes(32)), "head-forked", exit_code=1)
headed("of_a_larger_tree", lambda: kept(400, root=bytes(32)), "head-not-comparable", exit_code=3)
headed("of_another_log", lambda: kept(100, origin="answerable.example.com/logs/other"), "head-elsewhere", exit_code=0)


@forgery("head-not-comparable", exit_code=3)
def a_head_that_the_tiles_do_not_reach() -> Made:
    world, log = small(count=900)
    head = world.checkpoint(log, 300).encode()
    question = {"kind": "range", "system": log.system, "since": log.entries[800].json["at"], "until": None}
    return made(build(world, question), heads=(head,))


@forgery("record-differs")
def a_fork_signed_with_the_right_key() -> Made:
    world, log = small(count=20)
    world.record_checkpoint(log)
    log.entries[7].data = log.entries[7].data.replace(b"approved", b"declined")
    return made(build(world, whole_range(log)))


@forgery("record-differs")
def a_fork_of_a_smaller_tree_signed_with_the_right_key() -> Made:
    world, log = small(count=20)
    world.record_checkpoint(log)
    log.entries[7].data = log.entries[7].data.replace(b"approved", b"declined")
    world.decide(log)
    return made(build(world, whole_range(log)))


@forgery("entry-malformed")
def a_recorded_checkpoint_that_is_none() -> Made:
    world, log = small(count=20)
    world.say(
        world.registry, "checkpoint.recorded", {"origin": log.origin, "tree_size": 3, "root_hash": "00"}, about=log.name
    )
    bundle = build(world, whole_range(log))
    return made(bundle)
