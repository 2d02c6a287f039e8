"""The paper's experiments: verdicts that can come out each way, and every experiment planned and run, made tiny."""

import math
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import yaml

import benchbed.lab.paper.reproduce
from benchbed.config.tracks import load_track
from benchbed.lab.paper.claims import (
    Samples,
    abruptness,
    fall_shares,
    judge_abruptness,
    judge_fall,
    judge_middle,
    judge_returns,
    judge_rise,
)
from benchbed.lab.paper.experiments import FIGURES, Experiment, lines_of
from benchbed.lab.sweep.cells import plan_cells
from benchbed.reporting.wording import with_interval
from benchbed.results.stats import permutation_p, rank_correlation, ratio_of_means


def line(*groups, label="line"):
    """Groups of seeds at x = 0, 1, ..."""
    return Samples(
        label, [x for x, group in enumerate(groups) for _ in group], [y for group in groups for y in group]
    )


def test_a_trend_holds_does_not_hold_or_is_undecided():
    rising = line([1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12])
    assert judge_rise([rising]).outcome == "holds"
    assert judge_fall([rising]).outcome == "does not hold"
    assert judge_rise([line([1, 5, 9], [2, 4, 8])]).outcome == "undecided"
    assert judge_rise([line([1, 1], [1, 1])]) == judge_fall([line([1, 1], [1, 1])])
    assert judge_rise([rising]).effect.startswith("rank correlation +0.95 [+0.76, +0.99] (line, p = ")


