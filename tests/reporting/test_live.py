import io

import pytest
import torch
from planned import planned
from rich.console import Console

from benchbed.config.request import RunRequest
from benchbed.reporting.live import Reporter, run_live
from benchbed.reporting.tables import comparison_table, result_table
from benchbed.results.result import load_result
from benchbed.results.scoring import summarise
from benchbed.runs.execute import prepare
from benchbed.runs.progress import Progress
from benchbed.training.engine import EngineSettings
from benchbed.training.trajectory import Evaluation, Member, Trajectory


@pytest.fixture
def progress(configure):
    def member(seed, solved, finite=True, rate=0.01):
        found = Trajectory(Member(seed, rate), 60)
        for number, met in enumerate(solved, start=1):
            found.evaluations.append(Evaluation(10 * number, [0.5, 0.7], [1.0, 1.0], met, finite))
        return found

    members = [member(0, [True, True]), member(1, [False, False]), member(2, [False], finite=False)]
    return Progress(configure(), 1, "scoring", members, 0.693, 123.0, 95.0)


def test_a_terminal_shows_which_seeds_solved_and_the_time_left(progress):
    console = Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)
    reporter = Reporter(console)
    with reporter.watching():
        reporter.observe(progress)
    shown = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert "multi_head_attention on linear_map@s1, scoring" in shown
    assert "rate 0.01  0: ✓10   1: …20   2: !10" in shown
    assert "step 20 of 60; 1 solved, 1 training, 1 diverged of 3; loss 0.600 (chance 0.693)" in shown
    assert "123 steps/s" in shown
    assert "1:35" in shown


@pytest.mark.parametrize(
    ("status", "options", "said"),
    [
        ("M mixers/gru.py\n?? notes/", {}, "changes (mixers/gru.py, notes/); commit, and begin again"),
        ("M a\n M b\n M c\n M d", {}, "changes (a, b, c, ...); commit, and begin again"),
        ("", {}, None),
        ("M mixers/gru.py", {"seeds": 2}, None),  # unranked, which is said, and nobody means to publish it
    ],
)
def test_what_could_not_be_published_is_said_before_it_trains(tmp_path, monkeypatch, status, options, said):
    """A folder of results that git did not ignore cost runs that were refused when they had ended."""

    class Trains(Exception):
        pass

    def train(*_, **__):
        raise Trains

    monkeypatch.setattr("benchbed.runs.environment._git", lambda *_: status)
    monkeypatch.setattr("benchbed.reporting.live.execute", train)
    planned = prepare(RunRequest("mlp_mixer", "linear_map", "lite", **options).resolve("cpu"), tmp_path)
    console = Console(file=io.StringIO(), width=300)
    with pytest.raises(Trains):
        run_live(planned, EngineSettings("auto", torch.device("cpu")), console)
    shown = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert said in shown if said else "could not be published" not in shown


def test_before_the_first_evaluation_no_speed_and_no_time_is_made_up(configure):
    console = Console(file=io.StringIO(), width=100)
    members = [Trajectory(Member(seed, 0.01), 60) for seed in range(2)]
    Reporter(console).observe(Progress(configure(), 1, "tuning", members, 0.693, 0.0, 0.0))
    shown = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert shown.rstrip().endswith(
        "step 0 of 60; 0 solved, 2 training of 2; loss unknown (chance 0.693); no evaluation yet"
    )


def test_every_member_is_counted_and_steps_are_of_those_that_train(configure):
    """As of `lstm` on A5: the line said step 8,000 of 8,000 for half an hour, and 22 of 24 members."""
    slow, fast, given_up, done = members = [Trajectory(Member(seed, 0.01), 60) for seed in range(4)]
    for trajectory, evaluations in ((slow, 2), (fast, 4), (given_up, 1), (done, 6)):
        for number in range(1, evaluations + 1):
            trajectory.evaluations.append(Evaluation(10 * number, [0.5], [0.9], False, True))
    given_up.stopped = True
    console = Console(file=io.StringIO(), width=100)
    Reporter(console).observe(Progress(configure(), 1, "tuning", members, 0.693, 1.0, 95.0))
    shown = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert "steps 20 to 40 of 60; 0 solved, 2 training, 1 unsolved, 1 given up of 4; loss 0.500" in shown


def test_elsewhere_a_line_now_and_then(progress):
    console = Console(file=io.StringIO(), width=60)
    reporter = Reporter(console)
    with reporter.watching():
        for _ in range(20):
            reporter.observe(progress)
    lines = console.file.getvalue().splitlines()  # pyright: ignore[reportAttributeAccessIssue]
    assert len(lines) == 1, "one line a stage within five seconds, however narrow the output"
    assert lines[0].startswith("multi_head_attention on linear_map@s1, scoring: step 20 of 60")


def test_a_ratio_with_censored_seeds_is_a_bound(configure, tmp_path):
    import torch

    from benchbed.runs.execute import execute
    from benchbed.training.engine import EngineSettings

    request = EngineSettings("loop", torch.device("cpu"))
    solved = execute(planned(configure(), tmp_path / "a"), request, lambda _: None).result
    unable = configure("softmax_attention", max_steps=20)
    unsolved = execute(planned(unable, tmp_path / "b"), request, lambda _: None).result
    assert solved.summary.solved == 3
    assert unsolved.summary.solved < 3
    console = Console(file=io.StringIO(), width=120)
    console.print(comparison_table([solved, solved]), comparison_table([solved, unsolved]))
    console.print(comparison_table([unsolved, solved]), comparison_table([unsolved, unsolved]))
    shown = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    ratio = unsolved.summary.mean_steps / solved.summary.mean_steps
    for cell in (" 1.00 ", f"> {ratio:.2f}", f"< {1 / ratio:.2f}", "~ 1.00"):
        assert cell in shown


def test_a_plateau_that_seeds_did_not_leave_is_a_bound(published_boards):
    """`plateau end 9,200` was said of sixteen seeds of which fourteen had not left it after 10,000 steps."""
    result = load_result(published_boards / "runs" / "mlp_mixer")

    def said(ends):
        rows = [row.model_copy(update={"plateau_end": end}) for row, end in zip(result.members, ends, strict=True)]
        changed = {"members": rows, "summary": summarise(rows, result.config.budget.steps)}
        console = Console(file=io.StringIO(), width=200)
        console.print(result_table(result.model_copy(update=changed)))
        (line,) = [line for line in console.file.getvalue().splitlines() if "plateau end" in line]  # pyright: ignore[reportAttributeAccessIssue]
        return line.split("│")[2].strip()

    assert said([10] * 8) == "10"
    assert said([10] * 6 + [None] * 2) == "> 22, 2 of 8 seeds never left it"
    assert said([None] * 8) == "never"
