"""Signatures, keys and their announcements, witnesses, heads that were kept."""

import base64
import hashlib
import json
from collections.abc import Callable

from tests.bundles import merkle
from tests.bundles.building import Bundle, Wishes, build
from tests.bundles.cases import (
    WITNESS,
    WITNESS_NAME,
    Made,
    damage,
    forgery,
    made,
    small,
    usual,
    whole_range,
)
from tests.bundles.merkle import Signer

STRANGER = Signer(bytes([66]) * 32)
UNTRUSTED = "signature-untrusted"


# --- somebody without the key makes everything anew -------------------------------------------------------------------
@forgery("no-key", exit_code=3)
def honest_without_a_key() -> Made:
    return Made(usual().zip())


@forgery(UNTRUSTED, "manifest-unsigned")
def all_of_it_under_another_key() -> Made:
    world, log = small(seed=9)
    honest, _ = small(seed=2)
    return made(build(world, whole_range(log)), honest.vkey())


@forgery("origin-foreign")
def all_of_it_under_another_key_and_origin() -> Made:
    world, log = small(seed=9, origin="evil.example.com")
    honest, _ = small(seed=2)
    return made(build(world, whole_range(log)), honest.vkey())


@forgery("origin-foreign")
def a_key_of_something_that_is_no_log() -> Made:
    world, log = small()
    return made(build(world, whole_range(log)), world.signers[0].vkey("answerable.example.com"))


@forgery("origin-foreign")
def a_key_of_an_origin_that_begins_alike() -> Made:
    world, log = small()
    return made(build(world, whole_range(log)), world.signers[0].vkey("answerable.example.com.evil/logs/registry"))


@forgery(UNTRUSTED)
def the_right_announcements_under_another_signature() -> Made:
    world, log = small()
    vkey = world.vkey()
    world.signers = [STRANGER]
    return made(build(world, whole_range(log)), vkey)


@forgery("signature-invalid")
def the_name_and_id_of_the_key_under_another_signature() -> Made:
    world, log = small()
    bundle = build(world, whole_range(log))
    path = "logs/registry/checkpoint"
    text = bundle.files[path].decode().partition("\n\n")[0] + "\n"
    honest = world.signers[0].id(world.registry.origin)
    line = STRANGER.line(world.registry.origin, text).split(" ")
    line[2] = base64.b64encode(honest + base64.b64decode(line[2])[4:]).decode() + "\n"
    bundle.files[path] = (text + "\n" + " ".join(line)).encode()
    return made(bundle.seal())


@forgery("signature-lacking", exit_code=3)
def a_tree_that_announces_a_newer_key_signed_by_the_older_one_alone() -> Made:
    """Whoever found a retired key withholds that it was retired."""
    world, log = small()
    given, old = world.vkey(), world.signers[0]
    world.rotate(finish=False)
    world.decide(log)
    alone = {world.registry.origin: [old], log.origin: [old]}
    return made(build(world, whole_range(log), Wishes(signers=alone)), given)


@forgery(exit_code=0)
def a_tree_that_announces_a_newer_key_signed_by_both() -> Made:
    world, log = small()
    given = world.vkey()
    world.rotate(finish=False)
    world.decide(log)
    return made(build(world, whole_range(log)), given)


@forgery(exit_code=0)
def a_newer_key_that_was_withdrawn() -> Made:
    """Announced, lost, and retired: the older one goes on alone."""
    world, log = small()
    given, old = world.vkey(), world.signers[0]
    new = world.rotate(finish=False)
    for each in world.open_logs:
        world.say(each, "key.retired", world.named(new, each), about=world._about(each))
    world.signers = [old]
    world.decide(log)
    return made(build(world, whole_range(log)), given)


# --- the note of the manifest -----------------------------------------------------------------------------------------
def renoted(
    name: str, *codes: str, change: Callable[[Bundle, str], str], signer: Signer | None = None, under: str = ""
) -> None:
    """A row whose manifest.note has another text, or is another's."""

    def damaged(bundle: Bundle) -> None:
        digest = hashlib.sha256(bundle.files["manifest.json"]).hexdigest()
        text = change(bundle, f"answerable/evidence-bundle/v1\n{bundle.manifest['id']}\n{digest}\n")
        signers = [signer] if signer else bundle.note_signers
        bundle.files["manifest.note"] = merkle.note(
            text, under or bundle.manifest["logs"][-1]["origin"], signers
        ).encode()
        bundle.sums()

    damaged.__name__ = f"a_manifest_note_{name}"
    damage(*codes)(damaged)


