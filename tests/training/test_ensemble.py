"""The engine's invariants. Tolerances: engines agree to 1e-4 in loss over the first intervals; `loop` is exact."""

import sys
import warnings
from functools import partial

import pytest
import torch

from benchbed.config.request import RunRequest
from benchbed.contracts import TaskWithTargets
from benchbed.plugins.registry import plugins
from benchbed.training import workers
from benchbed.training.confirmation.hidden import Confirmation
from benchbed.training.engine import Engine, EngineSettings, choose_engine, why_not_vmap, worth_compiling
from benchbed.training.ensemble import Ensemble
from benchbed.training.group import Group
from benchbed.training.recipe import make_recipe
from benchbed.training.trajectory import Member

CPU = torch.device("cpu")
NAMES = [p.name for p in plugins("mixer") if p.built_in and not p.needs]
ONE_BY_ONE = ["gru", "lstm"]
"""torch has no batching rule for their kernels; docs/adapters.md."""


def train(recipe, members, engine: Engine = "loop", **settings):
    ensemble = Ensemble(recipe, members, EngineSettings(engine, CPU, **settings))
    return ensemble.train(lambda _: None)


def curves(trajectories, evaluations=None):
    return [[e.loss for e in t.evaluations[:evaluations]] for t in trajectories]


def assert_close(found, expected, tolerance=1e-4, evaluations=None):
    """Members stop at different steps, so each is compared by itself; the first few evaluations, or all."""
    for mine, theirs in zip(curves(found, evaluations), curves(expected, evaluations), strict=True):
        assert torch.allclose(torch.tensor(mine), torch.tensor(theirs), atol=tolerance)


def members(seeds, rate=0.01):
    return [Member(seed, rate) for seed in seeds]


def test_a_seed_alone_trains_exactly_as_it_does_among_others(configure):
    recipe, _ = make_recipe(configure())
    crowd = train(recipe, [*members(range(4)), *members(range(4), rate=0.003)])
    alone = train(recipe, members([2]))
    assert curves(alone) == curves([t for t in crowd if t.member == Member(2, 0.01)])
    assert alone[0].steps_to_solve == crowd[2].steps_to_solve


def test_data_that_is_drawn_ahead_is_the_data(configure, monkeypatch):
    """As on a GPU: with members that retire in between, and no interval drawn twice."""
    recipe, _ = make_recipe(configure())
    crowd = [*members(range(3)), *members(range(3), rate=0.0005)]
    plain = train(recipe, crowd, "vmap")
    drawn = []
    real_init, real_draw = Group.__init__, Group._draw
    monkeypatch.setattr(Group, "__init__", lambda self, *given, **more: real_init(self, *given, **more, ahead=True))
    monkeypatch.setattr(Group, "_draw", lambda self, interval: drawn.append(interval) or real_draw(self, interval))
    ahead = train(recipe, crowd, "vmap")
    assert [(t.steps_to_solve, t.evaluations) for t in ahead] == [(t.steps_to_solve, t.evaluations) for t in plain]
    assert len({t.step for t in plain}) > 1, "some retired before others"
    assert sorted(drawn) == sorted(set(drawn))
    assert max(drawn) < recipe.budget.steps // recipe.budget.evaluate_every


@pytest.mark.parametrize("engine", ["loop", "vmap"])
def test_every_engine_starts_from_the_same_weights_and_data(configure, engine):
    """Weights and data are a function of config and seed, whatever the group."""
    recipe, task = make_recipe(configure())
    vectorise = engine == "vmap"
    group = Group(recipe, members([5, 7] if vectorise else [7]), CPU, vectorise=vectorise)
    alone = recipe.make_model(7, recipe.make_task(7))
    expected = torch.cat([p.detach().flatten() for p in alone.parameters()])
    assert torch.equal(group.snapshot()[-1]["weights"], expected)
    first, again = (recipe.training_data(7, recipe.make_task(7), 3) for _ in range(2))
    assert all(map(torch.equal, first, again))
    assert not torch.equal(first.tokens, recipe.training_data(7, recipe.make_task(7), 4).tokens)
    assert not torch.equal(recipe.held_out_data(7, task).tokens[:64], first.tokens.flatten(0, 1)[:64])


def test_a_member_that_is_restored_is_asked_again_no_more_often_than_one_that_went_on(configure, monkeypatch):
    """Else a run that was stopped between a solve and its confirmation could end otherwise than one that was not."""
    recipe, _ = make_recipe(configure())
    asked = []
    monkeypatch.setattr(
        "benchbed.training.group.confirm",
        lambda *_: asked.append(1) or Confirmation(solved=len(asked) == 1, leaks=len(asked) > 1),
    )
    group = Group(recipe, members([0]), CPU, vectorise=False)
    (last,) = group.advance()
    while not asked:
        (last,) = group.advance()
    assert last.solved
    again = Group(recipe, members([0]), CPU, vectorise=False, step=group.step)
    again.restore(group.snapshot())
    assert again.advance() == group.advance()
    assert len(asked) == 1


