"""Signatures, keys and their announcements, witnesses, heads that were kept."""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

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
    usual_made,
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


# --- the form of a signed note ----------------------------------------------------------------------------------------
def noted(name: str, *codes: str, change: Callable[[str], str | bytes]) -> None:
    """A row whose checkpoint of the AI system's log is written differently."""

    def damaged(bundle: Bundle) -> None:
        path = f"logs/{bundle.manifest['logs'][0]['log']}/checkpoint"
        found = change(bundle.files[path].decode())
        bundle.files[path] = found if isinstance(found, bytes) else found.encode()
        bundle.seal()

    damaged.__name__ = f"a_checkpoint_{name}"
    damage(*(codes or ("checkpoint-malformed",)))(damaged)


def signature(text: str, at: int = 0) -> str:
    return text.partition("\n\n")[2].splitlines(keepends=True)[at]


def with_data(text: str, change: Callable[[bytes], bytes]) -> str:
    """The first signature line with other bytes."""
    line = signature(text)
    dash, name, data = line.split(" ")
    return text.replace(line, f"{dash} {name} {base64.b64encode(change(base64.b64decode(data))).decode()}\n")


def padded_differently(text: str) -> str:
    """The same bytes, with other padding bits: one of the three base64 characters before the padding moves."""
    line = signature(text)
    data = line.rstrip("\n")
    assert data.endswith("=")
    at = len(data.rstrip("=")) - 1
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return text.replace(data, data[:at] + alphabet[alphabet.index(data[at]) ^ 1] + data[at + 1 :])


INVALID = "signature-invalid"
noted("with_crlf", change=lambda text: text.replace("\n", "\r\n"))
noted("with_a_leading_zero", change=lambda text: text.replace("\n299\n", "\n0299\n"))
noted("with_a_sign", change=lambda text: text.replace("\n299\n", "\n+299\n"))
noted("with_a_negative_size", change=lambda text: text.replace("\n299\n", "\n-299\n"))
noted("with_digits_of_another_script", change=lambda text: text.replace("\n299\n", "\n٢٩٩\n"))
noted("with_a_size_of_2_to_60", change=lambda text: text.replace("\n299\n", f"\n{2**60}\n"))
noted("with_a_size_of_a_thousand_digits", change=lambda text: text.replace("\n299\n", "\n" + "9" * 1000 + "\n"))
noted("with_an_extension", change=lambda text: text.replace("\n\n", "\nmore\n\n"))
noted("with_a_blank_line_more", change=lambda text: text.replace("\n\n", "\n\n\n"))
noted("without_its_last_newline", change=lambda text: text[:-1])
noted("with_a_nul", change=lambda text: text.replace("\n299\n", "\n299\0\n"))
noted("with_a_tab", change=lambda text: text.replace("\n299\n", "\n299\t\n"))
noted("with_a_bell", change=lambda text: text + "\a")
noted("without_a_signature", change=lambda text: text.partition("\n\n")[0] + "\n\n")
noted("without_a_blank_line", change=lambda text: text.replace("\n\n", "\n"))
noted("with_101_signatures", change=lambda text: text + signature(text, -1) * 100)
noted("with_two_spaces", change=lambda text: text.replace("— ", "—  "))
noted("with_a_hyphen_for_the_dash", change=lambda text: text.replace("— ", "- "))
noted("with_a_plus_in_a_name", change=lambda text: text + signature(text).replace("/logs", "+logs"))
noted("with_padding_bits", change=padded_differently)
noted("with_a_signature_of_four_bytes", change=lambda text: with_data(text, lambda data: data[:4]))
noted("that_is_no_utf_8", change=lambda text: text.encode() + b"\xff\n")
noted("that_is_empty", change=lambda text: "")
noted("of_another_size", "checkpoint-differs", INVALID, change=lambda text: text.replace("\n299\n", "\n298\n"))
noted("of_another_origin", "checkpoint-differs", change=lambda text: text.replace("example.com", "example.org", 1))
noted("with_a_signature_cut", INVALID, change=lambda text: with_data(text, lambda data: data[:-1]))
noted("with_a_signature_one_byte_longer", INVALID, change=lambda text: with_data(text, lambda data: data + b"\0"))
noted("with_an_unknown_key_id", UNTRUSTED, change=lambda text: with_data(text, lambda data: b"\0\1\2\3" + data[4:]))
noted(
    "with_a_second_signature_that_fails",
    INVALID,
    change=lambda text: text + signature(with_data(text, lambda data: data[:-1] + b"\0")),
)
noted("without_the_signature_of_the_log", UNTRUSTED, change=lambda text: text.replace(signature(text), ""))