def same(bundle: Bundle, text: str) -> str:
    return text


UNSIGNED, OTHER = "manifest-unsigned", "manifest-note-differs"
renoted("by_a_stranger", UNSIGNED, change=same, signer=STRANGER)
renoted("by_a_witness", UNSIGNED, change=same, signer=WITNESS, under=WITNESS_NAME)
renoted("under_another_name", UNSIGNED, change=same, under="answerable.example.com/logs/other")
renoted("of_another_manifest", OTHER, change=lambda bundle, text: text[:-65] + "0" * 64 + "\n")
renoted("of_another_export", OTHER, change=lambda bundle, text: text.replace(bundle.manifest["id"], "0" * 36))
renoted("of_another_format", OTHER, change=lambda bundle, text: text.replace("v1", "v2"))
renoted("with_a_line_more", OTHER, change=lambda bundle, text: text + "more\n")


@damage(UNSIGNED)
def a_manifest_note_by_the_log_of_the_system(bundle: Bundle) -> None:
    digest = hashlib.sha256(bundle.files["manifest.json"]).hexdigest()
    text = f"answerable/evidence-bundle/v1\n{bundle.manifest['id']}\n{digest}\n"
    bundle.files["manifest.note"] = merkle.note(
        text, bundle.manifest["logs"][0]["origin"], bundle.note_signers
    ).encode()
    bundle.sums()


@damage("manifest-note-malformed")
def a_manifest_note_that_is_none(bundle: Bundle) -> None:
    bundle.files["manifest.note"] = b"signed, honestly\n"
    bundle.sums()


# --- announcements of keys --------------------------------------------------------------------------------------------
INVALID_KEY = "announcement-invalid"
P = 2**255 - 19


def rotated(
    name: str, *codes: str, exit_code: int = 1, finish: bool = True, given: int = 0,
    change: Callable[[dict[str, object]], object] | None = None, kind: str = "key.announced",
) -> None:  # fmt: skip
    """A row with a rotated key; the auditor has the first (`given` 0) or second; the last announcement is changed."""

    def make() -> Made:
        world, log = small()
        keys = [world.vkey()]
        keys.append(world.rotate(finish=finish).vkey(world.registry.origin))
        for _ in range(3):
            world.decide(log)
        if change:
            entry = [each for each in world.registry.entries if each.json["kind"] == kind][-1]
            said = entry.json
            change(said["body"])
            entry.data = as_entry(said)
        return made(build(world, whole_range(log)), keys[given])

    make.__name__ = name
    forgery(*codes, exit_code=exit_code)(make)


def as_entry(said: dict[str, object]) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode()


rotated("a_rotation_followed_from_the_first_key", exit_code=0)
rotated("a_rotation_under_way_followed_from_the_first_key", exit_code=0, finish=False)
rotated("a_rotation_seen_from_the_second_key", exit_code=0, given=1)
rotated(
    "an_announcement_that_nobody_signed",
    INVALID_KEY,
    UNTRUSTED,
    change=lambda body: [body.pop("previous"), body.pop("signature")],
)
rotated(
    "an_announcement_with_another_signature",
    INVALID_KEY,
    UNTRUSTED,
    change=lambda body: body.update(signature="A" * 86),
)
rotated(
    "an_announcement_with_a_padded_signature",
    INVALID_KEY,
    change=lambda body: body.update(signature=f"{body['signature']}=="),
)
rotated(
    "an_announcement_by_an_unknown_key",
    INVALID_KEY,
    UNTRUSTED,
    change=lambda body: body.update(previous=STRANGER.public.hex()),
)
rotated(
    "an_announcement_of_another_origin",
    INVALID_KEY,
    change=lambda body: body.update(origin="evil.example.com/logs/registry"),
)
rotated("an_announcement_with_another_key_id", INVALID_KEY, change=lambda body: body.update(key_id="00000000"))
rotated("an_announcement_of_a_key_that_is_none", INVALID_KEY, change=lambda body: body.update(public_key="00" * 32))
rotated(
    "an_announcement_of_a_key_of_small_order", INVALID_KEY, change=lambda body: body.update(public_key="01" + "00" * 31)
)
rotated(
    "an_announcement_of_a_key_that_is_not_reduced",
    INVALID_KEY,
    change=lambda body: body.update(public_key=(P + 1).to_bytes(32, "little").hex()),
)
rotated(
    "an_announcement_of_a_negative_zero",
    INVALID_KEY,
    change=lambda body: body.update(public_key="01" + "00" * 30 + "80"),
)
rotated(
    "an_announcement_of_a_key_of_mixed_order",
    INVALID_KEY,
    change=lambda body: body.update(public_key="feaf9d07b868cc52786305312c376563c622b0386a10d105e3c1501b28d65f7e"),
)
rotated(
    "an_announcement_in_capitals",
    INVALID_KEY,
    change=lambda body: body.update(public_key=str(body["public_key"]).upper()),
)


