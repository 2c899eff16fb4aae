"""The verifier's page in a browser: from a file, without a network, by keys alone, small and large, light and dark."""

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

import answerable_verify
from answerable_verify import verify
from tests.bundles.building import Wishes, build
from tests.bundles.cases import small, usual, usual_policy, whole_range

pytestmark = pytest.mark.browser
AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WAIT = 60_000
PLACE = Path(answerable_verify.page_path()).as_uri()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(accept_downloads=True, bypass_csp=False)
    made.set_offline(True)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """The page, opened from its file; whatever it would load or say on the console is a failure."""
    opened = context.new_page()
    asked: list[str] = []
    opened.on(
        "request", lambda request: asked.append(request.url) if not request.url.startswith(("file:", "blob:")) else None
    )
    opened.on("pageerror", lambda error: asked.append(str(error)))
    opened.on("console", lambda message: asked.append(message.text))
    opened.goto(PLACE)
    opened.asked = asked  # type: ignore[attr-defined]
    return opened


@pytest.fixture
def honest(tmp_path: Path) -> Path:
    path = tmp_path / "bundle.zip"
    path.write_bytes(usual().zip(deflated=True))
    return path


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    bundle = usual().copy()
    path = min(path for path in bundle.files if "/entries/" in path)
    bundle.files[path] = bundle.files[path].replace(b"approved", b"declined", 1)
    (tmp_path / "damaged.zip").write_bytes(bundle.seal().zip())
    return tmp_path / "damaged.zip"


def check(page: Page, bundle: Path, *, key: str = "") -> str:
    """Choose a bundle and a key, and check. Out: the verdict."""
    page.get_by_label("The bundle").set_input_files(bundle)
    page.get_by_label("Verifier keys").fill(key)
    page.get_by_role("button", name="Check the bundle").click()
    expect(page.locator("#verdict")).to_be_visible(timeout=WAIT)
    return page.locator("#verdict").inner_text()


def test_an_honest_bundle_is_verified_in_the_words_of_the_command(page: Page, honest: Path) -> None:
    assert check(page, honest, key=usual().vkey) == verify.WORDS["verdict_verified"]
    with closing(verify.open_container(str(honest))) as container:
        report = verify.check_bundle(container, verify.Options([verify.parse_vkey(usual().vkey)]))
    said = page.locator("#result").inner_text()
    for heading, lines in verify.compose(report):
        assert heading in said
        for line in lines:
            assert " ".join(line.split()) in " ".join(said.split()), line
    assert page.asked == []  # type: ignore[attr-defined]


def test_a_damaged_bundle_is_not_and_its_place_is_named(page: Page, damaged: Path) -> None:
    assert check(page, damaged, key=usual().vkey).startswith("EVIDENCE OF TAMPERING")
    said = page.locator("#result").inner_text()
    assert "[entry-altered]" in said and "entries/000000.ndjson" in said
    assert verify.WORDS["head_proven"] not in said
    assert page.asked == []  # type: ignore[attr-defined]


def test_without_a_key_it_asks_to_compare_the_fingerprint(page: Page, honest: Path) -> None:
    assert check(page, honest).startswith("INCOMPLETE")
    assert verify.fingerprint(usual().note_signers[0].public) in page.locator("#result").inner_text()


def test_a_bundle_is_dropped_on_the_page(page: Page, honest: Path) -> None:
    data = page.evaluate_handle(
        """async ([text, name]) => {
            const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
            const held = new DataTransfer();
            held.items.add(new File([bytes], name, { type: "application/zip" }));
            return held;
        }""",
        [_base64(honest), "bundle.zip"],
    )
    page.dispatch_event("body", "drop", {"dataTransfer": data})
    expect(page.locator("#chosen")).to_contain_text("bundle.zip")
    page.get_by_label("Verifier keys").fill(usual().vkey)
    page.get_by_role("button", name="Check the bundle").click()
    expect(page.locator("#verdict")).to_have_text(verify.WORDS["verdict_verified"], timeout=WAIT)


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def test_by_keys_alone(page: Page, honest: Path) -> None:
    page.get_by_label("The bundle").set_input_files(honest)  # the dialogue for files is the browser's own
    page.get_by_label("The bundle").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Verifier keys")).to_be_focused()
    page.keyboard.type(usual().vkey)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("A policy of witnesses")).to_be_visible()
    for _ in range(4):
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Check the bundle")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#verdict")).to_be_visible(timeout=WAIT)
    # whoever hears the page is taken to the verdict
    expect(page.locator("#result")).to_be_focused()


def test_heads_and_a_policy_are_taken(page: Page, honest: Path, tmp_path: Path) -> None:
    (tmp_path / "policy").write_bytes(usual_policy())
    world = usual().world
    log = world.logs[usual().manifest["logs"][0]["origin"]]
    (tmp_path / "head").write_text(world.checkpoint(log, 100))
    page.locator("summary").click()
    page.get_by_label("A policy of witnesses").set_input_files(tmp_path / "policy")
    page.get_by_label("Checkpoints that you kept earlier").set_input_files(tmp_path / "head")
    assert check(page, honest, key=usual().vkey) == verify.WORDS["verdict_verified"]
    said = page.locator("#result").inner_text()
    assert "head of 100 entries" in said and "cosigned by witness.example.org" in said