def test_the_global_generator_is_left_as_it_was(configure):
    recipe, task = make_recipe(configure())
    torch.manual_seed(3)
    before = torch.get_rng_state()
    recipe.make_model(0, task)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ONE_BY_ONE])
def test_batched_equals_looped(configure, name):
    """Over ten steps at low rates: while a loss falls steeply, rounding grows a hundredfold in ten more."""
    recipe, _ = make_recipe(configure(name, max_steps=20))
    who = [*members([0, 1], rate=0.003), *members([0], rate=0.001)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # vmap warns where it has to loop over members inside.
        batched = train(recipe, who, "vmap")
    looped = train(recipe, who, "loop")
    # Sines of frequency 10, one in another, make a rounding error of hyena's filters ten times as large each time.
    assert_close(batched, looped, tolerance=1e-3 if name == "hyena" else 1e-4, evaluations=1)


def test_batched_retires_solved_members_and_the_others_go_on(configure):
    recipe, _ = make_recipe(configure())
    sizes = []
    ensemble = Ensemble(recipe, members(range(4)), EngineSettings("vmap", CPU))
    batched = ensemble.train(lambda e: sizes.append(sum(t.status == "training" for t in e.trajectories.values())))
    looped = train(recipe, members(range(4)))
    assert [t.status for t in batched] == [t.status for t in looped]
    assert len({t.steps_to_solve for t in batched}) > 1, "members must retire at different times for this to test"
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("task", ["linear_map", "state_tracking", "hops", "selective_copy"])
def test_the_gradient_is_that_of_a_plain_loop(configure, task):
    """The last three ask for tokens that are shown nowhere."""
    recipe, task = make_recipe(configure(task=task))
    group = Group(recipe, members([0]), CPU, vectorise=False)
    tokens, targets = (rows[0] for rows in recipe.training_data(0, recipe.make_task(0), 0))
    _, gradient = group.gradients(tokens[None], targets[None])
    model = recipe.make_model(0, task)
    logits = model(tokens)
    asked = task.targets(tokens) if isinstance(task, TaskWithTargets) else tokens[:, task.scored]
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), asked.flatten()).backward()
    expected = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    assert torch.allclose(gradient[0], expected, atol=1e-6)


def test_what_is_shown_nowhere_is_asked_for_alike_in_both_engines(configure):
    """Members that solve leave their group, and what is asked of the others must not move up with them."""
    options = {"group": "parity", "steps": "3"}
    recipe, _ = make_recipe(configure("linear_attention", "state_tracking", task_options=options, max_steps=400))
    one_by_one, together = train(recipe, members(range(4))), train(recipe, members(range(4)), "vmap")
    assert len({t.steps_to_solve for t in one_by_one}) > 1, "members must retire at different times for this to test"
    assert any(t.steps_to_solve for t in one_by_one)
    assert_close(together, one_by_one, evaluations=2)
    assert [t.status for t in together] == [t.status for t in one_by_one]


@pytest.mark.parametrize("engine", ["loop", "vmap"])
def test_a_diverging_member_disturbs_no_other(configure, planted, engine):
    recipe, _ = make_recipe(configure("exploding"))
    trajectories = train(recipe, members(range(6)), engine)
    diverged = [t.status == "diverged" for t in trajectories]
    assert any(diverged)
    assert not all(diverged)
    assert all(t.step == recipe.budget.evaluate_every for t in trajectories if t.status == "diverged")
    healthy = [t for t in trajectories if t.status != "diverged"]
    alone = train(recipe, [t.member for t in healthy], engine)
    assert_close(alone, healthy, tolerance=0 if engine == "loop" else 1e-4)


def test_what_vmap_cannot_train_is_recognised(configure, planted):
    stubborn, _ = make_recipe(configure("stubborn"))
    assert "vmap" in str(why_not_vmap(stubborn, CPU))
    for name in ONE_BY_ONE:
        recipe, _ = make_recipe(configure(name))
        assert "Batching rule not implemented" in str(why_not_vmap(recipe, CPU))
    attention, _ = make_recipe(configure())
    assert why_not_vmap(attention, CPU) is None


def test_buffers_and_frozen_parameters_of_each_member_are_its_own(configure, planted):
    recipe, _ = make_recipe(configure("random_features", max_steps=20))
    batched = train(recipe, members([0, 1, 2]), "vmap")
    looped = train(recipe, members([0, 1, 2]), "loop")
    assert_close(batched, looped)


@pytest.mark.parametrize("engine", ["loop", "vmap"])
def test_going_on_from_any_evaluation_gives_the_same_curves(configure, engine):
    """State is taken at every evaluation; training goes on from each and ends in the same place."""
    recipe, _ = make_recipe(configure(max_steps=40))
    who = members([0, 1])
    settings = EngineSettings(engine, CPU)
    states = []
    whole = Ensemble(recipe, who, settings).train(lambda e: states.append(e.state()))
    for state in states:
        resumed = Ensemble(recipe, who, settings, saved={0: state}).train(lambda _: None)
        assert curves(resumed) == curves(whole)


