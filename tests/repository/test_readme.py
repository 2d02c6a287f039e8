"""The README's commands work, and what it shows is what was published."""

import glob
import io
import re
import shlex
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from benchbed.boards.entries.entry import load_entry
from benchbed.reporting.tables import result_table

ROOT = Path(__file__).resolve().parents[2]
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docs" / "lab.md"]


def commands(path):
    """Every line of the shell blocks of a document; those that make a package run in test_scaffold.py."""
    blocks = re.findall(r"^```sh\n(.*?)^```", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    ours = [block for block in blocks if not block.startswith("benchbed new")]
    return [line for block in ours for line in block.splitlines() if line and not line.startswith("#")]


def cut_down(command):
    """The same command with a budget of seconds; the installed command runs once, by `.ci/run`."""
    if "benchbed run" in command:
        return f"{command} --max-steps 50 --seeds 2 --learning-rate 0.001 --device cpu"
    if "benchbed suite plan" in command:
        return f"{command} --mixers mlp_mixer --device cpu"
    if "benchbed leaderboard render" in command:
        return f"{command} --boards few"  # a page an entry: those of one track
    if "--fresh-seeds" in command:
        return f"{command} --seeds 2 --device cpu"
    if "benchbed score" in command or "benchbed suite run" in command:
        return f"{command} --time-limit 5s --device cpu"  # whole levels: they begin, and end when told
    if "benchbed sweep" in command:
        return f"{re.sub(r'1[.][.][0-9]', '1..2', command)} --max-steps 50 --seeds 1 --device cpu"
    if "benchbed trace" in command:
        steps = 50 if "--bias" in command or "--task-option" in command else 200  # the step that is patched next
        return f"{command} --max-steps {steps} --seeds 1 --device cpu"
    return command


def test_installation_is_what_ci_runs():
    """`.ci/run` takes the install, test and main commands from here, in a fresh environment."""
    lines = commands(ROOT / "README.md")
    assert lines[0] == "pip install . && benchbed run --mixer mlp_mixer --task linear_map"
    assert 'pip install -e ".[dev]" && pytest -n auto' in lines
    script = (ROOT / ".ci" / "run").read_text()
    assert "grep -m1 '^pip install -e' README.md" in script
    assert "grep -m1 '^pip install \\. &&' README.md" in script


def test_what_it_shows_is_the_published_entry():
    entry = load_entry(ROOT / "leaderboards" / "lite" / "linear_map@s3" / "mlp_mixer.yaml")
    terminal = Console(width=100, file=(seen := io.StringIO()))
    terminal.print(result_table(entry.result))
    print(f"written to runs/lite/linear_map@s3/mlp_mixer-{entry.result.identity[:10]}", file=seen)
    (shown,) = re.findall(r"^```text\n(.*?)^```", (ROOT / "README.md").read_text(), flags=re.MULTILINE | re.DOTALL)
    assert shown == seen.getvalue()


def test_a_command_about_an_entry_names_its_board():
    """Or it would stop working on the day on which another board gets an entry of that name; a pair may have many."""
    pages = [*DOCS, *(ROOT / "docs").glob("*.md")]
    about = re.compile(r"^benchbed (compare|leaderboard (verify|withdraw)) .*", flags=re.MULTILINE)
    found = [line[0] for page in pages for line in about.finditer(page.read_text())]
    assert found
    assert [line for line in found if "--track" not in line] == []
    assert [line for line in found if "--level" not in line and not line.startswith("benchbed compare")] == []


def words(command):
    """What a shell makes of a command: patterns are the files that they fit, if there are any."""
    return [name for word in shlex.split(command) for name in sorted(glob.glob(word)) or [word]]


@pytest.mark.slow
@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.stem)
def test_every_command_runs(path, tmp_path, monkeypatch, command_line):
    """In this process, which has imported torch once; `.ci/run` and tests/plugins call the installed command."""
    for name in ("benchmarks", "mixers", "tests", "pyproject.toml"):
        source, target = ROOT / name, tmp_path / name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    shutil.copytree(ROOT / "leaderboards" / "standard", tmp_path / "few" / "standard")
    monkeypatch.chdir(tmp_path)
    run = [cut_down(re.sub(r"^pip install \S+ && ", "", line)) for line in commands(path)]
    # A reproduction takes minutes: tests/lab/test_paper.py gives every one of these commands on a tiny track.
    ours = [line for line in run if line.startswith("benchbed") and not line.startswith("benchbed reproduce")]
    assert ours
    for line in ours:
        code, out, err = command_line(*words(line)[1:])
        assert code in ((0, 75) if "--time-limit" in line else (0,)), f"{line}\n{out}\n{err}"
