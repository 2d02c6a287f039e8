"""Traces: jumps, maps against the parents, a leak in the map, the bias, and patterns put into another checkpoint."""

import json

import numpy as np
import pytest
import torch
import yaml
from planned import planned
from torch import nn

from benchbed.config.request import RunRequest
from benchbed.errors import OptionError, ResultError
from benchbed.lab.trace.jumps import Jump, events, find_jumps
from benchbed.lab.trace.maps import agreement, influence, mixing, other_parents, output_parents, outputs_of, patterns
from benchbed.lab.trace.members import trace
from benchbed.lab.trace.patching import patch
from benchbed.plugins.registry import find
from benchbed.training.engine import EngineSettings
from benchbed.training.recipe import Recipe, make_recipe

REQUEST = EngineSettings("auto", torch.device("cpu"))
CHANCE = float(np.log(2))


def test_a_jump_is_found_with_its_token_begin_and_end():
    steps = [10, 20, 30, 40, 50, 60]
    jumping = [0.69, 0.69, 0.60, 0.20, 0.01, 0.01]
    sliding = [0.69, 0.67, 0.65, 0.63, 0.61, 0.59]  # never steep
    twice = [0.69, 0.45, 0.45, 0.45, 0.10, 0.10]
    wobbling = [0.69, 0.60, 0.69, 0.60, 0.69, 0.69]  # steep and never far
    spiked = [0.69, 0.69, 2.90, 0.66, 0.66, 0.66]  # falls from where it had not been
    found = find_jumps(steps, np.array([jumping, sliding, twice, wobbling, spiked]).T, CHANCE)
    assert [jump[:3] for jump in found] == [(2, 10, 20), (0, 20, 50), (2, 40, 50)]
    assert found[1].before == 0.69
    assert found[1].after == 0.01


def test_jumps_that_overlap_are_one_event():
    jumps = [Jump(0, 10, 30, 1, 0), Jump(1, 20, 40, 1, 0), Jump(2, 60, 70, 1, 0)]
    assert events(jumps) == [(10, 40), (60, 70)]


def model_of(config, seed=0):
    recipe, _ = make_recipe(config)
    task = recipe.make_task(seed)
    return recipe, task, recipe.make_model(seed, task).eval(), recipe.held_out_data(seed, task).tokens


@pytest.mark.parametrize("mixer", ["multi_head_attention", "mlp_mixer", "gru", "linear_attention"])
def test_the_influence_of_every_mixer_is_causal(configure, mixer):
    _, task, model, tokens = model_of(configure(mixer))
    moved = influence(model, tokens, tokens[:, task.scored])
    assert moved.shape == (len(tokens), int(task.scored.sum()), task.length)
    assert (moved >= 0).all()
    for row, token in enumerate(task.scored.nonzero().flatten()):
        assert (moved[:, row, token:] == 0).all()
        assert moved[:, row, :token].sum() > 0


def test_the_influence_is_the_first_order_effect_of_replacing_a_token(configure):
    """Checked against finite differences of the embedding in float64."""
    _, task, model, tokens = model_of(configure())
    model, tokens = model.double(), tokens[:3]
    moved = influence(model, tokens, tokens[:, task.scored])
    step, column, row = 1e-6, 1, 2
    before = model(tokens)[:, row]
    difference = model.tokens.weight[1] - model.tokens.weight[0]
    signs = 1 - 2 * tokens[:, column].double()  # a 0 becomes a 1, a 1 a 0

    def shift(module, inputs, output):
        output = output.clone()
        output[:, column] += step * signs[:, None] * difference
        return output

    handle = model.tokens.register_forward_hook(shift)
    after = model(tokens)[:, row]
    handle.remove()
    right = tokens[:, task.scored][:, row, None]
    change = ((after - before) - (after - before).mean(1, keepdim=True)).gather(1, right)[:, 0] / step
    assert torch.allclose(moved[:, row, column], change.abs(), rtol=1e-4)


class ReadsTheAnswer(nn.Module):
    """Leaky on purpose: sees one token ahead."""

    def __init__(self, dim: int, length: int) -> None:
        super().__init__()
        self.project = nn.Linear(dim, dim)

    def forward(self, x):
        return self.project(torch.cat((x[:, 1:], x[:, :1]), dim=1))


