"""Witnesses' cosignatures, and time-stamps."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from tests.bundles import stamping
from tests.bundles.building import Wishes, build
from tests.bundles.cases import (
    NOW,
    WITNESS,
    WITNESS_NAME,
    Made,
    authority,
    forgery,
    made,
    small,
    usual,
    usual_made,
    whole_range,
)
from tests.bundles.merkle import Signer
from tests.bundles.stamping import Stamp
from tests.bundles.world import START, Log, timestamp

SECOND = Signer(bytes([78]) * 32)


def policy(*lines: str) -> bytes:
    witnesses = [f"witness w {WITNESS.vkey(WITNESS_NAME, 4)}", f"witness v {SECOND.vkey('v.example.org', 4)}"]
    return "\n".join([*witnesses, *lines, ""]).encode()


def witnessed(
    name: str, *codes: str, exit_code: int,
    by: tuple[tuple[str, Signer, int], ...] = ((WITNESS_NAME, WITNESS, NOW - 5),),
    quorum: tuple[str, ...] = ("quorum w",), only: Callable[[Log], bool] = lambda log: True, recorded: bool = False,
    after: int = 0,
) -> None:  # fmt: skip
    """A row about cosignatures: by whom, of which logs, and the lines of the policy."""

    def make() -> Made:
        world, log = small()
        if recorded:
            world.record_checkpoint(log)
        for _ in range(after):
            world.decide(log)
        bundle = build(world, whole_range(log), Wishes(witnesses=by, cosigned=only))
        return made(bundle, policy=policy(*quorum))

    make.__name__ = name
    forgery(*codes, exit_code=exit_code)(make)


NOT_MET, IGNORED = "quorum-not-met", "cosignature-ignored"
BOTH = ((WITNESS_NAME, WITNESS, NOW - 5), ("v.example.org", SECOND, NOW - 5))
witnessed("cosigned_by_the_witness", exit_code=0)
witnessed("cosigned_by_nobody", NOT_MET, exit_code=3, by=())
witnessed("cosigned_by_one_of_two", NOT_MET, exit_code=3, quorum=("group g all w v", "quorum g"))
witnessed("cosigned_by_one_where_one_is_enough", exit_code=0, quorum=("group g any w v", "quorum g"))
witnessed("cosigned_by_both", exit_code=0, by=BOTH, quorum=("group g 2 w v", "quorum g"))
witnessed("cosigned_in_nested_groups", exit_code=0, by=BOTH, quorum=("group a 1 w", "group b all a v", "quorum b"))
witnessed(
    "cosigned_twice_by_one_of_two",
    NOT_MET,
    exit_code=3,
    by=((WITNESS_NAME, WITNESS, NOW - 5), (WITNESS_NAME, WITNESS, NOW - 6)),
    quorum=("group g 2 w v", "quorum g"),
)
witnessed("cosigned_under_another_name", NOT_MET, exit_code=3, by=(("other.example.org", WITNESS, NOW - 5),))
witnessed("cosigned_at_no_time", NOT_MET, IGNORED, exit_code=3, by=((WITNESS_NAME, WITNESS, 0),))
witnessed("cosigned_tomorrow", exit_code=0, by=((WITNESS_NAME, WITNESS, NOW + 86_000),))
witnessed("cosigned_next_week", NOT_MET, IGNORED, exit_code=3, by=((WITNESS_NAME, WITNESS, NOW + 700_000),))
witnessed(
    "cosigned_in_a_year_that_no_calendar_has", "cosignature-invalid", exit_code=1, by=((WITNESS_NAME, WITNESS, 2**63),)
)
witnessed("a_quorum_of_nobody", exit_code=0, by=(), quorum=("quorum none",))
witnessed("the_registry_log_alone_cosigned", NOT_MET, exit_code=3, only=lambda log: log.system is None)
witnessed(
    "the_registry_log_cosigned_which_recorded_the_tree", exit_code=0, only=lambda log: log.system is None, recorded=True
)
witnessed(
    "the_registry_log_cosigned_which_recorded_too_small_a_tree",
    NOT_MET,
    exit_code=3,
    only=lambda log: log.system is None,
    recorded=True,
    after=3,
)
witnessed("the_systems_log_alone_cosigned", NOT_MET, exit_code=3, only=lambda log: log.system is not None)


CONTRADICTED = "clock-contradicted"
witnessed(
    "cosigned_before_what_it_holds_was_received",
    NOT_MET,
    CONTRADICTED,
    exit_code=3,
    by=((WITNESS_NAME, WITNESS, START - 3_700),),
)
witnessed("cosigned_by_a_clock_that_is_a_little_behind", exit_code=0, by=((WITNESS_NAME, WITNESS, START - 3_000),))


def seen_before(name: str, *codes: str, at: int, is_given: bool = False) -> None:
    """A row whose log a witness saw when it was smaller: in the bundle, or as the auditor kept it."""

    def make() -> Made:
        world, log = small()
        earlier = world.checkpoint(log)
        text = earlier.partition("\n\n")[0] + "\n"
        earlier += WITNESS.cosignature(WITNESS_NAME, text, at)
        size = len(log.entries)
        since = timestamp(world.now)
        for _ in range(5):
            world.decide(log)
        question = {"kind": "range", "system": log.system, "since": since, "until": None}
        bundle = build(
            world, question, Wishes(witnesses=((WITNESS_NAME, WITNESS, NOW - 5),), before={log.origin: size})
        )
        bundle.files[f"logs/{log.name}/checkpoint.before"] = (
            world.checkpoint(log, size) if is_given else earlier
        ).encode()
        return made(bundle.seal(), policy=policy("quorum w"), heads=(earlier.encode(),) if is_given else ())

    make.__name__ = name
    forgery(*codes, exit_code=0)(make)


seen_before("an_earlier_tree_that_was_seen_in_time", at=START + 10)
seen_before("an_earlier_tree_that_was_seen_after_what_stands_behind_it", CONTRADICTED, at=START + 90_000)
seen_before("a_head_that_was_seen_in_time", at=START + 10, is_given=True)
seen_before("a_head_that_was_seen_after_what_stands_behind_it", CONTRADICTED, at=START + 90_000, is_given=True)


@forgery("cosignature-invalid")
def a_cosignature_of_another_log() -> Made:
    bundle = usual().copy()
    registry, path = "logs/registry/checkpoint", f"logs/{bundle.manifest['logs'][0]['log']}/checkpoint"
    lines = [
        each.splitlines(keepends=True)[-1] for each in (bundle.files[registry].decode(), bundle.files[path].decode())
    ]
    bundle.files[path] = bundle.files[path].decode().replace(lines[1], lines[0]).encode()
    return usual_made(bundle.seal())


@forgery("cosignature-ignored", "quorum-not-met", exit_code=3)
def a_witness_that_is_the_log_itself() -> Made:
    world, log = small()
    first = world.vkey()
    second = world.rotate()
    bundle = build(world, whole_range(log), Wishes(witnesses=(("self.example.org", second, NOW - 5),)))
    lines = f"witness w {second.vkey('self.example.org', 4)}\nquorum w\n"
    return made(bundle, first, policy=lines.encode())


@forgery(exit_code=0)
def the_key_of_the_log_in_the_policy_alone() -> Made:
    world, log = small()
    bundle = build(world, whole_range(log))
    return Made(bundle.zip(), (), f"log {world.vkey()}\nquorum none\n".encode())


# --- time-stamps ------------------------------------------------------------------------------------------------------
def stamped(
    name: str, *codes: str, exit_code: int = 1, stamp: Callable[[], Stamp], given: Callable[[], Any] = authority
) -> None:
    """A row whose logs bear one time-stamp each; `given` is the certificate that the auditor has."""

    def make() -> Made:
        world, log = small()
        made_by = stamp()
        bundle = build(world, whole_range(log), Wishes(stamps=lambda log, text: [made_by.token(text)]))
        found = given()
        return made(bundle, certificates=(stamping.pem(found),) if found else ())

    make.__name__ = name
    forgery(*codes, exit_code=exit_code)(make)


def nobody() -> None:
    return None


def authority_of(kind: str) -> Callable[[], Any]:
    return lambda: stamping.certificate(kind, f"Time of {kind}")


def chained(**more: Any) -> tuple[Any, Any]:
    """A certificate by an authority, and the authority's."""
    root = stamping.certificate("p384", "Authority", number=5, serial=1, authority=True, stamps=False)
    more = {"issuer": (stamping.private_key("p384", 5), root), **more}
    return stamping.certificate("p256", "Leaf", **more), root


