"""From a finished run to an entry, a board, its pages and a second training."""

import contextlib
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from clock import run_script
from scipy.stats import spearmanr
from strangers import install

from benchbed.boards.comparison import compare
from benchbed.boards.entries import verification
from benchbed.boards.entries.audit import audit
from benchbed.boards.entries.entry import current_entries, load_entry, save_entry
from benchbed.boards.entries.submission import command_of, submit
from benchbed.boards.folders import entry_files, find_boards
from benchbed.boards.reading import find_entry, read_standings
from benchbed.boards.standings import write_standings
from benchbed.boards.suite import Vacancy, fill_vacancies, find_vacancies
from benchbed.boards.views.markdown import agreement_markdown, board_markdown, fill_document
from benchbed.config.request import RunRequest
from benchbed.errors import EntryError, OptionError
from benchbed.results.result import load_result, save_result

ROOT = Path(__file__).resolve().parents[1]
LEVEL = "tiny/linear_map@s1"
CPU = torch.device("cpu")


@pytest.fixture
def cli(command_line, monkeypatch, boards):
    """The command line in the repository of the boards."""
    monkeypatch.chdir(boards.parent)
    return command_line


@pytest.fixture
def run(published_boards, tmp_path):
    """The run of `mlp_mixer`, which is not published."""
    return shutil.copytree(published_boards / "runs" / "mlp_mixer", tmp_path / "run")


def changed(run, **environment):
    result = load_result(run)
    save_result(result.model_copy(update={"environment": result.environment.model_copy(update=environment)}), run)


def test_a_submitted_run_passes_the_check_and_joins_the_board(cli, run, boards):
    code, out, _ = cli("leaderboard", "submit", run, "--submitter", "Somebody")
    assert code == 0
    assert out.startswith(f"leaderboards/{LEVEL}/mlp_mixer.yaml written")
    assert "benchbed leaderboard render" in out
    assert cli("leaderboard", "check")[:2] == (0, "3 entries checked, 0 problems\n")
    rows = json.loads(cli("leaderboard", "--json")[1])[0]["rows"]
    assert {row["entry"] for row in rows} == {"mlp_mixer", "softmax_attention", "static_mixer"}
    assert cli("leaderboard", "submit", run, "--submitter", "Somebody")[0] == 2, "published already"
    entry = load_entry(boards / LEVEL / "mlp_mixer.yaml")
    assert entry.provenance.command == command_of(load_result(run))
    assert entry.provenance.command == (
        "benchbed run --track tiny --task linear_map@s1 --mixer mlp_mixer --mixer-option expansion=4 --device cpu"
    )
    assert entry.standing == "self"


def test_a_second_run_of_a_mixer_must_say_what_it_replaces(run, boards):
    submit(run, boards, submitter="Somebody")
    result = load_result(run)
    config = result.config.model_copy(update={"device": "cuda"})
    save_result(result.model_copy(update={"config": config, "identity": config.identity}), run)
    with pytest.raises(EntryError, match="give --supersedes mlp_mixer to replace it"):
        submit(run, boards, submitter="Somebody")
    with pytest.raises(EntryError, match="--supersedes nobody: expected an entry of"):
        submit(run, boards, submitter="Somebody", supersedes="nobody")
    assert submit(run, boards, submitter="Somebody", supersedes="mlp_mixer").stem == "mlp_mixer-2"
    rows = read_standings(boards / LEVEL)["rows"]
    assert {row["entry"] for row in rows} == {"mlp_mixer-2", "softmax_attention", "static_mixer"}
    assert audit(boards)[1] == []


