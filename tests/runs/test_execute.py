"""A run as a whole: tuning, scoring, files, and going on after any kind of end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from planned import planned
from strangers import install

from benchbed.config.request import RunRequest
from benchbed.errors import BusyError, OptionError, PluginError, ResultError
from benchbed.reporting.wording import begun_elsewhere
from benchbed.results.history import load_history
from benchbed.results.result import RESULT, load_result, run_folder
from benchbed.runs import environment
from benchbed.runs.checkpoint import CHECKPOINT, Checkpoint
from benchbed.runs.execute import execute, execute_together, prepare
from benchbed.storage.files import exclusive
from benchbed.training.engine import EngineSettings
from benchbed.training.recipe import make_recipe

REQUEST = EngineSettings("auto", torch.device("cpu"))
# What may differ between two runs of one config: when, where and how fast.
TIMING = {"seconds", "finished", "environment"}


def run(config, folder, observe=lambda _: None, request=REQUEST, **options):
    return execute(planned(config, folder), request, observe, **options)


def without_timing(data):
    if isinstance(data, dict):
        return {key: without_timing(value) for key, value in data.items() if key not in TIMING}
    return [without_timing(item) for item in data] if isinstance(data, list) else data


def content(folder):
    return without_timing(load_result(folder).model_dump(mode="json"))


def test_a_run_tunes_on_tuning_seeds_and_scores_on_scoring_seeds(configure, tmp_path):
    stages = []
    outcome = run(configure(), tmp_path / "a", lambda p: stages.append((p.stage, len(p.trajectories))))
    result = outcome.result
    assert {(row.seed, row.learning_rate) for row in result.tuning} == {
        (seed, rate) for seed in (100, 101) for rate in (0.003, 0.01)
    }
    assert [row.seed for row in result.members] == [0, 1, 2]
    assert {row.learning_rate for row in result.members} == {result.learning_rate}
    assert result.summary.solved == sum(row.status == "solved" for row in result.members)
    assert sorted(set(stages)) == [("scoring", 3), ("tuning", 4)]
    assert result.unranked == result.config.unranked != []
    assert result.costs.mixer_parameters == 4 * 16 * 16
    assert result.costs.flops_per_token > 2 * 4 * 16 * 16
    assert load_result(tmp_path / "a") == result
    assert not (tmp_path / "a" / CHECKPOINT).exists()
    history = load_history(tmp_path / "a")
    assert history.loss.shape == history.accuracy.shape == (3, len(history.steps), 4)
    for row, losses in zip(result.members, history.loss.mean(axis=2), strict=True):
        trained = losses[: row.trained_steps // 10]
        assert trained[-1] == pytest.approx(row.final_loss, rel=1e-4)


def test_the_criterion_is_met_where_the_result_says_so(configure, tmp_path):
    result = run(configure(), tmp_path).result
    history = load_history(tmp_path)
    assert result.summary.solved > 0
    for row, accuracy in zip(result.members, history.accuracy, strict=True):
        met = (accuracy >= 0.99).all(axis=1)
        confirmed = met[:-1] & met[1:]
        assert row.steps == (int(history.steps[confirmed.argmax()]) if confirmed.any() else None)


@pytest.mark.parametrize("text", ["", "schema_version: 1\n", "a: [1"])
def test_a_half_written_result_stops_a_run_and_retraining_replaces_it(configure, tmp_path, text):
    (tmp_path / RESULT).write_text(text)
    with pytest.raises(ResultError, match="run it again with --retrain"):
        run(configure(max_steps=20), tmp_path)
    run(configure(max_steps=20), tmp_path, retrain=True)
    assert run(configure(max_steps=20), tmp_path).reused


def test_a_finished_run_is_not_repeated_unless_asked(configure, tmp_path):
    first = run(configure(max_steps=20), tmp_path)
    before = (tmp_path / RESULT).read_bytes()
    again = run(configure(max_steps=20), tmp_path, lambda _: pytest.fail("it trained"))
    assert again.reused
    assert (tmp_path / RESULT).read_bytes() == before
    trained = []
    retrained = run(configure(max_steps=20), tmp_path, trained.append, retrain=True)
    assert trained
    assert not retrained.reused
    assert without_timing(retrained.result.model_dump()) == without_timing(first.result.model_dump())


def test_what_makes_another_run(configure, planted, tmp_path, monkeypatch):
    base = configure()
    others = [
        configure("softmax_attention"),
        configure(mixer_options={"heads": "4"}),
        configure(task="linear_map@s2"),
        configure(task_options={"sparsity": "3"}),
        configure(max_steps=20),
        configure(seeds=2),
        configure(device="cuda"),
        base.model_copy(update={"benchbed": "0.0.0"}),
        base.model_copy(update={"mixer": base.mixer.model_copy(update={"source_hash": "edited"})}),
        base.model_copy(update={"track": base.track.model_copy(update={"version": 2})}),
    ]
    folders = {run_folder(tmp_path, config) for config in [base, *others]}
    assert len(folders) == len(others) + 1
    assert run_folder(tmp_path, configure()) in folders
    assert configure("planted:leaky").mixer.name == "planted:leaky"
    assert ":" not in str(run_folder(tmp_path, configure("planted:leaky")).relative_to(tmp_path))


def test_what_makes_a_run_unranked(configure):
    def reasons(**changes):
        return "; ".join(configure(checked=True, **changes).unranked)

    assert reasons() == "the track is a file, not one of lite, standard; fewer than 8 seeds"
    assert RunRequest("mlp_mixer", "linear_map", "lite").resolve("cpu").unranked == []
    assert "--seeds 2 instead of 3" in reasons(seeds=2)
    assert "--max-steps 40 instead of 60" in reasons(max_steps=40)
    assert "--task-option changes the level" in reasons(task_options={"sparsity": "2"})
    assert "--task-option" not in reasons(task_options={"sparsity": "1"})


class Interrupted(BaseException):
    """Stands for Ctrl-C at a chosen moment."""


@pytest.mark.parametrize("engine", ["loop", "vmap"])
def test_an_interrupted_run_goes_on_to_the_same_result(configure, tmp_path, engine):
    request = EngineSettings(engine, torch.device("cpu"))
    run(configure(), tmp_path / "whole", request=request)
    whole = load_history(tmp_path / "whole")
    for moment in (1, 2, 5, 8):
        folder, calls = tmp_path / f"cut-{moment}", []

        def interrupt(progress, calls=calls, moment=moment):
            calls.append(progress)
            if len(calls) == moment:
                raise Interrupted

        with pytest.raises(Interrupted):
            run(configure(), folder, interrupt, request)
        assert (folder / CHECKPOINT).exists()
        run(configure(), folder, request=request)
        assert content(folder) == content(tmp_path / "whole")
        cut = load_history(folder)
        np.testing.assert_array_equal(cut.loss, whole.loss)
        np.testing.assert_array_equal(cut.accuracy, whole.accuracy)


def test_after_its_tuning_a_run_is_a_small_file_that_goes_on_elsewhere(configure, tmp_path):
    """Its curves and weights were megabytes; what is decided by them are rows."""
    config = configure(max_steps=20)
    further = config.optimiser.model_copy(update={"further_rates": [0.0001, 0.001, 0.03, 0.1]})
    config = config.model_copy(update={"optimiser": further})
    whole = run(config, tmp_path / "whole").result

    def stop(progress):
        if progress.stage == "scoring":
            raise Interrupted

    with pytest.raises(Interrupted):
        run(config, tmp_path / "here", stop)
    file = tmp_path / "here" / CHECKPOINT
    stages = Checkpoint(file, config.identity).stages
    races = [stage for name, stage in stages.items() if name.startswith("tuning")]
    assert len(races) > 1, "the best rate is an end of two"
    assert [row["seed"] for race in races for row in race["rows"]] == [row.seed for row in whole.tuning]
    assert {key for race in races for key in race} == {"rows"}
    assert file.stat().st_size < 10_000
    (tmp_path / "there").mkdir()
    file.rename(tmp_path / "there" / CHECKPOINT)
    seen = []
    run(config, tmp_path / "there", seen.append)
    assert {p.stage for p in seen} == {"scoring"}
    assert content(tmp_path / "there") == content(tmp_path / "whole")


def test_a_run_says_where_it_began(configure, tmp_path, monkeypatch):
    """One that was begun by uncommitted code, or another torch, and finished elsewhere had only the last to show."""
    here = environment.describe_environment

    def stop(_):
        raise Interrupted

    def begin(**otherwise):
        def describe(*arguments, **named):
            return here(*arguments, **named).model_copy(update={"git_dirty": False, "git_commit": "a"} | otherwise)

        monkeypatch.setattr("benchbed.runs.execute.describe_environment", describe)

    config = configure(max_steps=20, learning_rate=0.01, seeds=1)
    for otherwise in ({"git_dirty": True}, {}, {"git_dirty": True}, {"torch": "2.9.0"}):
        begin(**otherwise)
        with pytest.raises(Interrupted):
            run(config, tmp_path, stop)
    begin()
    # What the checkout has come to by the end is not what trained.
    found = run(config, tmp_path, lambda _: begin(git_commit="b")).result
    assert (found.environment.git_commit, found.environment.git_dirty) == ("a", False)
    assert begun_elsewhere(found) == "git_dirty=True; torch=2.9.0"
    assert load_result(tmp_path) == found

    begin()
    again = run(config, tmp_path, retrain=True).result
    assert again.earlier_environments == []
    assert "earlier_environments" not in (tmp_path / RESULT).read_text()
    assert begun_elsewhere(again) is None


@pytest.mark.slow
def test_kill_9_at_any_moment_loses_nothing_but_time(tiny_path, tmp_path):
    command = [sys.executable, "-m", "benchbed", "run", "-m", "multi_head_attention", "-t", "linear_map@s2"]
    command += ["--track", str(tiny_path), "--max-steps", "1500", "--device", "cpu"]

    def start(out):
        return subprocess.Popen([*command, "--out", str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    kills = 0
    for delay in (0.1, 1.0, 2.5):
        process = start(tmp_path / "cut")
        # Imports take seconds and differ in length; the clock starts when the first log line comes.
        assert process.stdout is not None
        while b": step" not in (line := process.stdout.readline()) and line:
            pass
        time.sleep(delay)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.communicate()
    assert kills > 0
    for out in ("cut", "whole"):
        process = start(tmp_path / out)
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    (cut,), (whole,) = ((tmp_path / out).glob("**/result.yaml") for out in ("cut", "whole"))
    assert content(cut.parent) == content(whole.parent)


def test_a_checkpoint_that_was_cut_or_belongs_to_another_run_counts_as_none(configure, tmp_path):
    config, file = configure(max_steps=20), tmp_path / CHECKPOINT
    for rubbish in (b"", b"PK\x03\x04half", b"\x80\x07rubbish", b"I1\n.", b"(lp0\n"):
        file.write_bytes(rubbish)
        assert Checkpoint(file, config.identity).stages == {}
    torch.save({"identity": "another", "stages": {"tuning": None}, "seconds": 0.0}, file)
    assert Checkpoint(file, "another").stages == {"tuning": None}
    assert not run(config, tmp_path).reused
    file.write_bytes(b"(lp0\n")
    assert not run(config, tmp_path).reused, "a result beside it was of an earlier attempt"


def test_a_leaky_mixer_is_found_out_and_unranked(configure, planted, tmp_path):
    result = run(configure("leaky", checked=True), tmp_path).result
    found = "; ".join(result.unranked)
    assert "check 'no future' failed: output 0 depends on the later input 1" in found
    assert "leaks: seeds 0, 1, 2, 100, 101 meet the criterion only with later tokens in view" in found
    assert result.summary.solved == 0
    assert {row.status for row in result.members} == {"leaked"}, "it reads the answer, and is asked without"


def test_a_run_without_checks_is_unranked(configure, planted, tmp_path):
    config = configure("leaky", max_steps=20)
    assert "--no-check" in config.unranked
    assert run(config, tmp_path).result.unranked[: len(config.unranked)] == config.unranked


def test_diverged_members_are_recorded_and_count_as_the_budget(configure, planted, tmp_path):
    result = run(configure("exploding"), tmp_path).result
    rows = [*result.tuning, *result.members]
    diverged = [row for row in rows if row.status == "diverged"]
    assert diverged
    assert all(row.final_loss is None and row.steps is None for row in diverged)
    assert result.summary.diverged == sum(row.status == "diverged" for row in result.members)


def test_a_mixer_that_vmap_cannot_train_is_looped_and_the_result_says_so(configure, planted, tmp_path):
    request = EngineSettings("vmap", torch.device("cpu"))
    environment = run(configure("stubborn", max_steps=20), tmp_path, request=request).result.environment
    assert environment.engine == "loop"
    assert str(environment.engine_note).startswith("vmap cannot train this mixer: RuntimeError")


@pytest.mark.parametrize(
    ("mixer", "message"),
    [
        ("wrong_shape", r"WrongShape: expected an output of shape \(2, 8, 16\).*found \(2, 8, 1\)"),
        ("no_module", r"no_module.*expected a torch\.nn\.Module"),
    ],
)
def test_a_mixer_that_breaks_its_contract_is_refused_before_training(configure, planted, tmp_path, mixer, message):
    with pytest.raises(PluginError, match=message):
        run(configure(mixer), tmp_path)


def test_options_that_no_signature_holds_are_refused(configure, planted):
    with pytest.raises(PluginError, match=r"found '\*\*rest'"):
        configure("optional")


def test_a_folder_in_use_is_refused(configure, tmp_path):
    with exclusive(tmp_path), pytest.raises(BusyError, match="choose another folder with --out"):
        run(configure(), tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the limit on a file's size is POSIX")
def test_a_full_disk_is_one_line_and_the_run_goes_on_later(tiny_path, tmp_path):
    command = [sys.executable, "-m", "benchbed", "run", "-m", "multi_head_attention", "-t", "linear_map"]
    command += ["--track", str(tiny_path), "--max-steps", "20", "--device", "cpu", "--out", str(tmp_path / "out")]

    def limit():
        import resource

        # Enough for the lock, too little for a checkpoint.
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    full = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit)
    assert full.returncode == 2
    assert "cannot write" in full.stderr
    assert "give the same command again" in full.stderr
    assert full.stderr.count("\n") == 1
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_runs_that_train_as_one_give_what_each_gives_alone(configure, tmp_path):
    cells = [configure(task_options={"sparsity": s}, seeds=2) for s in ("1", "2", "3")]
    runs = [planned(config, tmp_path / "together" / config.identity) for config in cells]
    assert len({each.shape for each in runs}) == 1
    alone = [run(config, tmp_path / "alone" / config.identity).result for config in cells]
    stages = []
    outcomes = execute_together(runs, REQUEST, lambda p: stages.append((p.stage, len(p.trajectories))))
    assert set(stages) == {("tuning", 12), ("scoring", 6)}
    for outcome, single in zip(outcomes, alone, strict=True):
        assert without_timing(outcome.result.model_dump()) == without_timing(single.model_dump())


def test_runs_that_train_as_one_go_on_where_they_were_stopped_in_other_company(configure, tmp_path):
    cells = [configure(task_options={"sparsity": s}, seeds=2) for s in ("1", "2", "3")]
    runs = [planned(config, tmp_path / config.identity) for config in cells]
    alone = [run(config, tmp_path / "alone" / config.identity).result for config in cells]
    seen = []

    def stop(progress):
        seen.append(progress)
        if progress.stage == "scoring" and len(seen) % 7 == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute_together(runs[:2], REQUEST, stop)
    assert not (runs[0].folder / RESULT).exists()
    execute(runs[0], REQUEST, lambda _: None)
    trained = []
    outcomes = execute_together(runs, REQUEST, trained.append)
    assert [outcome.reused for outcome in outcomes] == [True, False, False]
    stages = {(p.stage, p.runs, len(p.trajectories)) for p in trained}
    assert stages == {("tuning", 1, 4), ("scoring", 2, 4)}, "what one has tuned is kept while the other is tuned"
    for outcome, single in zip(outcomes, alone, strict=True):
        assert without_timing(outcome.result.model_dump()) == without_timing(single.model_dump())


def test_runs_of_other_shapes_cannot_train_as_one(configure, tmp_path):
    def shape_of(config):
        return prepare(config, tmp_path).shape

    first = shape_of(configure())
    assert first == shape_of(configure(task_options={"sparsity": "2"}))
    assert first != shape_of(configure(task_options={"state_size": "5"}))
    assert first != shape_of(configure(backbone={"dim": "8"}))
    assert first != shape_of(configure("mlp_mixer"))
    assert first != shape_of(configure(learning_rate=0.5))


def test_a_fixed_learning_rate_is_trained_without_tuning_and_unranked(configure, tmp_path):
    result = run(configure(learning_rate=0.01, max_steps=20), tmp_path).result
    assert result.tuning == []
    assert {row.learning_rate for row in result.members} == {0.01}
    assert "--learning-rate 0.01 instead of tuning" in result.unranked


def test_every_evaluation_is_recorded_with_its_weights(configure, tmp_path):
    recorded = []
    outcome = run(
        configure(learning_rate=0.01, max_steps=40),
        tmp_path,
        record=lambda member, evaluation, weights: recorded.append((member.seed, evaluation.step, weights.clone())),
    )
    assert sorted((seed, step) for seed, step, _ in recorded) == [
        (row.seed, step) for row in outcome.result.members for step in range(10, row.trained_steps + 1, 10)
    ]
    by_seed = [weights for seed, _, weights in recorded if seed == 0]
    assert not torch.equal(by_seed[0], by_seed[1])


def test_a_bias_towards_the_parents_is_another_run_and_changes_what_is_learned(configure, tmp_path):
    plain, biased = configure(learning_rate=0.01), configure(learning_rate=0.01, score_bias=4.0)
    assert "score_bias" not in plain.model_dump()
    assert biased.model_dump()["score_bias"] == 4.0
    assert plain.identity != biased.identity
    first, second = (run(config, tmp_path / config.identity).result for config in (plain, biased))
    assert second.summary.mean_steps < first.summary.mean_steps
    assert second == load_result(tmp_path / biased.identity)
    recipe, task = make_recipe(biased)
    bias = recipe.make_model(0, task).get_buffer("blocks.0.mixer.score_bias")
    assert task.parents is not None
    assert torch.equal(bias.tril(), 4.0 * task.parents.roll(-1, dims=0).float())


@pytest.mark.parametrize(
    ("mixer", "task", "message"),
    [
        ("mlp_mixer", "linear_map", "expected a mixer whose scores take a bias .* found MlpMixer"),
        ("multi_head_attention", "induction", "expected a task whose parents are fixed, found Induction"),
    ],
)
def test_a_bias_that_cannot_be_given_is_refused(configure, tmp_path, mixer, task, message):
    with pytest.raises(OptionError, match=message):
        run(configure(mixer, task, score_bias=1.0, max_steps=20), tmp_path)


@pytest.mark.parametrize("bias", [0.0, 2.0])
def test_runs_that_train_in_one_batch_agree_with_looped_ones(configure, tmp_path, bias):
    """Each cell has a matrix, and so a bias, of its own: in one vmap they must not meet."""
    cells = [configure(task_options={"sparsity": s}, seeds=2, max_steps=30, score_bias=bias) for s in ("1", "2")]
    results = {}
    for engine in ("loop", "vmap"):
        runs = [planned(config, tmp_path / engine / config.identity) for config in cells]
        request = EngineSettings(engine, torch.device("cpu"))
        results[engine] = [outcome.result for outcome in execute_together(runs, request, lambda _: None)]
        assert {result.environment.engine for result in results[engine]} == {engine}
    for looped, batched in zip(results["loop"], results["vmap"], strict=True):
        losses = [[row.final_loss for row in result.tuning] for result in (looped, batched)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert results["loop"][0].tuning[0].final_loss != pytest.approx(results["loop"][1].tuning[0].final_loss, rel=1e-2)


FAULTY = """
import torch
from torch import nn