def by_chain(**more: Any) -> Stamp:
    leaf, root = chained()
    return Stamp(**{"certificate": leaf, "brings": (root, leaf), **more})


WRONG, UNPROVEN = "timestamp-invalid", "timestamp-unproven"
OLD = datetime(2025, 1, 1, tzinfo=UTC)
for _kind in ("rsa", "pss", "p256", "p384", "p521", "ed25519"):
    stamped(
        f"stamped_with_{_kind}",
        exit_code=0,
        stamp=partial(Stamp, kind=_kind, digest="sha512"),
        given=authority_of(_kind),
    )
    stamped(
        f"stamped_with_{_kind}_and_a_bit_wrong",
        WRONG,
        stamp=partial(Stamp, kind=_kind, digest="sha512", flip=True),
        given=authority_of(_kind),
    )
stamped("stamped_and_named_by_the_older_attribute", exit_code=0, stamp=lambda: Stamp(v2=False))
stamped("stamped_by_a_chain_in_any_order", exit_code=0, stamp=by_chain, given=lambda: chained()[1])
stamped("stamped_by_a_chain_whose_leaf_was_given", exit_code=0, stamp=by_chain, given=lambda: chained()[0])
stamped("stamped_by_an_authority_nobody_gave", "timestamp-unknown", exit_code=0, stamp=Stamp, given=nobody)
stamped("stamped_by_another_authority", "timestamp-unknown", UNPROVEN, exit_code=3, stamp=lambda: Stamp(number=3))
stamped(
    "stamped_by_an_authority_of_the_same_name",
    "timestamp-unknown",
    UNPROVEN,
    exit_code=3,
    stamp=lambda: Stamp(number=3, certificate=stamping.certificate("p256", "Time of p256", number=3)),
)
UNSUPPORTED, QC_STATEMENTS = "timestamp-unsupported", "1.3.6.1.5.5.7.1.3"
stamped(
    "stamped_by_an_authority_that_says_it_is_qualified",
    exit_code=0,
    stamp=lambda: Stamp(extensions=[stamping.extension(QC_STATEMENTS), stamping.extension("1.2.3")]),
)
stamped("stamped_in_a_later_version", exit_code=0, stamp=lambda: Stamp(version=5))
for _name, _how in {
    "with_a_critical_extension": lambda: Stamp(extensions=[stamping.extension("1.2.3", critical=True)]),
    "on_a_curve_that_nobody_uses": lambda: Stamp(kind="k1"),
    "over_a_hash_that_is_broken": lambda: Stamp(imprint_oid="1.3.14.3.2.26", imprint=bytes(20)),
    "in_a_version_that_is_none": lambda: Stamp(version=9),
}.items():
    stamped(f"stamped_{_name}", UNSUPPORTED, exit_code=0, stamp=_how, given=nobody)
    stamped(f"stamped_{_name}_where_one_was_asked_for", UNSUPPORTED, UNPROVEN, exit_code=3, stamp=_how)
