"""Signed notes that are written differently, down to the edges of Ed25519."""

import base64
from collections.abc import Callable

from tests.bundles.building import Bundle, build
from tests.bundles.cases import Made, damage, forgery, made, small, whole_range
from tests.bundles.merkle import Signer

UNTRUSTED = "signature-untrusted"


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


@forgery("checkpoint-differs", "tile-unexpected")
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