@forgery(INVALID_KEY, UNTRUSTED)
def a_strangers_key_announced_without_a_signature() -> Made:
    world, log = small()
    vkey = world.vkey()
    for each in (world.registry, log):
        world._announce(each, STRANGER)
    world.signers = [STRANGER]
    return made(build(world, whole_range(log)), vkey)


@forgery(INVALID_KEY, UNTRUSTED)
def a_strangers_key_announced_by_itself() -> Made:
    world, log = small()
    vkey = world.vkey()
    for each in (world.registry, log):
        world._announce(each, STRANGER, STRANGER)
    world.signers = [STRANGER]
    return made(build(world, whole_range(log)), vkey)


@forgery(INVALID_KEY, UNTRUSTED)
def a_strangers_key_announced_by_a_retired_one() -> Made:
    world, log = small()
    vkey, first = world.vkey(), world.signers[0]
    world.rotate()
    for each in (world.registry, log):
        world._announce(each, STRANGER, first)
    world.signers = [STRANGER]
    return made(build(world, whole_range(log)), vkey)


@forgery(UNTRUSTED)
def a_key_announced_in_the_log_of_a_system_alone() -> Made:
    world, log = small()
    vkey, first = world.vkey(), world.signers[0]
    world._announce(log, STRANGER, first)
    bundle = build(world, whole_range(log), Wishes(signers={log.origin: [STRANGER]}))
    return made(bundle, vkey)


@forgery("signature-retired")
def a_tree_signed_by_the_key_that_was_retired_in_it() -> Made:
    world, log = small()
    vkey, first = world.vkey(), world.signers[0]
    world.rotate()
    world.decide(log)
    return made(build(world, whole_range(log), Wishes(signers={log.origin: [first]})), vkey)


@forgery("signature-retired", "manifest-unsigned")
def a_registry_signed_by_the_key_that_was_retired_in_it() -> Made:
    world, log = small()
    vkey, first = world.vkey(), world.signers[0]
    world.rotate()
    return made(build(world, whole_range(log), Wishes(signers={world.registry.origin: [first]})), vkey)


@forgery("signature-retired")
def a_log_opened_after_its_key_was_retired() -> Made:
    world, _ = small()
    vkey, first = world.vkey(), world.signers[0]
    world.rotate()
    log = world.open_system()
    world.decide(log)
    return made(build(world, whole_range(log), Wishes(signers={log.origin: [first]})), vkey)


@forgery("before-unsigned", exit_code=0)
def an_earlier_tree_signed_by_a_key_before_it_was_announced() -> Made:
    world, log = small(count=20)
    vkey, since = world.vkey(), log.entries[12].json["at"]
    world.rotate()
    question = {"kind": "range", "system": log.system, "since": since, "until": None}
    return made(build(world, question, Wishes(before={log.origin: 5})), vkey)


@forgery("key-not-given", exit_code=3)
def a_closed_log_that_only_the_earlier_key_signed() -> Made:
    world, log = small()
    first = world.signers[0]
    world.close(log)
    second = world.rotate()
    return made(
        build(world, whole_range(log), Wishes(signers={log.origin: [first]})), second.vkey(world.registry.origin)
    )


@forgery(exit_code=0)
def a_closed_log_that_the_earlier_key_signed_and_both_keys() -> Made:
    world, log = small()
    first = world.signers[0]
    world.close(log)
    second = world.rotate()
    keys = [each.vkey(world.registry.origin) for each in (first, second)]
    return made(build(world, whole_range(log), Wishes(signers={log.origin: [first]})), *keys)


@forgery(UNTRUSTED)
def a_log_signed_by_a_stranger_beside_an_honest_registry() -> Made:
    world, log = small()
    return made(build(world, whole_range(log), Wishes(signers={log.origin: [STRANGER]})))