stamped(
    "stamped_with_an_extension_twice", WRONG, stamp=lambda: Stamp(extensions=[stamping.extension(QC_STATEMENTS)] * 2)
)
stamped("stamped_over_something_else", WRONG, stamp=lambda: Stamp(imprint=bytes(32)))
stamped("stamped_under_the_name_of_another_hash", WRONG, stamp=lambda: Stamp(imprint_oid=stamping.HASHES["sha384"]))
stamped(
    "stamped_by_somebody_else_than_the_certificate",
    WRONG,
    stamp=lambda: Stamp(unsigned_signer=stamping.private_key("p256", 9)),
)
stamped("stamped_with_the_certificate_of_another", WRONG, stamp=lambda: Stamp(names=b"another"))
stamped("stamped_with_the_certificate_of_another_by_sha_1", WRONG, stamp=lambda: Stamp(v2=False, names=b"another"))
stamped(
    "stamped_without_naming_a_certificate", WRONG, stamp=lambda: Stamp(attributes={"1.2.840.113549.1.9.16.2.47": b""})
)
stamped("stamped_without_a_digest", WRONG, stamp=lambda: Stamp(attributes={"1.2.840.113549.1.9.4": b""}))
stamped(
    "stamped_with_another_digest",
    WRONG,
    stamp=lambda: Stamp(attributes={"1.2.840.113549.1.9.4": stamping.der(4, bytes(32))}),
)
stamped("stamped_as_something_else", WRONG, stamp=lambda: Stamp(content="1.2.840.113549.1.7.1"))
stamped("stamped_though_refused", WRONG, stamp=lambda: Stamp(status=2))
stamped(
    "stamped_without_the_usage", WRONG, stamp=lambda: Stamp(certificate=stamping.certificate("p256", "T", stamps=False))
)
stamped(
    "stamped_with_a_usage_that_is_not_critical",
    WRONG,
    stamp=lambda: Stamp(certificate=stamping.certificate("p256", "T", critical=False)),
)
stamped(
    "stamped_with_an_expired_certificate",
    WRONG,
    stamp=lambda: Stamp(
        certificate=stamping.certificate("p256", "T", begins=OLD, ends=datetime(2025, 6, 1, tzinfo=UTC))
    ),
)
stamped("stamped_before_its_certificate_began", WRONG, stamp=lambda: Stamp(at="20250101120000Z"))
stamped(
    "stamped_before_what_it_holds_was_received",
    "clock-contradicted",
    UNPROVEN,
    exit_code=3,
    stamp=lambda: Stamp(at="20260228225900Z"),
)
stamped("stamped_by_a_clock_that_is_a_little_behind", exit_code=0, stamp=lambda: Stamp(at="20260228231000Z"))
stamped("stamped_at_a_time_that_is_none", WRONG, stamp=lambda: Stamp(at="20260231120000Z"))
stamped("stamped_with_fractions", exit_code=0, stamp=lambda: Stamp(at="20260302120000.123456789Z"))
stamped("stamped_with_a_trailing_zero", WRONG, stamp=lambda: Stamp(at="20260302120000.10Z"))
stamped(
    "stamped_by_an_authority_that_was_expired",
    UNPROVEN,
    exit_code=3,
    stamp=lambda: _expired()[0],
    given=lambda: _expired()[1],
)
stamped(
    "stamped_by_a_leaf_that_issued_a_leaf",
    UNPROVEN,
    exit_code=3,
    stamp=lambda: _leaf_that_issues()[0],
    given=lambda: _leaf_that_issues()[1],
)


