"""What is installed, what imports what, and what the repository promises about itself."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from benchbed import contracts

ROOT = Path(__file__).resolve().parents[1]

# Who may import whom inside the engine: each module, and the ones below it.
ORDER = [
    "errors",
    "terminal",
    "wording",
    "contracts",
    "git",
    "storage",
    "options",
    "sources",
    "requirements",
    "registry",
    "tracks",
    "trajectory",
    "scoring",
    "comparison",
    "config",
    "seeding",
    "threads",
    "findings",
    "causality",
    "checks",
    "task_tables",
    "task_checks",
    "examination",
    "optimiser",
    "backbone",
    "recipe",
    "forward",
    "group",
    "ensemble",
    "results",
    "costs",
    "matching",
    "state",
    "profile",
    "entries",
    "entry_checks",
    "publication",
    "audit",
    "boards",
    "standings",
    "reading",
    "pairs",
    "submission",
    "environment",
    "progress",
    "checkpoint",
    "run",
    "verification",
    "plots",
    "board_tables",
    "markdown",
    "board_figures",
    "site",
    "maps",
    "jumps",
    "snapshots",
    "patching",
    "render",
    "grid",
    "sweep",
    "ray_backend",
    "sweep_figures",
    "sweep_job",
    "trace",
    "trace_figures",
    "trace_job",
    "claims",
    "paper",
    "paper_job",
    "listing",
    "scaffold",
    "job",
    "suite",
    "cli_boards",
    "cli_lab",
    "cli",
    "__main__",
]


def imported(path):
    """Names of benchbed's modules that a file imports, at its top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "benchbed"}


def test_every_module_has_its_place_in_the_order():
    modules = {path.stem for path in (ROOT / "benchbed").glob("*.py")} - {"__init__"}
    assert modules == set(ORDER)


@pytest.mark.parametrize("name", ORDER)
def test_the_engine_imports_only_downwards_and_names_no_plug_in(name):
    below = ORDER[: ORDER.index(name)]
    for module in imported(ROOT / "benchbed" / f"{name}.py"):
        part = module.split(".")[1] if "." in module else ""
        assert part not in ("mixers", "tasks"), f"{name} names a plug-in: {module}"
        if part in ORDER:
            assert part in below, f"{name} imports {part}, which stands above it"


PLUG_INS = sorted([*ROOT.glob("mixers/**/*.py"), *ROOT.glob("tasks/*.py")])


@pytest.mark.parametrize("path", PLUG_INS, ids=lambda path: str(path.relative_to(ROOT)))
def test_plug_ins_import_only_the_contracts(path):
    assert {".".join(name.split(".")[:2]) for name in imported(path)} <= {"benchbed.contracts"}


def test_what_isinstance_looks_for_is_found_in_a_module_on_every_python():
    """From Python 3.12 on `isinstance` with a protocol sees no attribute that `nn.Module.__getattr__` gives."""
    asked = [protocol for protocol in vars(contracts).values() if getattr(protocol, "_is_runtime_protocol", False)]
    assert contracts.MixerWithWeights in asked
    assert contracts.TaskWithOracle in asked
    for protocol in asked:
        assert not [base for base in protocol.__mro__ if getattr(base, "__annotations__", {})], protocol.__name__


def test_only_render_and_its_callers_know_rich():
    users = {
        path.stem
        for path in (ROOT / "benchbed").glob("*.py")
        if any(
            (isinstance(n, ast.ImportFrom) and (n.module or "").split(".")[0] == "rich")
            for n in ast.walk(ast.parse(path.read_text()))
        )
    }
    # The others name the Console that they pass on.
    assert users == {"render", "board_tables", "terminal", "job", "suite", "sweep_job", "trace_job", "paper_job"}


def test_no_file_is_long():
    for path in [*ROOT.glob("benchbed/*.py"), *ROOT.glob("mixers/*.py"), *ROOT.glob("tasks/*.py")]:
        assert len(path.read_text().splitlines()) <= 300, path


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_wheel_installs_benchbed_and_nothing_else(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"benchbed", "benchbed-0.1.0.dist-info"}
    for folder in ("mixers", "tasks"):
        sources = {f"benchbed/{folder}/{path.name}" for path in (ROOT / folder).glob("*.py")}
        assert sources <= set(names)
    boards = {
        f"benchbed/leaderboards/{p.relative_to(ROOT / 'leaderboards')}" for p in ROOT.glob("leaderboards/**/*.yaml")
    }
    assert boards
    assert boards <= set(names)
    assert "benchbed/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