@damage("checkpoint-differs")
def a_checkpoint_of_another_log(bundle: Bundle) -> None:
    bundle.files[f"logs/{bundle.manifest['logs'][0]['log']}/checkpoint"] = bundle.files["logs/registry/checkpoint"]
    bundle.seal()


@forgery("checkpoint-differs", "root-differs")
def a_checkpoint_of_an_earlier_tree() -> Made:
    world, log = small(count=40)
    bundle = build(world, whole_range(log))
    bundle.files[f"logs/{log.name}/checkpoint"] = world.checkpoint(log, 30).encode()
    return made(bundle.seal())


@forgery(exit_code=0)
def a_checkpoint_with_17_signatures_of_strangers() -> Made:
    world, log = small()
    bundle = build(world, whole_range(log))
    path = f"logs/{log.name}/checkpoint"
    text = bundle.files[path].decode()
    lines = [Signer(bytes([n]) * 32).line(f"stranger-{n}", text.partition("\n\n")[0] + "\n") for n in range(17)]
    bundle.files[path] = (text + "".join(lines)).encode()
    return made(bundle.seal())


# --- Ed25519, where implementations differ ----------------------------------------------------------------------------
L = 2**252 + 27742317777372353535851937790883648493
P = 2**255 - 19


def raised(data: bytes) -> bytes:
    s = int.from_bytes(data[36:], "little") + L
    return data[:36] + s.to_bytes(32, "little")


noted("with_s_that_is_not_reduced", INVALID, change=lambda text: with_data(text, raised))
noted(
    "with_a_small_order_r",
    INVALID,
    change=lambda text: with_data(text, lambda data: data[:4] + b"\1" + bytes(31) + data[36:]),
)
noted(
    "with_r_that_is_no_point",
    INVALID,
    change=lambda text: with_data(text, lambda data: data[:4] + b"\2" + bytes(31) + data[36:]),
)
noted(
    "with_r_that_is_not_reduced",
    INVALID,
    change=lambda text: with_data(text, lambda data: data[:4] + (P + 1).to_bytes(32, "little") + data[36:]),
)
noted("with_a_signature_of_zeroes", INVALID, change=lambda text: with_data(text, lambda data: data[:4] + bytes(64)))

# --- announcements of keys --------------------------------------------------------------------------------------------
INVALID_KEY = "announcement-invalid"


def rotated(
    name: str, *codes: str, exit_code: int = 1, finish: bool = True, given: int = 0, change: Callable[[dict[str, object]], object] | None = None,
    kind: str = "key.announced",
) -> None:  # fmt: skip
    """A row with a rotated key whose auditor has the first key (`given` 0), or the second; the last announcement is changed."""

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


@forgery("signature-retired")
def a_tree_signed_by_a_key_before_it_was_announced() -> Made:
    world, log = small()
    vkey = world.vkey()
    second = world.rotate()
    bundle = build(world, whole_range(log), Wishes(sizes={log.origin: 4}, signers={log.origin: [second]}))
    return made(bundle, vkey)


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
headed(
    "of_another_log", lambda: kept(100, origin="answerable.example.com/logs/other"), "head-not-comparable", exit_code=3
)


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