@pytest.mark.parametrize(
    ("field", "content", "words"),
    [
        ("A policy of witnesses", b"quorum w\n", "Policy given: line 1"),
        ("Checkpoints that you kept earlier", b"hello\n", "Checkpoint given"),
        ("Certificates of time-stamp", b"hello\n", "Certificate given: no certificate"),
    ],
)
def test_what_is_given_and_is_none_is_said(
    page: Page, honest: Path, tmp_path: Path, field: str, content: bytes, words: str
) -> None:
    (tmp_path / "given").write_bytes(content)
    page.locator("summary").click()
    page.get_by_label(field).set_input_files(tmp_path / "given")
    assert words in check(page, honest)
    assert "NOT CHECKED" in page.locator("#verdict").inner_text()


def test_a_key_that_is_none_and_a_file_that_is_no_bundle_are_said(page: Page, honest: Path, tmp_path: Path) -> None:
    assert "not a verifier key" in check(page, honest, key="hello")
    (tmp_path / "x.zip").write_bytes(b"hello" * 100)
    assert "not an evidence bundle" in check(page, tmp_path / "x.zip")
    page.reload()
    page.get_by_role("button", name="Check the bundle").click()
    expect(page.locator("#status")).to_have_text("Choose a bundle first.")


@pytest.mark.parametrize("kind", ["RangeError", "TypeError"])
def test_a_page_that_fails_says_that_nothing_was_found_out(page: Page, honest: Path, kind: str) -> None:
    """Memory that is not there; a fault of its own, which the browser's console shows too."""
    page.evaluate(f"() => {{ Blob.prototype.arrayBuffer = async () => {{ throw new {kind}('no') }} }}")
    assert check(page, honest, key=usual().vkey).startswith("NOT CHECKED. The page itself has failed")
    expect(page.get_by_role("button", name="Check the bundle")).to_be_enabled()
    assert page.asked == (["no"] if kind == "TypeError" else [])  # type: ignore[attr-defined]


def test_the_report_and_the_heads_can_be_kept(page: Page, honest: Path) -> None:
    check(page, honest, key=usual().vkey)
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Save report.json").click()
    report = json.loads(Path(waiting.value.path()).read_text())
    assert (report["verdict"], report["format"]) == ("verified", "answerable-verification/1")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="logs_registry").click()
    assert Path(waiting.value.path()).read_bytes() == usual().files["logs/registry/checkpoint"]


def test_markup_and_escapes_in_a_bundle_are_text(page: Page, tmp_path: Path) -> None:
    world, log = small()
    wishes = Wishes(left_out=("<img src=x onerror=alert(1)>", "\u202egnp.exe", "</script><script>alert(2)</script>"))
    (tmp_path / "x.zip").write_bytes(build(world, whole_range(log), wishes).zip())
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    assert check(page, tmp_path / "x.zip", key=world.vkey()).startswith("INCOMPLETE")
    assert "<img src=x onerror=alert(1)>" in page.locator("#result").inner_text()
    assert page.locator("#result img, #result script").count() == 0


def test_a_long_check_can_be_stopped_and_the_page_stays_alive(page: Page, tmp_path: Path) -> None:
    world, log = small(count=3)
    template = log.entries[-1]
    for number in range(30_000):
        data = template.data.replace(template.json["id"].encode(), b"01890a5d-ac96-774b-bcce-%012x" % number)
        log.entries.append(type(template)(data))
    (tmp_path / "large.zip").write_bytes(build(world, whole_range(log)).zip())
    page.get_by_label("The bundle").set_input_files(tmp_path / "large.zip")
    page.get_by_role("button", name="Check the bundle").click()
    page.get_by_role("button", name="Stop").click(timeout=WAIT)
    expect(page.locator("#status")).to_have_text("Stopped. Nothing was found out.", timeout=WAIT)
    expect(page.get_by_role("button", name="Check the bundle")).to_be_enabled()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("verdict", ["verified", "tampering", "incomplete"])
def test_it_passes_axe_and_fits(
    context: BrowserContext, honest: Path, damaged: Path, scheme: Any, width: int, verdict: str
) -> None:
    page = context.new_page()
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(PLACE)
    page.locator("summary").click()
    _axe(page)
    check(page, damaged if verdict == "tampering" else honest, key="" if verdict == "incomplete" else usual().vkey)
    assert page.locator(f"#verdict.{verdict}").count() == 1
    _axe(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_the_first_page_passes_axe_and_fits(context: BrowserContext, scheme: Any, width: int, tmp_path: Path) -> None:
    page = context.new_page()
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    for number, text in enumerate((usual().files["README.html"], _not_whole())):
        (tmp_path / f"{number}.html").write_bytes(text)
        page.goto((tmp_path / f"{number}.html").as_uri())
        _axe(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def _not_whole() -> bytes:
    world, log = small()
    return build(world, whole_range(log), Wishes(left_out=("a reason " * 30,))).files["README.html"]


def _axe(page: Page) -> None:
    # through the debugger: the page's own policy lets nothing in
    page.evaluate(AXE)
    found = page.evaluate(
        "async rules => (await axe.run({runOnly: rules})).violations.map(v => v.id + ' ' + v.nodes.map(n => n.target))",
        RULES,
    )
    assert found == []