def test_the_map_of_a_mixer_that_reads_the_answer_says_so(configure):
    recipe, task, _, _ = model_of(configure())
    leaky = Recipe(**{**vars(recipe), "mixer": ReadsTheAnswer, "mixer_options": {}})
    tokens = recipe.held_out_data(0, task).tokens
    parents, others = output_parents(task, tokens), other_parents(recipe, task, 0, tokens)
    assert parents is not None
    shares = []
    for each in (recipe, leaky):
        moved = influence(each.make_model(0, task).eval(), tokens, tokens[:, task.scored])
        shares.append(agreement(moved[:, None], parents, others, task).later)
    assert shares[0] < 1e-6
    assert shares[1] > 0.1


def test_mixing_weights_are_those_where_a_token_is_predicted(configure):
    _, task, model, tokens = model_of(configure("static_mixer", "linear_map@deep"))
    seen = mixing(model, tokens, outputs_of(task))
    assert seen is not None
    assert seen.shape == (len(tokens), 2 * 8, 4, 8)
    matrix = model.get_submodule("blocks.1.mixer").matrix
    assert isinstance(matrix, torch.Tensor)
    assert torch.equal(seen[0, 8:, 2], (matrix * torch.ones(8, 8).tril())[:, 5].abs().detach())
    _, task, model, tokens = model_of(configure("mlp_mixer"))
    assert mixing(model, tokens, outputs_of(task)) is None


def test_a_map_that_is_the_truth_agrees_fully_and_a_uniform_one_as_chance_does(configure):
    recipe, task, _, tokens = model_of(configure(task_options={"state_size": "8", "sparsity": "3"}))
    parents, others = output_parents(task, tokens), other_parents(recipe, task, 0, tokens)
    assert parents is not None
    truth = agreement(parents[:, None].float().expand(len(tokens), 1, -1, -1), parents, others, task)
    assert (truth.overlap, truth.mass, truth.later) == pytest.approx((1, 1, 0))
    assert truth.chance == pytest.approx(3 / 8, abs=0.06)  # rows of other instances, over the same eight columns
    assert truth.entropy < 0.6
    random = torch.rand(len(tokens), 1, 8, 16, generator=torch.Generator().manual_seed(0))
    blind = agreement(random, parents, others, task)
    assert blind.chance_range[0] <= blind.overlap <= blind.chance_range[1]
    assert blind.entropy > 0.9
    heads = agreement(
        torch.cat((random, random.flip(3), parents[:, None].float().expand_as(random)), 1), parents, others, task
    )
    assert heads.overlap == pytest.approx(1)
    assert heads.chance > truth.chance  # the best of three heads finds more by chance


@pytest.mark.parametrize("task", ["associative_recall", "induction", "cellular_automata"])
def test_chance_is_below_one_where_parents_differ_by_sequence_and_where_they_never_differ(configure, task):
    options = {
        "associative_recall": {"pairs": "4", "queries": "2"},
        "induction": {},
        "cellular_automata": {"states": "3"},
    }
    recipe, made, _, tokens = model_of(configure("multi_head_attention", task, task_options=options[task]))
    parents, others = output_parents(made, tokens), other_parents(recipe, made, 0, tokens)
    assert parents is not None
    shown = parents[:, None].float().expand(len(tokens), 1, -1, -1)
    seen = agreement(shown, parents, others, made)
    assert seen.overlap == pytest.approx(1)
    assert seen.chance < 0.5