def test_the_middle_is_the_hardest_or_not():
    hump = line([1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [5, 6, 7, 8], [1, 2, 3, 4])
    assert judge_middle([hump]).outcome == "holds"
    assert judge_rise([hump]).outcome == "undecided"
    assert judge_middle([hump._replace(y=[-y for y in hump.y])]).outcome == "does not hold"
    assert judge_middle([line([1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12])]).outcome == "undecided", "it rises"


def test_returns_diminish_or_not():
    random = np.random.default_rng(0)
    noise = 0.01 * random.normal(size=(5, 8))
    shapes = {
        "holds": [1.0, 0.4, 0.0, 0.0, 0.0],
        "undecided": [1.0, 0.75, 0.5, 0.25, 0.0],
        "does not hold": [1.0, 1.0, 1.0, 0.6, 0.0],
    }
    for outcome, means in shapes.items():
        verdict = judge_returns([line(*(np.array(means)[:, None] + noise))])
        assert verdict.outcome == outcome, verdict
    # Twice seven seeds of eight: no accident of one seed.
    verdict = judge_returns([line(*(np.array(shapes["holds"])[:, None] + noise))])
    assert verdict.p == pytest.approx(2 / 2**8)
    assert verdict.effect.startswith("a fall of 1.00")
    assert " from 0 to 2 and of " in verdict.effect
    worse = line([0.0] * 8, [0.5] * 8, [1.0] * 8, [1.0] * 8, [1.0] * 8)
    assert judge_returns([worse]).outcome == "does not hold", "it rises, and by less later"


def test_a_claim_about_every_line_needs_every_line():
    rising, flat = line([1, 2, 3, 4], [5, 6, 7, 8], label="rising"), line([1, 5, 9, 4], [2, 4, 8, 5], label="flat")
    falling = line([9, 10, 11, 12], [5, 6, 7, 8], [1, 2, 3, 4], label="falling")
    assert judge_rise([rising, rising]).outcome == "holds"
    assert judge_rise([rising, flat]).outcome == "undecided"
    verdict = judge_rise([rising, flat, falling])
    assert verdict.outcome == "does not hold"
    assert "-0.95 [-0.99, -0.76] (falling" in verdict.effect


def test_the_rank_correlation_keeps_its_level():
    random = np.random.default_rng(1)
    lines = [line(*random.normal(size=(3, 4))) for _ in range(200)]
    ps = [rank_correlation(found.x, found.y)[1] for found in lines]
    assert np.mean(np.array(ps) < 0.05) < 0.10
    assert min(ps) > 0


CHANCE = math.log(2)
STEPS = list(range(5, 1005, 5))
SMOOTH = {
    "exponential": lambda t: np.exp(-math.log(100) * t / 1000),
    "power law": lambda t: (1 + t / 10) ** -1.0,
    "slow power law": lambda t: (1 + t / 30) ** -0.5,
    "straight": lambda t: 1 - 0.99 * t / 1000,
    "parabola": lambda t: 1 - 0.99 * (t / 1000) ** 2,
    "half a cosine": lambda t: 0.505 + 0.495 * np.cos(math.pi * t / 1000),
}


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_a_smooth_fall_is_not_abrupt(name, noise):
    rng = np.random.default_rng(0)
    steps = np.array(STEPS)
    losses = CHANCE * np.stack([SMOOTH[name](steps)] * 4, axis=1) * (1 + noise * rng.standard_normal((len(steps), 4)))
    assert abruptness(STEPS, losses, CHANCE) == 0
    assert all(share is None or share > 0.6 for share in fall_shares(STEPS, losses, CHANCE))
    assert judge_abruptness([abruptness(STEPS, losses, CHANCE)] * 8).outcome == "does not hold"


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_a_plateau_with_a_cliff_is_abrupt_wherever_it_stands(noise):
    rng = np.random.default_rng(0)
    steps = np.array(STEPS)
    curves = [1 / (1 + np.exp((steps - middle) / (0.03 * middle))) for middle in (100, 300, 700)]
    losses = CHANCE * (0.01 + 0.99 * np.stack(curves, axis=1)) * (1 + noise * rng.standard_normal((len(steps), 3)))
    assert abruptness(STEPS, losses, CHANCE) == 1
    assert all(share is not None and share < 0.25 for share in fall_shares(STEPS, losses, CHANCE))
    never = np.full((len(steps), 1), CHANCE)
    assert fall_shares(STEPS, never, CHANCE) == [None]
    assert abruptness(STEPS, np.concatenate((losses, never), axis=1), CHANCE) == 0.75


def test_most_outputs_in_most_seeds_must_be_abrupt():
    assert judge_abruptness([1.0] * 8).outcome == "holds"
    assert judge_abruptness([0.0] * 8).outcome == "does not hold"
    assert judge_abruptness([1.0] * 5 + [0.0] * 3).outcome == "undecided"


@pytest.mark.parametrize("name", [name for name, experiment in FIGURES.items() if experiment])
@pytest.mark.parametrize("scale", ["quick", "medium", "full"])
def test_every_cell_of_every_experiment_is_possible(name, scale, tmp_path):
    experiment = FIGURES[name]
    assert isinstance(experiment, Experiment)
    if scale != "medium":
        assert getattr(experiment, scale)
    for part in getattr(experiment, scale):
        cells = plan_cells(part.sweep, "cpu", tmp_path)
        assert {cell.status for cell in cells} == {"waiting"}
        assert len({cell.values[experiment.x] for cell in cells}) == len(cells) > 1


@pytest.fixture
def tiny_experiments(monkeypatch, tiny_path):
    """Every experiment on the tiny track, with two seeds and few steps."""

    def small(experiment):
        sizes = {"task.state_size": "4,5", "task.sparsity": "1,2", "task.depth": "1,2", "mixer.heads": "1,2"}
        sizes["backbone.dim"] = "8,16,24"

        def shrink(part):
            key = experiment.x
            grid = () if key == "mixer" else (f"{key}={sizes[key]}",)
            options = {"states": "3", "state_size": "4"} if part.sweep.request.task == "cellular_automata" else {}
            if part.sweep.request.task == "associative_recall":
                options = {"pairs": "2", "queries": "2", "keys": "2", "values": "2"}
            request = replace(
                part.sweep.request,
                track=str(tiny_path),
                seeds=2,
                max_steps=40,
                learning_rate=0.01,
                task_options=options,
            )
            return part._replace(sweep=replace(part.sweep, grid=grid, request=request))

        return replace(experiment, quick=tuple(map(shrink, experiment.quick)))

    for name, experiment in FIGURES.items():
        if experiment:
            monkeypatch.setitem(FIGURES, name, small(experiment))
    monkeypatch.setattr(benchbed.lab.paper.reproduce, "load_track", lambda name: load_track(str(tiny_path)))
    monkeypatch.setattr(benchbed.lab.paper.reproduce, "_LEVEL", "linear_map@s2")


def test_a_scale_that_nobody_has_planned_is_told(command_line, tmp_path):
    code, _, err = command_line("reproduce", "fig3", "--scale", "medium", "--out", tmp_path, "--device", "cpu")
    assert code == 2
    assert "--scale medium: expected one of fig4-middle, " in " ".join(err.split())
    code, _, err = command_line("reproduce", "fig5-heads", "--quick", "--scale", "medium", "--out", tmp_path)
    assert (code, "--quick: expected no other scale with it, found --scale medium" in err) == (2, True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_counted_and_judged(name, tiny_experiments, command_line, tmp_path):
    scale_as = ("--quick",) if name == "fig3" else ("--scale", "quick")
    code, out, err = command_line("reproduce", name, *scale_as, "--out", tmp_path, "--device", "cpu")
    assert code == 0, err
    folder = tmp_path / f"{name}-quick"
    verdict = yaml.safe_load((folder / "verdict.yaml").read_text())
    assert verdict["verdict"] in ("holds", "does not hold", "undecided")
    assert (verdict["verdict"] == "undecided") == (verdict["p"] >= 0.05)
    assert f"{verdict['verdict']} at this scale" in out
    assert verdict["command"] == f"benchbed reproduce {name} --scale quick"
    assert verdict["scale"].startswith("quick")
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")
    numbers = yaml.safe_load((folder / "numbers.yaml").read_text())
    rows = numbers["members"] if name == "fig3" else numbers["cells"]
    assert len(rows) >= 2
    experiment = FIGURES[name]
    if experiment:
        assert all(len(row["final_loss"]) == len(row["plateau_end"]) == len(row["steps"]) == 2 for row in rows)


PUBLISHED = sorted((Path(__file__).resolve().parents[2] / "docs" / "paper").glob("*/verdict.yaml"))


def test_every_figure_is_published():
    assert {yaml.safe_load(path.read_text())["figure"] for path in PUBLISHED} == set(FIGURES)


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.parent.name)
def test_a_published_verdict_follows_from_its_numbers_and_the_page_says_the_same(path):
    verdict = yaml.safe_load(path.read_text())
    numbers = yaml.safe_load((path.parent / "numbers.yaml").read_text())
    experiment = FIGURES[verdict["figure"]]
    if experiment is None:
        again = judge_abruptness([member["abrupt_outputs"] for member in numbers["members"]])
    else:
        assert verdict["claim"] == experiment.claim
        again = experiment.judge(lines_of(experiment, numbers["cells"]))
    assert (again.outcome, again.effect) == (verdict["verdict"], verdict["effect"])
    assert again.p == pytest.approx(verdict["p"], rel=0.01)
    page = (path.parents[1].parent / "paper.md").read_text()
    scale = verdict["scale"].split(":")[0]
    assert f"| {scale} | **{verdict['verdict']}** | {verdict['p']:.2g} |" in "".join(
        line for line in page.splitlines() if line.startswith(f"| [`{verdict['figure']}`]")
    )
    assert (path.parent / "figure.png").exists()


def test_what_is_said_of_the_harder_map_in_steps_follows_from_its_seeds():
    docs = PUBLISHED[0].parents[2]
    cells = yaml.safe_load((docs / "paper" / "fig6-mixer-medium" / "numbers.yaml").read_text())["cells"]
    steps = {cell["mixer"]: cell["steps"] for cell in cells}
    mlp, attention = steps["mlp_mixer"], steps["multi_head_attention"]
    ratio, interval = ratio_of_means(mlp, attention)
    shown = with_interval(ratio, interval, ".2f")
    page = " ".join((docs / "paper.md").read_text().split())
    solved = [sum(step < 10_000 for step in side) for side in (mlp, attention)]
    assert f"the token MLP solves {solved[0]} of 16 seeds and attention {solved[1]}:" in page
    assert f"{fmean(mlp):,.0f} against {fmean(attention):,.0f} on average, a ratio of < {shown}" in page
    assert f"exact permutation test p = {permutation_p(mlp, attention):.2g}." in page
    assert f"{solved[0]} seeds of 16 against {solved[1]}, at most {shown}" in (docs / "findings.md").read_text()
