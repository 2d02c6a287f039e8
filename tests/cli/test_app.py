"""The command line as a user meets it."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from clock import run_script
from strangers import BROKEN, install
from typer.main import get_command

from benchbed.cli.app import app, main
from benchbed.config.request import RunRequest
from benchbed.results.result import load_result

HEAVY = {"torch", "scipy", "matplotlib", "numpy"}


@pytest.fixture
def cli(command_line, monkeypatch, tmp_path):
    """The command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return command_line


@pytest.fixture
def small(tiny_path):
    """Arguments of a run of a second."""
    return ("run", "-t", "linear_map", "--track", tiny_path, "--max-steps", 20, "--device", "cpu")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["list"], ["list", "tasks"], ["list", "tracks"], ["run", "--help"]]
)
def test_help_and_listings_import_nothing_heavy(arguments, planted_site):
    script = f"""
import sys
from benchbed.cli.app import main
sys.argv = ["benchbed", *{arguments!r}]
try:
    main()
except SystemExit as end:
    assert end.code == 0
print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)
"""
    environment = os.environ | {"PYTHONPATH": str(planted_site)}
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert process.stderr == "[]\n"
    assert process.stdout


def test_plug_ins_do_not_slow_the_listings(tmp_path):
    """Ten that import torch and three that are broken, against a bare start with the same libraries."""
    source = "import torch\nfrom torch import nn\n\nclass Heavy(nn.Module):\n    'A heavy one.'\n"
    modules = {f"heavy{number}": source for number in range(10)} | BROKEN
    for name, text in modules.items():
        install(tmp_path, name, f"[benchbed.mixers]\n{name} = {name}:Heavy\n", **{name: text})
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "COLUMNS": "100"}
    start = "import sys; from benchbed.cli.app import main; sys.argv = ['benchbed', '{}']; main()"
    bare = "import rich.console, rich.table, typer, yaml; from pydantic import BaseModel, TypeAdapter"
    scripts = [start.format("--help"), start.format("list"), bare]
    assert run_script(scripts[1], environment=environment)[1].count("A heavy one.") == 10
    times = [[run_script(script, environment=environment)[0] for script in scripts] for _ in range(5)]
    help_, list_, least = map(min, zip(*times, strict=True))
    assert help_ < 2.5 * least
    assert list_ < 2.5 * least


