"""Build the verifier's page: `page/words.js` from verify.py, then verify.html from the modules in `page/`.

python tools/verifier_page.py            write both
python tools/verifier_page.py --check    exit code 1 where they are not what they would be
"""

import base64
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1] / "sdk" / "src" / "answerable_verify"
PAGE = PACKAGE / "page"
MODULES = (
    "words", "basics", "hashes", "tree", "ed25519", "notes", "der", "timestamps", "inflate", "manifest", "container",
    "firstpage", "logs", "contents", "answer", "trust", "claims", "anchors", "check", "report", "page",
)  # fmt: skip
CONSTANTS = (
    "FINDINGS", "WORDS", "LIMITS", "MANIFEST", "FIXED_FILES", "UNLISTED", "PARTS", "ALL_PARTS", "REPORT_FORMAT",
    "CLOCK_SLACK", "CLOCK_BACK", "CLOCKS_APART", "MOST_ROWS", "STYLE", "PAGE_PROOF",
)  # fmt: skip
_IMPORT = re.compile(r"^import\s[^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=const|let|function|class|async)", re.MULTILINE)
_NAME = re.compile(r"^(?:async )?(?:const|let|function\*?|class) ([A-Za-z0-9_$]+)", re.MULTILINE)


def words() -> str:
    """The words, forms and limits of verify.py as a module, so that both verifiers have the same."""
    sys.path.insert(0, str(PACKAGE.parent))
    from answerable_verify import verify

    rows: list[str] = ["/** Made from verify.py by tools/verifier_page.py: change it there. */\n"]
    for name in CONSTANTS:
        value: Any = getattr(verify, name)
        rows.append(f"\nexport const {name} = {json.dumps(value, indent=2)};\n")
    return "".join(rows)


def script(sources: dict[str, str]) -> str:
    """The modules as one script: without imports and exports, in an order in which each knows what it needs."""
    parts = ['"use strict";\n']
    seen: dict[str, str] = {}
    for name in MODULES:
        source = _EXPORT.sub("", _IMPORT.sub("", sources[name]))
        for found in _NAME.findall(source):
            if seen.setdefault(found, name) != name:
                raise SystemExit(f"{found} stands in {seen[found]}.js and in {name}.js")
        parts.append(f"\n// --- {name}.js\n{source}")
    text = "".join(parts)
    if "</script" in text.lower() or "<!--" in text:
        raise SystemExit("the script would end before its end")
    return f"(() => {{\n{text}}})();\n"


def page(sources: dict[str, str]) -> str:
    """verify.html."""
    from answerable_verify import verify

    style = verify.STYLE + (PAGE / "page.css").read_text(encoding="utf-8")
    code = script(sources)
    facts = {"style": style, "style_hash": _digest(style), "script": code, "script_hash": _digest(code)}
    shell = (PAGE / "shell.html").read_text(encoding="utf-8")
    return re.sub(r"\{(style|style_hash|script|script_hash)\}", lambda found: facts[found[1]], shell)


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def built() -> dict[Path, str]:
    """What is built, by path."""
    made = words()
    sources = {name: made if name == "words" else (PAGE / f"{name}.js").read_text(encoding="utf-8") for name in MODULES}
    return {PAGE / "words.js": made, PACKAGE / "verify.html": page(sources)}


def main() -> int:
    stale = [path for path, text in built().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv[1:]:
        return 1 if stale else 0
    for path, text in built().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