def test_what_may_not_be_published(run, boards, monkeypatch):
    changed(run, git_dirty=True)
    with pytest.raises(EntryError, match="from a checkout with uncommitted changes"):
        submit(run, boards, submitter="Somebody")
    changed(run, git_dirty=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    monkeypatch.chdir(run)
    with pytest.raises(EntryError, match="nobody is named as its submitter"):
        submit(run, boards)
    result = load_result(run)
    save_result(result.model_copy(update={"unranked": ["check 'no future' failed: output 0"]}), run)
    with pytest.raises(EntryError, match="the run is unranked: check 'no future' failed"):
        submit(run, boards, submitter="Somebody")
    config = result.config.model_copy(update={"mixer": result.config.mixer.model_copy(update={"source_hash": "0"})})
    save_result(result.model_copy(update={"config": config, "identity": config.identity}), run)
    with pytest.raises(EntryError, match="the source of mixer 'mlp_mixer' has changed since; run it again"):
        submit(run, boards, submitter="Somebody")
    assert len(list((boards / LEVEL).glob("*.yaml"))) == 2


def test_a_plug_in_needs_a_source_that_can_be_read_and_must_pass_every_check(run, boards, tmp_path, monkeypatch):
    """Its state is found by no leak check, and by the conformance suite at the gate."""
    source = """
        import torch
        from torch import nn
        class Remembering(nn.Module):
            '''Keeps a count.'''
            def __init__(self, dim: int, length: int):
                super().__init__()
                self.project = nn.Linear(dim, dim)
                self.register_buffer("calls", torch.zeros(()))
            def forward(self, x):
                self.calls += 1
                return self.project(x.cumsum(1))
    """
    install(tmp_path, "outside", "[benchbed.mixers]\nremembering = outside:Remembering\n", outside=source)
    monkeypatch.syspath_prepend(str(tmp_path))
    from benchbed.plugins.registry import find

    result, plugin = load_result(run), find("mixer", "remembering")
    mixer = result.config.mixer.model_copy(
        update={
            "name": plugin.label,
            "distribution": "outside",
            "version": "1.0",
            "options": {},
            "source_hash": plugin.source_hash,
        }
    )
    config = result.config.model_copy(update={"mixer": mixer})
    save_result(result.model_copy(update={"config": config, "identity": config.identity}), run)
    with pytest.raises(
        EntryError, match=r"nobody could read the source of mixer 'outside:remembering'.*--source-url"
    ):
        submit(run, boards, submitter="Somebody")
    with pytest.raises(EntryError, match="fails the check 'no state': forward changes calls"):
        submit(run, boards, submitter="Somebody", source_url="https://example.org/outside")


@pytest.fixture
def superseded(boards):
    """The board after `static_mixer-2` took the place of `static_mixer`."""
    path = boards / LEVEL / "static_mixer.yaml"
    entry = load_entry(path)
    provenance = entry.provenance.model_copy(update={"supersedes": "static_mixer"})
    save_entry(
        entry.model_copy(update={"entry": "static_mixer-2", "provenance": provenance}).sealed(),
        path.with_stem("static_mixer-2"),
    )
    return boards


def test_a_baseline_that_was_superseded_is_still_the_baseline(superseded):
    board = read_standings(superseded / LEVEL)
    assert {row["entry"] for row in board["rows"]} == {"static_mixer-2", "softmax_attention"}
    assert board["baseline"] == "static_mixer"
    assert next(row for row in board["rows"] if row["entry"] == "static_mixer-2")["ratio"] == 1


def test_readers_call_an_entry_by_its_mixer_and_find_the_one_that_counts(superseded, cli):
    assert "static_mixer-2" not in board_markdown(read_standings(superseded / LEVEL))
    assert find_entry(superseded, "static_mixer", None, None).stem == "static_mixer-2"
    assert find_entry(superseded, "static_mixer-2", None, None).stem == "static_mixer-2"
    shown = json.loads(cli("compare", "static_mixer", "softmax_attention", "--json")[1])
    assert shown["names"] == ["static_mixer-2", "softmax_attention"]


def test_what_was_superseded_may_be_of_older_source(superseded):
    old = superseded / LEVEL / "static_mixer.yaml"
    entry = load_entry(old)
    mixer = entry.result.config.mixer.model_copy(update={"source_hash": "0" * 64})
    config = entry.result.config.model_copy(update={"mixer": mixer})
    result = entry.result.model_copy(update={"config": config, "identity": config.identity})
    save_entry(entry.model_copy(update={"result": result}).sealed(), old)
    problems = [p for p in audit(superseded)[1] if "published" not in str(p.expected)]
    assert [p for p in problems if p.field.endswith("source_hash")] == []
    new = superseded / LEVEL / "static_mixer-2.yaml"
    save_entry(load_entry(new).model_copy(update={"result": result}).sealed(), new)
    assert [p.file for p in audit(superseded)[1] if "the source at hand" in str(p.expected)] == [
        f"{LEVEL}/static_mixer-2.yaml"
    ]


def test_withdrawing_keeps_the_file_and_takes_the_row(cli, boards):
    assert cli("leaderboard", "withdraw", "softmax_attention", "--reason", "wrong seed", "--track", "tiny")[0] == 0
    assert load_entry(boards / LEVEL / "softmax_attention.yaml").standing == "withdrawn"
    assert audit(boards)[1] == []
    assert [row["entry"] for row in read_standings(boards / LEVEL)["rows"]] == ["static_mixer"]


def test_training_again_gives_the_same_steps_and_the_mark_survives_the_check(cli, boards):
    code, out, err = cli("leaderboard", "verify", "static_mixer", "--mark", "--by", "Tester", "--device", "cpu")
    assert code == 0
    lines = out.splitlines()
    published, again = (line.partition(":")[2].partition("(")[0].split() for line in lines[-3:-1])
    assert published == again
    assert lines[-1] == "identical"
    assert "is now marked: rerun" in err
    entry = load_entry(boards / LEVEL / "static_mixer.yaml")
    assert (entry.standing, entry.verifications[0].by, len(entry.verifications[0].seeds)) == ("rerun", "Tester", 8)
    assert audit(boards)[1] == [], "a verification may be added to what was published"
    path = boards / LEVEL / "static_mixer.yaml"
    path.write_text(path.read_text().replace("by: Tester", "by: Sombody"))
    assert audit(boards)[1], "but not by hand"


def test_planted_better_steps_are_inconsistent(cli, boards):
    """Every step an evaluation earlier, the rows and the digest made to fit: only training again tells."""
    path = boards / LEVEL / "softmax_attention.yaml"
    data = yaml.safe_load(path.read_text())
    for row in data["result"]["members"]:
        row |= {"status": "solved", "steps": 10, "trained_steps": 20}
    from benchbed.boards.entries.entry import Entry
    from benchbed.results.result import Result
    from benchbed.results.scoring import summarise

    members = Result.model_validate(data["result"] | {"summary": data["result"]["summary"]}).members
    data["result"]["summary"] = summarise(members, 60).model_dump(mode="json")
    save_entry(Entry.model_validate(data).sealed(), path)
    code, out, _ = cli("leaderboard", "verify", "softmax_attention", "--json", "--device", "cpu")
    outcome = json.loads(out)
    assert (code, outcome["verdict"]) == (1, "inconsistent")
    assert outcome["p"] < 0.05


def test_fresh_seeds_are_judged_as_an_independent_sample(boards):
    entry = load_entry(boards / LEVEL / "static_mixer.yaml")
    seeds = verification.choose_seeds(entry, 4, fresh=True)
    assert seeds == [1_000_000, 1_000_001, 1_000_002, 1_000_003]
    assert not set(seeds) & {*entry.result.config.scoring_seeds, *entry.result.config.tuning_seeds}
    steps = verification.train_again(entry, seeds, CPU, lambda _: None)
    assert all(step % 10 == 0 for step in steps)
    assert verification.judge(entry, seeds, entry.steps[:4], CPU, "x").verdict == "consistent"
    far = verification.judge(entry, [1_000_000 + i for i in range(8)], [60_000] * 8, CPU, "x")
    assert (far.verdict, far.p is not None and far.p < 0.001) == ("inconsistent", True)
    with pytest.raises(OptionError, match="--seeds: expected 1 to 8, found 9"):
        verification.choose_seeds(entry, 9, fresh=False)


def test_another_source_is_not_verified(boards):
    entry = load_entry(boards / LEVEL / "static_mixer.yaml")
    mixer = entry.result.config.mixer.model_copy(update={"source_hash": "0"})
    config = entry.result.config.model_copy(update={"mixer": mixer})
    other = entry.model_copy(update={"result": entry.result.model_copy(update={"config": config})})
    with pytest.raises(EntryError, match="has another source than the one that was scored"):
        verification.train_again(other, [0], CPU, lambda _: None)


@pytest.mark.parametrize("compiled", [False, True])
def test_an_entry_is_trained_again_as_it_was_trained(run, boards, monkeypatch, compiled):
    changed(run, compiled=compiled)
    entry = load_entry(submit(run, boards, submitter="Somebody"))
    assert entry.provenance.command.endswith("--device cpu --compile" if compiled else "--device cpu")
    settings = []
    monkeypatch.setattr(verification, "Ensemble", lambda _recipe, _members, how: settings.append(how) or Untrained())
    with pytest.raises(KeyError):
        verification.train_again(entry, [0], CPU, lambda _: None)
    assert [how.compiled for how in settings] == [compiled]


class Untrained:
    def train(self, _observe):
        return []


def test_comparing_a_pair(cli, run):
    code, out, _ = cli("compare", "static_mixer", "softmax_attention")
    assert code == 0
    text = " ".join(out.split())
    assert re.search(r"static_mixer takes \d\.\d\d \[.*\] times the mean steps of softmax_attention", text)
    assert "adjusted over the board" in text
    pair = json.loads(cli("compare", "static_mixer", run, "--json")[1])
    assert (pair["names"], pair["adjusted"]) == (["static_mixer", "mlp_mixer"], None)
    assert len(pair["steps"][0]) == len(pair["steps"][1]) == 8
    assert set(pair["costs"][0]) == {"samples", "flops", "seconds"}


def test_only_runs_of_one_level_are_compared(cli, run):
    result = load_result(run)
    budget = result.config.budget.model_copy(update={"steps": 120})
    config = result.config.model_copy(update={"budget": budget})
    save_result(result.model_copy(update={"config": config, "identity": config.identity}), run)
    code, _, err = cli("compare", "static_mixer", run)
    assert (code, "cannot be compared: expected one budget" in err) == (2, True)


def test_sorting_and_reading(cli):
    for sort in ("rank", "mixer", "solved", "steps", "samples", "flops", "seconds", "parameters", "date"):
        code, out, _ = cli("leaderboard", "linear_map", "--sort", sort)
        assert code == 0
        assert "linear_map@s1, track tiny" in out
    rows = json.loads(cli("leaderboard", "--sort", "parameters", "--json")[1])[0]["rows"]
    assert [row["parameters"] for row in rows] == sorted(row["parameters"] for row in rows)
    code, _, err = cli("leaderboard", "linear_map@s9")
    assert (code, "no board of linear_map@s9 in any track; known: linear_map@s1 (track tiny)" in err) == (2, True)


def test_stored_standings_are_read_and_stale_ones_are_not(boards):
    folder = boards / LEVEL
    computed = read_standings(folder)
    assert write_standings(folder, write=True)
    assert not write_standings(folder, write=True)
    assert (
        read_standings(folder) == json.loads((folder / "board.json").read_text()) == json.loads(json.dumps(computed))
    )
    path = folder / "softmax_attention.yaml"
    save_entry(load_entry(path).model_copy(update={"withdrawn": "why not"}).sealed(), path)
    assert len(read_standings(folder)["rows"]) == 1
    assert write_standings(folder, write=False)
    (folder / "board.json").write_text("nonsense")
    assert len(read_standings(folder)["rows"]) == 1


def test_the_readme_is_filled_and_its_drift_is_found(cli, boards):
    readme = boards.parent / "README.md"
    readme.write_text("# Boards\n\n<!-- board: tiny linear_map@s1 -->\nold\n<!-- /board -->\n\nThe end.\n")
    assert cli("leaderboard", "render", "--check")[0] == 1
    code, out, _ = cli("leaderboard", "render")
    assert (code, "README.md written" in out) == (0, True)
    text = readme.read_text()
    assert text.startswith("# Boards\n")
    assert text.endswith("<!-- /board -->\n\nThe end.\n")
    assert "| `static_mixer` (heads=8) |" in text
    assert "exact permutation tests, false discovery rate 5%" in text
    assert cli("leaderboard", "render", "--check")[0] == 0
    readme.write_text(text.replace("| 8/8 |", "| 9/8 |", 1))
    assert fill_document(readme, boards, write=False)
    readme.write_text(text.replace("linear_map@s1", "linear_map@s2"))
    with pytest.raises(EntryError, match="because a marker names it, found none"):
        fill_document(readme, boards, write=False)


def test_rates_and_pairs_are_filled_into_findings(cli, boards):
    page = boards.parent / "docs" / "findings.md"
    page.parent.mkdir()
    pair = "static_mixer/softmax_attention"
    page.write_text(
        "<!-- rates: tiny linear_map@s1 -->\n<!-- /rates -->\n"
        f"<!-- pairs: tiny linear_map@s1 {pair} -->\nyesterday\n<!-- /pairs -->\n"
    )
    assert cli("leaderboard", "render")[0] == 0
    rates, _, pairs = page.read_text().partition("<!-- /rates -->")
    entry = load_entry(boards / LEVEL / "static_mixer.yaml").result
    line = next(line for line in rates.splitlines() if line.startswith("| `static_mixer`"))
    tuned = [row for row in entry.tuning if row.learning_rate == entry.learning_rate]
    mean = sum(row.steps or entry.config.budget.steps for row in tuned) / len(tuned)
    assert f"**{sum(row.status == 'solved' for row in tuned)}/{len(tuned)} ({mean:,.0f})**" in line
    assert f"{min(entry.restricted_steps)} to " in line
    assert "of 2 chose an end of the grid" in rates
    assert "mean rank correlation of" in rates
    assert "yesterday" not in pairs
    expected = compare(boards, ("static_mixer", "softmax_attention"), "tiny", "linear_map@s1")
    line = next(line for line in pairs.splitlines() if line.startswith("| `static_mixer`, `softmax_attention` |"))
    assert f"| {expected.ratio:.2f} [" in line
    assert f"| {expected.p:.2g} | {expected.p:.2g} |" in line
    page.write_text(page.read_text().replace(pair, "static_mixer/nobody"))
    with pytest.raises(EntryError, match="'nobody': expected it on one board"):
        fill_document(page, boards, write=False)


def test_whether_boards_agree_is_a_rank_correlation_of_who_stands_on_both(boards):
    def board(level, means):
        rows = [{"name": name, "rank": 1, "mean_steps": mean} for name, mean in means.items()]
        return {"level": level, "rows": [*rows, {"name": "not ranked", "rank": None, "mean_steps": 1.0}]}

    first, second = (
        dict(zip("abcdef", (1, 2, 3, 4, 5, 6), strict=True)),
        dict(zip("gfedcb", (9, 4, 5, 3, 1, 2), strict=True)),
    )
    three: Any = [board("one", first), board("two", second), board("three", first)]
    lines = agreement_markdown(three).splitlines()
    assert len(lines) == 2 + 3
    expected = spearmanr([first[name] for name in "bcdef"], [second[name] for name in "bcdef"])[0]
    assert lines[2].startswith(f"| `one`, `two` | 5 | {expected:+.2f} [")
    assert lines[3].startswith("| `one`, `three` | 6 | +1.00 | ")
    p, adjusted = (float(cell) for cell in lines[3].strip(" |").split(" | ")[-2:])
    assert adjusted == pytest.approx(3 * p, rel=0.06), "the smallest of three"
    page = boards.parent / "agreement.md"
    page.write_text("<!-- agreement: tiny linear_map@s1 linear_map@s1 -->\n<!-- /agreement -->\n")
    assert fill_document(page, boards, write=True)
    assert "| levels | mixers on both |" in page.read_text()
    page.write_text("<!-- pairs: tiny static_mixer/softmax_attention -->\n<!-- /pairs -->\n")
    with pytest.raises(EntryError, match="because a marker names it, found none"):
        fill_document(page, boards, write=False)


def test_entries_are_found_by_name_and_by_file(boards):
    assert find_entry(boards, "static_mixer", None, None) == boards / LEVEL / "static_mixer.yaml"
    assert find_entry(boards, str(boards / LEVEL / "static_mixer.yaml"), None, None).stem == "static_mixer"
    with pytest.raises(EntryError, match="expected it on one board, found it on no board"):
        find_entry(boards, "nobody", None, None)
    with pytest.raises(EntryError, match="no entry file"):
        find_entry(boards, "nobody.yaml", None, None)
    assert find_boards(boards, "tiny", "linear_map") == [boards / LEVEL]


def test_the_schemas_are_those_of_the_files(cli, boards):
    code, out, _ = cli("schema", "entry")
    schema = json.loads(out)
    assert code == 0
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == set(yaml.safe_load((boards / LEVEL / "static_mixer.yaml").read_text()))
    assert "learning_rates" in cli("schema", "track")[1]
    assert "tuning" in cli("schema", "result")[1]


def test_reading_a_board_costs_little_more_than_its_libraries(boards):
    write_standings(boards / LEVEL, write=True)
    folder = boards.parent
    heavy = "{'torch', 'scipy', 'numpy', 'matplotlib', 'timm'}"
    read = "import sys; from benchbed.__main__ import main; sys.argv = ['benchbed', 'leaderboard']"
    bare = "import yaml, rich.console, rich.table, rich.text"

    shown = run_script(f"{read}\nmain()\nprint(sorted({heavy} & set(sys.modules)))", folder)[1]
    assert "static_mixer" in shown
    assert shown.endswith("[]\n")
    times = [(run_script(f"{read}; main()", folder)[0], run_script(bare)[0]) for _ in range(8)]
    assert min(reading for reading, _ in times) < 3 * min(start for _, start in times)


@pytest.mark.parametrize("level", [[], ["linear_map@s1"], ["linear_map@s9"]])
def test_the_short_way_to_a_board_shows_what_the_long_one_does(cli, boards, monkeypatch, capsys, level):
    from benchbed.__main__ import main as short

    code, out, err = cli("leaderboard", "show", *level)
    monkeypatch.setattr(sys, "argv", ["benchbed", "leaderboard", *level])
    with contextlib.nullcontext() if code == 0 else pytest.raises(SystemExit, match="2"):
        short()
    assert capsys.readouterr() == (out, err)


def test_a_suite_runs_what_a_board_lacks_and_goes_on_after_a_failure(planted, boards, tmp_path, monkeypatch):
    import io

    from rich.console import Console

    cells = find_vacancies(boards, "lite", None, None)
    assert Vacancy("mlp_mixer", "linear_map@s3") in cells
    wanted = find_vacancies(boards, "lite", ["mlp_mixer", "planted:wrong_shape", "static_mixer"], ["linear_map"])
    assert wanted == [
        Vacancy("mlp_mixer", "linear_map@s3"),
        Vacancy("planted:wrong_shape", "linear_map@s3"),
        Vacancy("static_mixer", "linear_map@s3"),
    ]
    done = []
    monkeypatch.setattr(
        "benchbed.boards.suite.run_live",
        lambda run, engine, _: done.append((run.config.mixer.name, engine.compiled)),
    )
    console = Console(file=io.StringIO(), width=120)
    failures = fill_vacancies(wanted, "lite", tmp_path / "runs", "cpu", console, compiled=True)
    assert done == [("mlp_mixer", True), ("static_mixer", True)], "the other fails before it trains"
    assert list(failures) == [wanted[1]]
    text = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert "2 of 3 cells finished" in text
    assert "failed: planted:wrong_shape on linear_map@s3: mixer WrongShape: expected an output of shape" in text


def test_a_board_lacks_a_mixer_whose_source_has_changed(boards):
    path = boards / "lite" / "linear_map@s3" / "static_mixer.yaml"
    path.parent.mkdir(parents=True)
    entry = load_entry(boards / LEVEL / "static_mixer.yaml")
    save_entry(entry, path)
    assert Vacancy("static_mixer", "linear_map@s3") not in find_vacancies(boards, "lite", None, None)
    mixer = entry.result.config.mixer.model_copy(update={"source_hash": "0"})
    config = entry.result.config.model_copy(update={"mixer": mixer})
    result = entry.result.model_copy(update={"config": config, "identity": config.identity})
    save_entry(entry.model_copy(update={"result": result}).sealed(), path)
    assert Vacancy("static_mixer", "linear_map@s3") in find_vacancies(boards, "lite", None, None)


def test_asking_for_what_a_current_entry_was_gives_its_identity():
    """What makes a run another run must not move with the code around it."""
    folders = find_boards(ROOT / "leaderboards", None, None)
    entries = [e for f in folders for e in current_entries([load_entry(path) for path in entry_files(f)])]
    assert len(entries) > 60
    for entry in entries:
        config = entry.result.config
        request = RunRequest(config.mixer.name, config.level, config.track.name, mixer_options=config.mixer.options)
        assert request.resolve(config.device).identity == entry.result.identity, entry.entry
