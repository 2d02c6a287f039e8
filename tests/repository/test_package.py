"""What is installed, what imports what, and what the repository promises about itself."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from benchbed import contracts

ROOT = Path(__file__).resolve().parents[2]

ENGINE = [path for path in (ROOT / "benchbed").rglob("*.py") if "templates" not in path.parts]


def modules(path):
    """Names that a file imports, at its top or inside functions, and the modules that they are of."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def imported(path):
    """Those of benchbed."""
    return {name for name in modules(path) if name.split(".")[0] == "benchbed"}


@pytest.mark.parametrize("path", ENGINE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_engine_names_no_plug_in(path):
    for module in imported(path):
        assert module.split(".")[1:2] not in (["mixers"], ["tasks"], ["capabilities"]), module


def libraries(path):
    """Top-level modules of others that a file imports."""
    return {name.split(".")[0] for name in modules(path)} - set(sys.stdlib_module_names) - {"benchbed"}


def test_what_is_imported_is_what_is_installed():
    """Each library is a dependency, or one of an extra; what another brings may leave with it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for extra in ("ray", "fla", "lm") for line in project["optional-dependencies"][extra]]
    declared = {re.split("[>=<]", line)[0].lower() for line in (*project["dependencies"], *extras)}
    used = set().union(*map(libraries, (*ENGINE, *PLUG_INS)))
    names = {"yaml": "pyyaml", "fla": "flash-linear-attention", "huggingface_hub": "huggingface-hub"}
    used = {names.get(name, name) for name in used} - {"pytest"}  # which runs who imports it
    assert used <= declared
    needed = {re.split("[>=<]", line)[0].lower() for line in project["dependencies"]}
    assert needed <= used, "a dependency that nothing imports"


PLUG_INS = sorted([*ROOT.glob("mixers/**/*.py"), *ROOT.glob("tasks/*.py"), *ROOT.glob("capabilities/*.py")])


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


def test_no_file_is_long_and_no_folder_crowded():
    for path in [*ENGINE, *PLUG_INS]:
        assert len(path.read_text().splitlines()) <= 300, path
    for folder in {path.parent for path in ENGINE}:
        assert len(list(folder.glob("[!_]*.py"))) <= 12, folder


def test_every_part_is_in_the_wheel():
    """An editable install finds a folder that `pyproject.toml` does not list; the wheel lacks it."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {path.parent.relative_to(ROOT) for path in ENGINE if path.name == "__init__.py"}
    assert {".".join(folder.parts) for folder in folders} <= set(listed)


@pytest.mark.parametrize("path", ENGINE, ids=lambda path: str(path.relative_to(ROOT)))
def test_pictures_are_drawn_in_files_of_that_name(path):
    assert path.name == "figures.py" or "matplotlib" not in libraries(path)


@pytest.mark.parametrize("path", ENGINE, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_what_users_type_takes_many_arguments(path):
    if "cli" in path.parts or "api" in path.parts:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            given = [a for a in (*node.args.args, *node.args.kwonlyargs) if a.arg not in ("self", "cls")]
            assert len(given) <= 8, node.name


def test_the_page_on_architecture_names_what_there_is():
    text = (ROOT / "docs" / "architecture.md").read_text()
    places = set(re.findall(r"`((?:\w+/)*\w+\.py|(?:\w+/)+)`", text))
    assert len(places) > 40
    for place in places:
        assert list((ROOT / "benchbed").rglob(place)) or (ROOT / place).exists(), place
    for folder in (ROOT / "benchbed").glob("*/__init__.py"):
        assert f"`{folder.parent.name}/`" in text, folder
    for name in set(re.findall(r"`([A-Z]\w+)`", text)) - {"SCHEMA_VERSION"}:
        assert any(f"class {name}" in path.read_text() for path in ENGINE), name


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
    for folder in ("mixers", "tasks", "capabilities"):
        sources = {f"benchbed/{folder}/{path.name}" for path in (ROOT / folder).glob("*.py")}
        assert sources <= set(names)
    boards = {
        f"benchbed/leaderboards/{p.relative_to(ROOT / 'leaderboards')}" for p in ROOT.glob("leaderboards/**/*.yaml")
    }
    assert boards
    assert boards <= set(names)
    assert "benchbed/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
def test_no_command_makes_the_checkout_unpublishable():
    """Every folder that a command writes to by default is ignored, at the root and in benchmarks/; no source is.

    Whatever runs beside something that is not ignored is of a checkout with uncommitted changes.
    """
    commands = "\n".join(path.read_text() for path in (ROOT / "benchbed" / "cli").glob("*.py"))
    written = set(re.findall(r'Path\("([a-z/]+)"\)', commands)) - {"leaderboards"}
    assert {"runs", "reruns", "sweeps", "traces"} <= written
    places = [f"{start}{folder}/new" for start in ("", "benchmarks/") for folder in sorted(written)]
    ignored = subprocess.run(["git", "check-ignore", *places], cwd=ROOT, capture_output=True, text=True).stdout
    assert ignored.split() == places
    source = ["benchbed/runs/new.py", "benchmarks/new.py", "mixers/new.py"]
    assert subprocess.run(["git", "check-ignore", *source], cwd=ROOT).returncode == 1
