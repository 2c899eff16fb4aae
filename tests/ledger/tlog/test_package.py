import ast
import sys
from pathlib import Path

import ledger.tlog

SOURCES = sorted(Path(ledger.tlog.__file__).parent.glob("*.py"))


def test_the_package_imports_only_the_standard_library_and_cryptography() -> None:
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                top = name.split(".")[0]
                assert top in sys.stdlib_module_names or top == "cryptography" or name.startswith("ledger.tlog")


def test_every_public_name_says_what_it_does() -> None:
    for source in SOURCES:
        tree = ast.parse(source.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree)
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{source.name}: {node.name}"


def test_every_exported_name_exists_and_the_list_is_sorted() -> None:
    assert all(hasattr(ledger.tlog, name) for name in ledger.tlog.__all__)
    constants = [name for name in ledger.tlog.__all__ if name.isupper()]
    assert ledger.tlog.__all__[: len(constants)] == sorted(constants)
    assert len(set(ledger.tlog.__all__)) == len(ledger.tlog.__all__)