def _expired() -> tuple[Stamp, Any]:
    root = stamping.certificate(
        "p384",
        "Authority",
        number=5,
        serial=1,
        authority=True,
        stamps=False,
        begins=OLD,
        ends=datetime(2026, 2, 1, tzinfo=UTC),
    )
    leaf = stamping.certificate("p256", "Leaf", issuer=(stamping.private_key("p384", 5), root))
    return Stamp(certificate=leaf, brings=(leaf, root)), root


def _leaf_that_issues() -> tuple[Stamp, Any]:
    first = stamping.certificate("p256", "Time of p256")
    leaf = stamping.certificate("p384", "Leaf", number=6, issuer=(stamping.private_key("p256"), first))
    return Stamp(kind="p384", number=6, digest="sha384", certificate=leaf, brings=(leaf, first)), first


def tokened(name: str, change: Callable[[bytes], bytes]) -> None:
    """A row whose tokens are other bytes."""

    def make() -> Made:
        world, log = small()
        bundle = build(world, whole_range(log), Wishes(stamps=lambda log, text: [change(Stamp().token(text))]))
        return made(bundle, certificates=(stamping.pem(authority()),))

    make.__name__ = f"a_token_{name}"
    forgery(WRONG)(make)


tokened("with_something_behind_it", lambda token: token + b"\0")
tokened("that_is_cut", lambda token: token[:-1])
tokened("that_is_empty", lambda token: b"")
tokened("that_is_a_text", lambda token: b"at noon, honestly")
tokened("of_an_absurd_length", lambda token: b"\x30\x84\xff\xff\xff\xff" + token[4:])
tokened("of_a_length_of_many_bytes", lambda token: b"\x30\x89" + b"\xff" * 9 + token[4:])
tokened("of_an_indefinite_length", lambda token: b"\x30\x80" + token[4:] + b"\0\0")
tokened("of_a_length_in_a_longer_form", lambda token: b"\x30\x83\0" + token[2:])
tokened("that_nests_deeply", lambda token: _nested(2000))
tokened("without_a_time_stamp", lambda token: stamping.sequence(stamping.sequence(stamping.integer(0))))
tokened("with_its_certificate_missing", lambda token: token.replace(_whole(), b""))


def _whole() -> bytes:
    found: bytes = stamping.certificate("p256", "Time of p256").public_bytes(Encoding.DER)
    return found


def _nested(depth: int) -> bytes:
    found = b""
    for _ in range(depth):
        found = stamping.sequence(found)
    return found


@forgery("timestamp-unproven", exit_code=3)
def no_time_stamp_where_one_was_asked_for() -> Made:
    world, log = small()
    return made(build(world, whole_range(log)), certificates=(stamping.pem(authority()),))


@forgery("timestamp-invalid")
def the_time_stamps_of_two_logs_swapped() -> Made:
    bundle = usual().copy()
    one, other = (f"logs/{row['log']}/timestamps/000000.tsr" for row in bundle.manifest["logs"])
    bundle.files[one], bundle.files[other] = bundle.files[other], bundle.files[one]
    return usual_made(bundle.seal())


@forgery(exit_code=0)
def the_usual_bundle() -> Made:
    return replace(usual_made(usual()))
