"""What `benchbed new` writes is complete: it installs, passes its own tests and runs, in a fresh environment."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

from benchbed.errors import OptionError, StorageError
from benchbed.plugins.scaffold import new_package

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("kind", ["mixer", "task"])
def test_every_placeholder_is_filled(kind, tmp_path):
    package = new_package(kind, "moving_average", tmp_path)
    texts = {str(path.relative_to(package)): path.read_text() for path in package.rglob("*") if path.is_file()}
    assert set(texts) == {
        "pyproject.toml",
        "README.md",
        ".gitignore",
        ".github/workflows/test.yml",
        "src/moving_average.py",
        "tests/test_moving_average.py",
    }
    for name, text in texts.items():
        assert not re.search(r"@\w+@", text), name
    project = tomllib.loads(texts["pyproject.toml"])["project"]
    assert project["name"] == "moving-average"
    assert project["entry-points"][f"benchbed.{kind}s"] == {"moving_average": "moving_average:MovingAverage"}


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("mixer", "My_Mixer", "lower-case letters"),
        ("mixer", "my-mixer", "lower-case letters"),
        ("mixer", "../escape", "lower-case letters"),
        ("task", "class", "no word of Python"),
        ("mixer", "mlp_mixer", "built-in mixer, and its name is reserved"),
        ("task", "linear_map", "built-in task, and its name is reserved"),
        ("mixer", "yaml", "a module 'yaml' is installed already"),
    ],
)
def test_names_that_cannot_be(kind, name, message, tmp_path):
    with pytest.raises(OptionError, match=message):
        new_package(kind, name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path):
    new_package("mixer", "moving_average", tmp_path)
    kept = (tmp_path / "moving_average" / "README.md").read_text()
    with pytest.raises(StorageError, match="exists already"):
        new_package("task", "moving_average", tmp_path)
    assert (tmp_path / "moving_average" / "README.md").read_text() == kept


@pytest.mark.slow
def test_a_mixer_and_a_task_from_nothing_to_a_score(tmp_path):
    """As CONTRIBUTING tells an author: a fresh environment with benchbed, then every command of those sections."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
    # torch and the other dependencies are those of this environment; benchbed itself is not.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["PATH"] = f"{home / 'bin'}{os.pathsep}{environment['PATH']}"

    def call(command):
        process = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
        )
        assert process.returncode == 0, f"{command}\n{process.stdout}\n{process.stderr}"
        return process.stdout

    call(f"pip install -q --no-deps {ROOT}")
    assert sys.prefix not in call("python -c 'import benchbed; print(benchbed.__file__)'")
    text = (ROOT / "CONTRIBUTING.md").read_text()
    blocks = re.findall(r"^```sh\n(benchbed new .*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    for line in "".join(blocks).splitlines():
        line = line.replace("pip install", "pip install -q --no-deps").replace("&& pytest", "&& python -m pytest")
        if "benchbed run" in line:
            line += " --device cpu --max-steps 50 --seeds 2 --learning-rate 0.001 --json"
        out = call(line)
        if "benchbed run" in line:
            (result,) = json.loads(out)
            assert [row["trained_steps"] for row in result["members"]] == [50, 50]
    assert "moving-average:moving_average" in call("benchbed list mixers")
    rows = json.loads(call("benchbed plugins --check --json"))
    status = {(row["distribution"], row["kind"]): row["status"] for row in rows}
    assert status["moving-average", "mixer"] == status["parity", "task"] == "loads"
