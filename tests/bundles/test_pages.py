"""The first page, VERIFYING.txt, and the built page: the same everywhere, harmless, current."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import answerable_verify
from answerable_verify import verify
from tests.bundles.cases import usual
from tests.bundles.javascript import JavaScript, with_node
from tests.running import PROJECT

HOSTILE = [
    "<script>alert(1)</script>",
    "\"'&<>",
    "\u202e\u2066abc",
    "\x1b[31mred\x07",
    "a\nb",
    "😀" * 40,
    "</style><img src=x onerror=x>",
    "{id}",
]


def manifest_with(**changes: Any) -> dict[str, Any]:
    found = json.loads(json.dumps(usual().manifest))
    found.update(changes)
    return dict(found)


def canonical(manifest: dict[str, Any]) -> str:
    return json.dumps(manifest, sort_keys=True, indent=2) + "\n"


class Tags(HTMLParser):
    """Which tags and attributes there are."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {(name, value or "") for name, value in attributes}


def random_manifest(chance: Any) -> dict[str, Any]:
    counts = st.integers(0, 2**53 - 1)
    names = st.one_of(st.sampled_from([*HOSTILE, "approved", "10", "9", "2.1"]), st.text(min_size=1, max_size=30))
    answer = dict(usual().manifest["answer"])
    answer |= {name: chance.draw(counts) for name in ("entries", "decisions", "adverse", "overridden")}
    answer["outcomes"] = chance.draw(st.dictionaries(names, counts, max_size=5))
    answer["by_model_version"] = {f"v{n}": n for n in range(chance.draw(st.sampled_from([0, 1, 99, 100, 101, 150])))}
    source = dict(usual().manifest["sources"][0])
    source["missing"] = [[n, n + chance.draw(st.integers(0, 2))] for n in range(chance.draw(st.integers(0, 12)))]
    source["last_seq"] = chance.draw(st.integers(0, 2**63))
    left_out = chance.draw(st.lists(names, max_size=3))
    return manifest_with(
        answer=answer, sources=[source] * chance.draw(st.integers(0, 2)), left_out=left_out, whole=not left_out,
        software={"name": "answerable", "version": chance.draw(names)},
        parts={} if left_out else usual().manifest["parts"], called=chance.draw(st.one_of(st.none(), names)),
    )  # fmt: skip


@with_node
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(chance=st.data())
def test_both_verifiers_make_the_same_harmless_page(chance: Any, javascript: JavaScript) -> None:
    manifest = random_manifest(chance)
    page = answerable_verify.render_first_page(manifest)
    assert javascript.ask({"do": "page", "manifest": canonical(manifest)}) == page
    assert page.isascii() and not re.search("[\x00-\x09\x0b-\x1f\x7f]", page)
    assert Tags(page).tags <= {
        "html", "head", "meta", "title", "style", "body", "main", "p", "h1", "h2", "h3", "code", "pre", "a", "dl",
        "div", "dt", "dd", "table", "caption", "thead", "tbody", "tr", "th", "td", "ul", "li", "strong",
    }  # fmt: skip
    assert {value for name, value in Tags(page).attributes if name in ("href", "src")} == {"#verify"}
    assert not [name for name, _ in Tags(page).attributes if name.startswith("on")]


@pytest.mark.parametrize("kind", ["range", "case", "decision", "subject"])
def test_the_first_page_of_every_question(kind: str) -> None:
    identifier = usual().manifest["id"]
    questions: dict[str, dict[str, Any]] = {
        "range": {"kind": "range", "system": identifier, "since": None, "until": "2026-03-01T00:00:00Z"},
        "case": {"kind": "case", "case": identifier},
        "decision": {"kind": "decision", "decision": identifier},
        "subject": {"kind": "subject"},
    }
    question = questions[kind]
    page = answerable_verify.render_first_page(
        manifest_with(question=question, sources=None if kind != "range" else [])
    )
    assert verify.question_in_words(question) in page
    assert ("<h2>Gaps</h2>" in page) == (kind == "range")


def test_what_the_organisation_calls_it_is_called_its_own_word() -> None:
    page = answerable_verify.render_first_page(manifest_with(called="<b>credit</b>"))
    assert (
        "The organisation calls the AI system &lt;b&gt;credit&lt;/b&gt;. That is its own word, and not proven." in page
    )
    assert "The organisation calls" not in answerable_verify.render_first_page(manifest_with(called=None))


def test_the_first_page_loads_nothing_and_runs_nothing() -> None:
    page = answerable_verify.render_first_page(usual().manifest)
    assert "default-src 'none'" in page and "<script" not in page and "http://" not in page and "url(" not in page
    assert "prefers-color-scheme:dark" in page and "@media print" in page


def test_verifying_txt_names_this_bundle_and_the_exact_commands() -> None:
    text = answerable_verify.render_verifying(usual().manifest)
    assert usual().manifest["id"] in text and usual().manifest["logs"][0]["log"] in text
    for command in (
        "python3 -I verify.py BUNDLE.zip --vkey",
        "sha256sum -c SHA256SUMS",
        "go run check.go",
        "openssl ts -verify",
    ):
        assert command in text
    assert text.isascii() and not re.search(r"\{(?:log|id|origin|go|question)\}", text)
    assert max(len(line) for line in text.splitlines() if not line.startswith("Asked")) <= 132


def test_the_built_page_is_what_its_source_makes() -> None:
    result = subprocess.run([sys.executable, str(PROJECT / "tools" / "verifier_page.py"), "--check"], check=False)
    assert result.returncode == 0, "run: python tools/verifier_page.py"


def test_the_built_page_is_one_file_that_loads_nothing() -> None:
    page = answerable_verify.page_path().read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert policy and policy[1].startswith("default-src 'none'; script-src 'sha256-") and "unsafe" not in policy[1]
    assert page.count("<script>") == page.count("</script>") == 1
    for word in (
        "fetch(",
        "XMLHttpRequest",
        "WebSocket",
        "import(",
        "innerHTML",
        "outerHTML",
        "document.write",
        "eval(",
        "sendBeacon",
        "localStorage",
    ):
        assert word not in page


def test_every_finding_is_explained_to_auditors() -> None:
    text = (PROJECT / "docs" / "verifying-a-bundle.md").read_text(encoding="utf-8")
    rows = [f"| `{code}` | {level} | {words} |" for code, (level, words) in verify.FINDINGS.items()]
    assert [row for row in rows if row not in text] == []