class Tired(nn.Module):
    '''Breaks down in training, and not where it is looked at before.'''
    def __init__(self, dim: int, length: int):
        super().__init__()
        self.project = nn.Linear(dim, dim)
    def forward(self, x):
        if torch.is_grad_enabled() and self.training and len(x) > 8:
            raise ZeroDivisionError("too much")
        return self.project(x)

class Dry:
    '''A task that runs out of sequences.'''
    version = 1
    vocabulary, length, chance_loss = 2, 4, 0.6931
    def __init__(self, generator):
        self.scored = torch.tensor([False, False, False, True])
        self.parents = torch.zeros(4, 4, dtype=torch.bool)
        self.parents[3, 0] = True
    def sample(self, count, generator):
        if count > 1000:
            raise IndexError("no more")
        tokens = torch.randint(2, (count, 4), generator=generator)
        tokens[:, 3] = tokens[:, 0]
        return tokens
    def solved(self, accuracy):
        return (accuracy > 0.9).all(-1)
"""


@pytest.fixture
def faulty(tmp_path, monkeypatch):
    points = "[benchbed.mixers]\ntired = faulty:Tired\n[benchbed.tasks]\ndry = faulty_task:Dry\n"
    install(tmp_path, "faulty", points, faulty=FAULTY, faulty_task=FAULTY)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.parametrize(
    ("mixer", "task", "message"),
    [
        ("tired", "linear_map", r"mixer 'faulty:tired': ZeroDivisionError: too much \(--debug shows where\)"),
        ("mlp_mixer", "dry", r"task 'faulty:dry': IndexError: no more"),
    ],
)
def test_the_plug_in_whose_code_fails_in_training_is_blamed(configure, faulty, tmp_path, mixer, task, message):
    with pytest.raises(PluginError, match=message):
        run(configure(mixer, task, max_steps=20), tmp_path / "run")


def test_a_fault_of_benchbed_is_not_blamed_on_a_plug_in(configure, tmp_path, monkeypatch):
    monkeypatch.setattr("benchbed.runs.execute.summarise", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(configure(max_steps=20), tmp_path)


def test_a_run_from_a_checkout_names_its_commit(configure, tmp_path):
    """Git is asked where the package lies; asked elsewhere, uncommitted code could be published without a word."""
    root = Path(__file__).resolve().parents[2]
    commit = subprocess.run(["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    assert commit
    result = run(configure(max_steps=20, learning_rate=0.01, seeds=1), tmp_path).result
    assert result.environment.git_commit == commit
    assert result.environment.git_dirty is not None
