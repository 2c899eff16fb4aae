"""Whatever is cut off or changed at random: never verified, never an error of ours, and both verifiers agree."""

import io
import random
import zipfile

import pytest

from answerable_verify import verify
from tests.bundles.building import Bundle, Wishes, build
from tests.bundles.cases import Made, as_request, check, options_of, small, usual, usual_made, whole_range
from tests.bundles.javascript import JavaScript, with_node


class InMemory(io.BytesIO):
    """A file that is opened again and again."""

    def close(self) -> None:
        self.seek(0)


def exit_code_of(data: bytes, options: verify.Options, monkeypatch: pytest.MonkeyPatch) -> int:
    """What the verifier makes of bytes, without a disk."""
    monkeypatch.setattr(verify, "open", lambda path, mode: InMemory(data), raising=False)
    try:
        container = verify.open_damaged("bundle.zip")
    except verify.UsageError:
        return verify.USAGE
    report = container if isinstance(container, verify.Report) else verify.check_bundle(container, options)
    return report.exit_code


def tiny() -> Bundle:
    """As small a bundle as there is: the verifiers that it brings are a few bytes."""
    world, log = small(count=1)
    bundle = build(world, whole_range(log), Wishes(shows=lambda entry, part: part == "output"))
    bundle.files |= {"verify.py": b"#!python\n", "verify.html": b"<!doctype html>\n", "VERIFYING.txt": b"Verify it.\n"}
    return bundle.seal()


@pytest.fixture(scope="module")
def cut() -> Made:
    return Made(tiny().zip(deflated=True), (tiny().vkey,))


def test_a_bundle_that_is_cut_anywhere_is_not_verified(cut: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    options = options_of(cut)
    codes = [exit_code_of(cut.data[:length], options, monkeypatch) for length in range(len(cut.data) + 1)]
    assert codes.pop() == verify.VERIFIED
    # shorter than a local header with its name nobody can tell what it was
    known = codes.index(verify.TAMPERED)
    assert set(codes[:known]) == {verify.USAGE} and known <= 30 + len(next(iter(tiny().files)))
    assert set(codes[known:]) == {verify.TAMPERED}


@with_node
def test_the_page_says_the_same_of_every_cut(
    cut: Made, javascript: JavaScript, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = options_of(cut)
    ours = "".join(str(exit_code_of(cut.data[:length], options, monkeypatch)) for length in range(len(cut.data) + 1))
    assert javascript.ask({**as_request(cut), "do": "cuts"}) == ours


@with_node
@pytest.mark.parametrize("deflated", [False, True], ids=["stored", "deflated"])
def test_a_bundle_with_random_changes_is_never_verified(deflated: bool, javascript: JavaScript) -> None:
    honest = tiny().zip(deflated=deflated)
    chance = random.Random(4 + deflated)
    for number in range(400):
        data = bytearray(honest)
        for _ in range(chance.choice([1, 1, 1, 2, 5])):
            mutate(data, chance)
        if data == honest:
            continue
        given = Made(bytes(data), (tiny().vkey,))
        report = check(given)
        if report["exit_code"] not in (verify.TAMPERED, verify.USAGE):
            # what the format leaves open, such as attributes of 0, is no damage: others find the same files too
            assert unzipped(given.data) == unzipped(honest), number
        theirs = javascript.ask(as_request(given))
        assert {name: theirs[name] for name in ("exit_code", "counts")} == {
            name: report[name] for name in ("exit_code", "counts")
        }, number


def unzipped(data: bytes) -> list[tuple[str, bytes]]:
    """What another program finds in it."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return [(name, file.read(name)) for name in file.namelist()]


def mutate(data: bytearray, chance: random.Random) -> None:
    """One change somewhere: a bit, a byte, a slice that is taken away, doubled, zeroed or moved."""
    at = chance.randrange(len(data))
    length = min(chance.choice([1, 2, 4, 20, 300]), len(data) - at)
    kind = chance.randrange(6)
    if kind == 0:
        data[at] ^= 1 << chance.randrange(8)
    elif kind == 1:
        data[at] = chance.randrange(256)
    elif kind == 2:
        del data[at : at + length]
    elif kind == 3:
        data[at:at] = data[at : at + length]
    elif kind == 4:
        data[at : at + length] = bytes(length)
    else:
        moved = data[at : at + length]
        del data[at : at + length]
        to = chance.randrange(len(data) + 1)
        data[to:to] = moved


def test_every_file_with_a_changed_byte_is_named() -> None:
    """One byte of each file, wherever it stands, and the manifest and its note as they were."""
    bundle = usual()
    chance = random.Random(1)
    for path in bundle.files:
        damaged = bundle.copy()
        data = bytearray(damaged.files[path])
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(7)
        damaged.files[path] = bytes(data)
        report = check(usual_made(damaged))
        assert report["exit_code"] == verify.TAMPERED, path
        places = {finding["place"].partition(":")[0] for finding in report["findings"]}
        related = {path, "manifest.note"} if path == "manifest.json" else {path, "SHA256SUMS"}
        assert places & related, (path, places)