def test_of_many_outputs_the_last_are_looked_at(configure):
    changes = {"states": "8", "state_size": "8"}
    _, task, model, tokens = model_of(configure("multi_head_attention", "cellular_automata", task_options=changes))
    outputs = outputs_of(task)
    assert outputs.tolist() == list(range(32, 64))
    moved, seen, parents = (
        influence(model, tokens, tokens[:, outputs]),
        mixing(model, tokens, outputs),
        output_parents(task, tokens),
    )
    assert seen is not None
    assert parents is not None
    assert moved.shape[1:] == seen.shape[2:] == parents.shape[1:] == (32, 64)
    assert moved[:, 0, 32:].sum() == seen[:, :, 0, 32:].sum() == 0
    assert moved[:, -1, :63].sum() > 0
    assert parents[0, 0].nonzero().flatten().tolist() == [24, 25, 31]  # the cell and its neighbours on the ring


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    """Two seeds of attention on the smallest map that shows a plateau, traced; and the run's folder."""
    folder = tmp_path_factory.mktemp("traced")
    request = RunRequest(
        "multi_head_attention", "linear_map", "lite", seeds=2, learning_rate=1e-3, max_steps=1000, checked=False
    )
    config = request.resolve("cpu")
    result, members = trace(planned(config, folder), REQUEST, lambda _: None)
    return config, folder, result, members


def test_the_pattern_is_found_where_the_loss_jumps_and_not_before(traced):
    _, _, result, members = traced
    assert result.summary.solved == 2
    for member in members:
        plateau = [step for step in member.influence if step <= member.jumps[0].begin]
        for seen in (member.influence, member.mixing):
            last = seen[member.steps[-1]]
            assert last.overlap > last.chance_range[1]
            before = [seen[step] for step in plateau]
            assert np.mean([a.overlap - a.chance for a in before]) < 0.12
            assert last.overlap - last.chance > 0.15
        assert all(seen.later < 1e-6 for seen in member.influence.values())
        assert {jump.token for jump in member.jumps} == set(range(8))
        assert member.row.plateau_end is not None
        assert member.jumps[0].begin < member.row.plateau_end <= max(jump.end for jump in member.jumps)


def test_a_trace_that_was_made_is_taken_up_and_one_without_weights_is_told(traced, tmp_path):
    config, folder, _, members = traced
    _, again = trace(planned(config, folder), REQUEST, lambda _: pytest.fail("it trained"))
    assert again[0].influence == members[0].influence
    for path in (folder / "weights" / "seed-1").iterdir():
        path.rename(tmp_path / path.name)
    with pytest.raises(ResultError, match=r"holds no weights of seed 1 at step .*; trace it again with --retrain"):
        trace(planned(config, folder), REQUEST, lambda _: None)
    for path in tmp_path.iterdir():
        path.rename(folder / "weights" / "seed-1" / path.name)