def test_listings(cli, planted):
    code, out, _ = cli("list", "mixers", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert code == 0
    assert rows["multi_head_attention"]["distribution"] == "benchbed"
    assert rows["planted:leaky"] == {
        "name": "planted:leaky",
        "distribution": "planted",
        "version": "1.0",
        "description": "Reads the next token.",
    }
    assert "linear_map@s7" in cli("list", "tracks")[1]
    assert "linear_map" in [row["name"] for row in json.loads(cli("list", "tasks", "--json")[1])]


def test_plugins_and_their_status(cli, planted, monkeypatch):
    sys.modules.pop("planted", None)
    code, out, _ = cli("plugins", "--json")
    status = {(row["distribution"], row["name"]): row["status"] for row in json.loads(out)}
    assert code == 0
    assert status["benchbed", "mlp_mixer"] == "built-in"
    assert status["planted", "leaky"] == "ok"
    assert status["planted", "mlp_mixer"] == "the name is reserved; use 'planted:mlp_mixer'"
    assert "planted" not in sys.modules

    code, out, _ = cli("plugins", "--check", "--json")
    status = {(row["distribution"], row["name"]): row["status"] for row in json.loads(out)}
    assert code == 1
    assert status["benchbed", "linear_map"] == status["planted", "leaky"] == "loads"
    for name, fault in (
        ("quits", "SystemExit: 3"),
        ("missing", "AttributeError"),
        ("optional", "**rest"),
        ("needs", "No module named 'a_library_that_nobody_has'"),
        ("garbled", "SyntaxError"),
        ("no_module", "expected a torch.nn.Module"),
        ("old_signature", "expected __init__(self, dim, length, *, option: type = default, ...), found positional"),
        ("old_task", "expected a class attribute `version: int`"),
        ("no_task", "expected a method `sample`"),
    ):
        assert status["planted", name].startswith("broken: ")
        assert fault in status["planted", name]

    monkeypatch.setenv("BENCHBED_NO_PLUGINS", "1")
    assert {row["distribution"] for row in json.loads(cli("plugins", "--json")[1])} == {"benchbed"}


def test_run_show_plot(cli, small, tmp_path):
    code, out, err = cli(*small, "-m", "multi_head_attention", "-m", "mlp_mixer", "--out", "results")
    assert (code, err) == (0, "")
    assert out.count("steps by seed") == 2
    assert "multi_head_attention on linear_map@s1, tuning: step 0 of 20" in out
    assert "unranked: the track is a file" in out
    assert "ratio to" in out
    folders = sorted((tmp_path / "results").glob("tiny/linear_map@s1/*"))
    assert [folder.name.rpartition("-")[0] for folder in folders] == ["mlp_mixer", "multi_head_attention"]

    code, shown, _ = cli("show", folders[1])
    assert code == 0
    assert shown.strip() in out
    known = " ".join(str(row.known) for row in load_result(folders[1]).members)
    assert f"{known} of 4 outputs, where not solved" in shown, "no seed solves in 20 steps"
    assert json.loads(cli("show", folders[1] / "result.yaml", "--json")[1])["config"]["mixer"]["options"] == {
        "heads": 8,
        "positions": "none",
    }

    code, both, _ = cli("show", *folders)
    assert (code, both) == (0, cli("show", folders[0])[1] + shown)
    assert [each["identity"] for each in json.loads(cli("show", *folders, "--json")[1])] == [
        load_result(folder).identity for folder in folders
    ]
    rows = list(csv.DictReader(io.StringIO(cli("show", *folders, "--csv")[1])))
    assert [row["run"] for row in rows] == [folder.name for folder in folders for _ in load_result(folder).members]

    for ending, magic in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        code, out, err = cli("plot", *folders, "-o", f"curves.{ending}")
        assert (code, err) == (0, "")
        assert (tmp_path / f"curves.{ending}").read_bytes().startswith(magic)

    assert cli("plot", folders[0], "--by-output", "-o", "outputs.png")[0] == 0
    assert (tmp_path / "outputs.png").read_bytes().startswith(b"\x89PNG")

    code, out, _ = cli(*small, "-m", "mlp_mixer", "--out", "results")
    assert "finished before" in out
    assert "tuning: step" not in out


def test_a_class_in_a_file_is_run_unranked_before_anybody_packages_it(cli, small, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", sys.path[:])
    signature = "def __init__(self, dim: int, length: int):\n        super().__init__()\n"
    (tmp_path / "sketch.py").write_text(f"from torch import nn\n\nclass Mine(nn.Identity):\n    {signature}")
    code, out, _ = cli(*small, "--mixer", "sketch:Mine", "--learning-rate", 0.01, "--json")
    assert code == 0
    (result,) = json.loads(out)
    assert "mixer 'sketch:Mine' is registered by no package" in result["unranked"]
    (folder,) = (tmp_path / "runs").glob("*/*/sketch.Mine-*")
    out = cli("show", folder)[1]
    assert "sketch:Mine" in out
    assert "not tuned, the rate was given" in out
    assert "finished before" in cli(*small, "--mixer", "sketch:Mine", "--learning-rate", 0.01)[1]


def test_json_prints_json_and_nothing_else(cli, small):
    code, out, err = cli(*small, "-m", "mlp_mixer", "--json")
    assert code == 0
    (result,) = json.loads(out)
    assert result["summary"]["seeds"] == 3
    assert "tuning: step" in err


def test_the_track_is_chosen_and_explained(cli, monkeypatch):
    code, _, err = cli("run", "-m", "mlp_mixer", "-t", "linear_map", "--device", "cpu", "--seeds", 0)
    assert code == 2
    assert err == "benchbed: --seeds: expected 1 to 1000, found 0\n"
    _, out, _ = cli("run", "-m", "mlp_mixer", "-t", "linear_map", "--device", "cpu", "--seeds", 0)
    assert out == "track lite, because the device is cpu, not CUDA; choose another with --track\n"


RUN = ["run", "-m", "mlp_mixer", "-t", "linear_map", "--device", "cpu", "--track", "lite"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "-m", "mlp_mixr", *RUN[3:]], "unknown mixer 'mlp_mixr'; did you mean 'mlp_mixer'"),
        (["run", "-m", "mlp_mixer", "-t", "linear_mop"], "unknown task 'linear_mop'; did you mean 'linear_map'"),
        ([*RUN[:4], "linear_map@s4", *RUN[5:]], "unknown level 's4' of 'linear_map' in track 'lite'"),
        ([*RUN[:-1], "lit"], "unknown track 'lit'; did you mean 'lite'"),
        ([*RUN, "--mixer-option", "expanson=2"], "unknown option 'expanson'; did you mean 'expansion'"),
        ([*RUN, "--mixer-option", "expansion=two"], "option 'expansion': expected a valid integer"),
        ([*RUN, "--mixer-option", "expansion=0"], "expected greater than or equal to 1, found '0'"),
        ([*RUN, "--mixer-option", "expansion"], "--mixer-option: expected key=value, found 'expansion'"),
        ([*RUN, "--task-option", "sparsity=8"], "expected sparsity < state_size, found both 8"),
        ([*RUN, "--task-option", "sparsity=9"], "expected sparsity <= state_size"),
        ([*RUN, "--task-option", "sparsity=0"], "expected greater than or equal to 1, found '0'"),
        ([*RUN, "--task-option", "state_size=1"], "expected greater than or equal to 2, found '1'"),
        ([*RUN, "--task-option", "sparse=2"], "unknown option 'sparse'; did you mean 'sparsity'"),
        (
            ["run", "-m", "multi_head_attention", *RUN[3:], "--mixer-option", "heads=7"],
            "mixer 'multi_head_attention': expected heads to divide the width 64, found heads=7",
        ),
        ([*RUN, "--max-steps", "110"], "--max-steps: expected steps to be a multiple of evaluate_every=25"),
        ([*RUN, "--max-steps", "ten"], "--max-steps"),
        (
            [*RUN, "--learning-rate", "-1"],
            "--learning-rate: option 'learning_rates.0': expected greater than 0, found -1.0",
        ),
        ([*RUN, "--seeds", "2000"], "--seeds: expected 1 to 1000, found 2000"),
        ([*RUN, "-m", "mlp_mixer"], "--mixer: expected different mixers, found mlp_mixer, mlp_mixer"),
        ([*RUN, "--device", "cuda:7"], "--device cuda:7: expected a device that this machine has"),
        ([*RUN, "--device", "abacus"], "--device abacus: expected a device that this machine has"),
        ([*RUN, "--engine", "fast"], "Invalid value for '--engine': 'fast' is not one of"),
        (["run", "-t", "linear_map"], "Missing option '--mixer'"),
        (["run", "--mixr", "x"], "--mixr"),
        (["list", "mixer"], "'mixers', 'tasks', 'tracks'"),
        (["show", "nowhere"], "no result at nowhere"),
        (["plot", "nowhere", "-o", "x.png"], "no result at nowhere"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(cli, arguments, message):
    code, _, err = cli(*arguments)
    assert code == 2
    assert message in err
    assert err.startswith("benchbed: ")
    assert err.count("\n") == 1


def test_an_option_that_one_of_several_mixers_does_not_have(cli):
    code, _, err = cli(*RUN, "-m", "multi_head_attention", "--mixer-option", "heads=4")
    assert code == 2
    assert "mixer 'mlp_mixer': unknown option 'heads'" in err


def test_debug_shows_the_traceback(monkeypatch, cli):
    monkeypatch.setattr(sys, "argv", ["benchbed", "--debug", "show", "nowhere"])
    with pytest.raises(Exception, match="no result at nowhere"):
        main()
    assert cli("show", "nowhere")[0] == 2, "--debug holds for one call"


def test_ctrl_c_says_how_to_go_on(cli, small, monkeypatch):
    import benchbed.runs.execute

    monkeypatch.setattr(
        benchbed.runs.execute.Ensemble, "train", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt), raising=True
    )
    code, _, err = cli(*small, "-m", "mlp_mixer")
    assert code == 130
    assert "the same command goes on from here" in err


@pytest.mark.parametrize(
    ("options", "signals", "code", "said"),
    [
        (["--time-limit", "1s"], [], 75, "the time limit of 1s is up"),
        ([], [signal.SIGTERM], 143, "terminated"),
        ([], [signal.SIGINT], 130, "interrupted"),
    ],
)
def test_a_time_limit_and_signals_lose_nothing(cli, small, monkeypatch, options, signals, code, said):
    """The run stands still after its first evaluation, until it is ended; then the same command finishes it."""
    from benchbed.training.ensemble import Ensemble

    give, trained = Ensemble._give_up, []

    def stand_still(self, rule):
        give(self, rule)
        if any(t.step for t in self.trajectories.values()):
            trained.append(self)
            for number in signals:
                threading.Timer(0.2, os.kill, (os.getpid(), number)).start()
            time.sleep(60)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
    with monkeypatch.context() as patched:
        patched.setattr(Ensemble, "_give_up", stand_still)
        found, _, err = cli(*small, "-m", "mlp_mixer", *options)
    signal.signal(signal.SIGINT, before)
    assert trained or options, "the time may be up before there is anything to stand still at"
    assert found == code
    assert f"benchbed: {said}; the same command goes on from here" in err
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert cli(*small, "-m", "mlp_mixer")[0] == 0


@pytest.mark.parametrize("text", ["25", "m", "1h 30m", "-5m", "0s", "", "1.5h"])
def test_a_time_limit_that_is_none_is_refused(cli, small, text):
    code, _, err = cli(*small, "-m", "mlp_mixer", "--time-limit", text)
    assert code == 2
    assert f"--time-limit: expected a time such as 90s, 25m or 1h30m, found '{text}'" in err


def test_a_folder_that_cannot_be_written(cli, small, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = cli(*small, "-m", "mlp_mixer", "--out", "file")
    assert code == 2
    assert "cannot write to file/tiny/linear_map@s1" in err
    assert err.count("\n") == 1


def test_plot_refuses_other_endings_and_mixed_levels(cli, small, tmp_path):
    cli(*small, "-m", "mlp_mixer", "--out", "results")
    cli(*small, "-m", "mlp_mixer", "--out", "results", "--task-option", "sparsity=2")
    folders = [path.parent for path in tmp_path.glob("results/**/result.yaml")]
    assert len(folders) == 2
    assert "expected results of one level and track" in cli("plot", *folders, "-o", "x.png")[2]
    assert "expected a file ending in .png, .svg or .pdf" in cli("plot", folders[0], "-o", "x.gif")[2]
    assert "expected a file ending in .png, .svg or .pdf" in cli("plot", folders[0], "--by-output", "-o", "x.gif")[2]
    assert "--by-output: expected one result, found 2" in cli("plot", *folders, "--by-output", "-o", "x.png")[2]


def test_python_m_benchbed_and_version():
    process = subprocess.run([sys.executable, "-m", "benchbed", "--version"], capture_output=True, text=True)
    assert process.stdout == "benchbed 0.1.0\n"


def test_help_says_the_default_that_a_rule_decides(command_line, monkeypatch):
    """In square brackets within a help text it would be taken for markup, and swallowed."""
    monkeypatch.setenv("COLUMNS", "200")
    _, out, _ = command_line("run", "--help")
    assert "default: (by a rule, where it pays)" in out
    assert "default: (standard with CUDA, else lite)" in out


def test_help_begins_with_what_a_newcomer_runs(command_line, monkeypatch):
    """`run` stood tenth of seventeen."""
    monkeypatch.setenv("COLUMNS", "110")
    _, out, _ = command_line("--help")
    listed = re.findall(r"^│ ([a-z]+) ", out, flags=re.MULTILINE)
    assert listed[:2] == ["run", "score"]
    assert sorted(listed) == sorted(get_command(app).commands)  # pyright: ignore[reportAttributeAccessIssue]


def test_help_says_of_every_option_that_makes_a_run_unranked_that_it_does():
    given: dict[str, dict[str, Any]] = {
        "task_option": {"task_options": {"sparsity": 2}},
        "seeds": {"seeds": 2},
        "max_steps": {"max_steps": 100},
        "learning_rate": {"learning_rate": 0.1},
        "check": {"checked": False},
    }
    options = get_command(app).commands["run"].params  # pyright: ignore[reportAttributeAccessIssue]
    assert {option.name for option in options if "unranked" in (option.rich_help_panel or "")} == set(given)
    for changes in ({}, *given.values()):
        config = RunRequest("mlp_mixer", "linear_map", "lite", **changes).resolve("cpu")
        assert bool(config.unranked) == bool(changes)