def test_layers_of_a_level_are_built(configure):
    recipe, task = make_recipe(configure(task="linear_map@deep"))
    assert len(recipe.make_model(0, task).blocks) == 2


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["loop", "vmap"])
@pytest.mark.filterwarnings("default")
def test_compiled_equals_eager_and_is_not_compiled_for_each_member(configure, engine, monkeypatch):
    monkeypatch.setattr(workers, "forks", lambda: False)  # in this process, which counts what is compiled
    recipe, _ = make_recipe(configure(max_steps=30))
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()  # `reset` leaves what other tests of this process have counted
    compiled = train(recipe, members(range(5)), engine, compiled=True)
    if engine == "loop":  # `vmap` is compiled anew for some of the sizes to which the ensemble shrinks
        assert 0 < torch._dynamo.utils.counters["stats"]["unique_graphs"] < 5
    assert_close(compiled, train(recipe, members(range(5)), engine), tolerance=1e-3)


@pytest.mark.parametrize(
    ("mixer", "steps", "worth"),
    [
        ("mamba", 2000, True),
        ("rwkv7", 2000, True),
        ("delta_net", 2000, False),  # too few, if what draws the data is not counted with them
        ("multi_head_attention", 2000, False),  # few operations
        ("multi_head_attention", 4000, True),  # few, for long
        ("mamba", 500, False),  # soon over
        ("gru", 2000, False),  # many, all of a library
        ("gru", 10000, False),
        (("xlstm", {"cell": "slstm"}), 10000, False),  # a loop over tokens, which takes minutes
    ],
)
def test_what_gains_by_it_is_compiled_where_nobody_has_said(monkeypatch, mixer, steps, worth):
    name, options = (mixer, {}) if isinstance(mixer, str) else mixer
    request = RunRequest(name, "linear_map", "lite", mixer_options=options, max_steps=steps)
    recipe, _ = make_recipe(request.resolve("cpu"))
    assert worth_compiling(recipe, CPU) == worth
    monkeypatch.setenv("PATH", "")
    assert not worth_compiling(recipe, CPU), "without a compiler"


@pytest.mark.parametrize(
    ("compiled", "note"),
    [
        (
            lambda losses: lambda *inputs: 1.01 * losses(*inputs),
            "it gives other gradients than the code as it is written",
        ),
        (lambda losses: losses.gone, "AttributeError: 'function' object has no attribute 'gone'"),
        (lambda losses: lambda *inputs: losses(*inputs), None),
    ],
)
def test_what_is_compiled_is_tried_before_it_trains(configure, monkeypatch, compiled, note):
    """A compiler that is wrong, or cannot, costs speed and no result."""
    recipe, _ = make_recipe(configure())
    monkeypatch.setattr(torch, "compile", lambda losses: compiled(lambda *inputs: losses(*inputs)))
    settings, found = choose_engine(recipe, EngineSettings("loop", CPU, compiled=True))
    assert settings.compiled == (note is None)
    assert found == (note and f"torch.compile cannot train this mixer: {note}")


def test_a_warning_of_the_compiler_is_no_reason_against_a_mixer(configure, monkeypatch):
    """Warnings are errors here, and on CUDA torch 2.11 warns of its own when it forgets what was compiled."""
    recipe, _ = make_recipe(configure())
    monkeypatch.setattr(torch, "compile", lambda losses: losses)
    warn = partial(warnings.warn, "`torch.jit.script_method` is deprecated", DeprecationWarning)
    monkeypatch.setattr(torch.compiler, "reset", warn)
    settings, note = choose_engine(recipe, EngineSettings("loop", CPU, compiled=True))
    assert (settings.compiled, note) == (True, None)


@pytest.mark.skipif(sys.version_info[:3] == (3, 13, 0), reason="torch.compile wants Python 3.13.1")
def test_the_tenth_mixer_of_a_process_is_compiled_as_the_first_is(configure, monkeypatch):
    """torch leaves a function as it is after eight kinds of input, and what was not compiled would be said to be."""
    compile_ = torch.compile
    monkeypatch.setattr(torch, "compile", lambda function: compile_(function, backend="eager"))
    for dim in range(8, 88, 8):
        recipe, _ = make_recipe(configure("static_mixer", mixer_options={"heads": 1}, backbone={"dim": dim}))
        torch._dynamo.utils.counters.clear()
        settings, note = choose_engine(recipe, EngineSettings("loop", CPU, compiled=True))
        assert (settings.compiled, note) == (True, None)
        assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0, f"width {dim} was not compiled"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("engine", ["loop", "vmap"])
def test_cuda_starts_from_the_same_weights_and_learns_the_same(configure, engine):
    recipe, _ = make_recipe(configure(max_steps=20))
    on_gpu = Ensemble(recipe, members([0, 1]), EngineSettings(engine, torch.device("cuda"))).train(lambda _: None)
    on_cpu = train(recipe, members([0, 1]))
    assert_close(on_gpu, on_cpu, tolerance=1e-2)