def test_a_trace_that_was_interrupted_goes_on_with_the_same_weights(configure, tmp_path):
    config = configure("multi_head_attention", "linear_map@s2", learning_rate=0.003, seeds=2)

    def stop(progress):
        if max(t.step for t in progress.trajectories) >= 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trace(planned(config, tmp_path / "cut"), REQUEST, stop)
    trace(planned(config, tmp_path / "cut"), REQUEST, lambda _: None)
    trace(planned(config, tmp_path / "whole"), REQUEST, lambda _: None)
    files = {path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole" / "weights").rglob("*.pt")}
    assert len(files) >= 8
    for name in files:
        cut, whole = (torch.load(tmp_path / part / name, weights_only=True) for part in ("cut", "whole"))
        assert torch.equal(cut, whole)


def weights(folder, seed, step):
    return folder / "weights" / f"seed-{seed}" / f"step-{step:06}.pt"


def test_patching_a_checkpoint_with_its_own_patterns_changes_nothing_and_with_others_what_they_carry(traced):
    config, folder, _, members = traced
    recipe, _ = make_recipe(config)
    task = recipe.make_task(0)
    last, first = members[0].steps[-1], members[0].jumps[0].begin
    found = patch(weights(folder, 0, first), weights(folder, 0, last))
    assert found.early_loss == pytest.approx(members[0].losses[members[0].steps.index(first)].mean(), rel=1e-3)
    assert found.late_loss == pytest.approx(members[0].losses[-1].mean(), rel=1e-3)
    assert len(found.into_early) == len(found.into_late) == 1 + 8
    all_heads, *single = found.into_late
    assert (all_heads.layer, all_heads.head) == (None, None)
    assert all_heads.recovered > 0.5  # without its patterns the late model has lost what it knew
    assert all_heads.recovered > max(each.recovered for each in single)
    assert {(each.layer, each.head) for each in single} == {(0, head) for head in range(8)}
    assert patterns(recipe.make_model(0, task), recipe.held_out_data(0, task).tokens) is not None


def test_what_cannot_be_patched_is_told(traced, tmp_path):
    _, folder, _, members = traced
    one, other = weights(folder, 0, members[0].steps[0]), weights(folder, 1, members[1].steps[-1])
    with pytest.raises(ResultError, match="expected an early and a late checkpoint of one member, found seed 0"):
        patch(one, other)
    with pytest.raises(ResultError, match="expected an early and a late checkpoint"):
        patch(weights(folder, 0, members[0].steps[-1]), one)
    with pytest.raises(ResultError, match=r"no snapshot at .*: expected a file that `benchbed trace` wrote"):
        patch(tmp_path / "nothing.pt", one)


def test_the_command_traces_draws_biases_and_patches(command_line, tiny_path, tmp_path):
    arguments = ("-m", "multi_head_attention", "-t", "linear_map@s2", "--track", tiny_path, "--learning-rate", 0.003)
    code, out, err = command_line("trace", *arguments, "--bias", 4, "--out", tmp_path)
    assert code == 0, err
    assert "exact paired test on min(plateau end, budget): p =" in out
    plain, biased = sorted(
        (path for path in (tmp_path / "tiny" / "linear_map@s2").iterdir()), key=lambda p: (p / "bias.png").exists()
    )
    assert (biased / "bias.png").read_bytes().startswith(b"\x89PNG")
    ends = yaml.safe_load((biased / "bias.yaml").read_text())
    assert sum(ends["plateau_end_with_bias"]) < sum(ends["plateau_end_without"])
    for folder in (plain, biased):
        document = yaml.safe_load((folder / "trace.yaml").read_text())
        assert [member["seed"] for member in document["members"]] == [0, 1]
        for member in document["members"]:
            assert (folder / f"trace-seed{member['seed']}.png").exists()
            with np.load(folder / f"maps-seed{member['seed']}.npz") as maps:
                assert maps["parents"].sum() == 4 * 2
                last = max(name for name in maps if name.startswith("influence"))
                assert maps[last].sum(axis=1) == pytest.approx(np.ones(4), rel=1e-5)
                assert maps[last.replace("influence", "mixing")].shape == (8, 4, 8)
            assert member["influence"][-1]["overlap"] > member["influence"][-1]["chance"]
    files = sorted((plain / "weights" / "seed-0").iterdir())
    code, out, _ = command_line("patch", files[0], files[-1], "--json")
    assert code == 0
    assert json.loads(out)["late_step"] > json.loads(out)["early_step"]
    assert "all heads" in command_line("patch", files[0], files[-1])[1]


def test_mixers_without_weights_and_tasks_with_their_own_parents_are_traced_too(command_line, tiny_path, tmp_path):
    for mixer, task in (("mlp_mixer", "linear_map"), ("gru", "associative_recall"), ("static_mixer", "induction")):
        code, out, err = command_line(
            "trace", "-m", mixer, "-t", task, "--track", tiny_path, "--max-steps", 20, "--seeds", 1, "--out", tmp_path
        )
        assert code == 0, err
        assert ("no such map" in out.replace("\n", " ")) == (mixer != "static_mixer")
    code, _, err = command_line("trace", "-m", "mlp_mixer", "-t", "linear_map", "--bias", 2, "--out", tmp_path)
    assert code == 2
    assert "expected a mixer whose scores take a bias" in err


def test_patching_needs_a_mixer_that_takes_weights(command_line, tiny_path, tmp_path):
    assert find("mixer", "mlp_mixer").load()
    arguments = ("-m", "mlp_mixer", "-t", "linear_map", "--track", tiny_path, "--max-steps", 20, "--seeds", 1)
    command_line("trace", *arguments, "--out", tmp_path)
    files = sorted(tmp_path.rglob("step-*.pt"))
    with pytest.raises(OptionError, match=r"expected a mixer with mixing_weights\(x\) and mix\(x, weights\)"):
        patch(files[0], files[-1])
