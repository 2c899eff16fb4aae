"""What import-linter cannot say about the floors of the house: that its contracts speak of all of it."""

import ast
import sys
import tomllib
from pathlib import Path

from django.apps import apps

PROJECT = Path(__file__).resolve().parents[2]
LINTER = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]
FLOORS, GROUND, *_ = LINTER["contracts"]


def test_every_app_of_ours_stands_on_a_floor() -> None:
    ours = {config.name for config in apps.get_app_configs() if Path(config.path).is_relative_to(PROJECT / config.name)}
    on_a_floor = {name.strip() for layer in FLOORS["layers"] for name in layer.split("|")}
    assert ours - {"config"} <= on_a_floor
    assert ours <= set(LINTER["root_packages"])


def test_every_module_of_config_is_roof_or_ground() -> None:
    roof = {name.strip() for name in FLOORS["layers"][0].split("|")}
    found = [path for path in (PROJECT / "config").iterdir() if path.suffix == ".py" or path.is_dir()]
    modules = {f"config.{path.stem}" for path in found}
    assert modules - {"config.__init__", "config.__pycache__"} == roof | set(GROUND["source_modules"])


def test_the_log_package_imports_the_standard_library_and_cryptography_alone() -> None:
    allowed = sys.stdlib_module_names | {"cryptography"}
    for path in (PROJECT / "ledger" / "tlog").glob("*.py"):
        for module in _imported(path):
            assert module.split(".")[0] in allowed or module.startswith("ledger.tlog"), f"{path.name} imports {module}"


def test_roles_are_given_where_it_is_known_what_a_case_is_about() -> None:
    """The register alone would let somebody into a case that they had a part in."""
    register = "governance.services.assignments"
    inner = {"offer_assignment", "approve_proposal", "accept_assignments"}
    doors = {"overrides/services/appointing.py", "governance/management/commands/offer_administrator.py"}
    for app in LINTER["root_packages"]:
        for path in (PROJECT / app).rglob("*.py"):
            if (place := path.relative_to(PROJECT).as_posix()) in doors:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.ImportFrom) or node.module not in (register, "governance.services"):
                    continue
                names = {alias.name for alias in node.names}
                assert not names & inner, f"{place} gives roles past overrides.services.appointing"
                assert place == "overrides/api/assignments.py" or "assignments" not in names, place


def _imported(path: Path) -> list[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(node.module or ".")
    return found
