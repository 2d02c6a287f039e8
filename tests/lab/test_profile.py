"""What mixers cost, and models of equal size."""

import json

import pytest
import torch
from torch import nn

from benchbed.config.request import RunRequest
from benchbed.errors import OptionError
from benchbed.lab.profile.start import measure_start
from benchbed.lab.profile.state import measure_state
from benchbed.plugins.registry import find
from benchbed.runs import matching
from benchbed.runs.costs import measure_costs
from benchbed.runs.matching import match_parameters, parameters_of, plan_at_size
from benchbed.training.recipe import make_recipe


def state_of(name, **options):
    mixer = find("mixer", name).load()
    torch.manual_seed(0)
    return measure_state(lambda dim, length: mixer(dim, length, **options), width=8, pasts=(9, 12))


@pytest.mark.parametrize(
    ("name", "options", "numbers"),
    [
        ("gru", {}, 8),
        ("lstm", {}, 2 * 8),
        ("retention", {"heads": 4, "value_expansion": 2}, 2 * 8**2 // 4),
        ("linear_attention", {"heads": 4}, 8**2 // 4 + 8),  # the normaliser has as many numbers as the keys
        ("sliding_window_attention", {"window": 4, "heads": 2}, 3 * 8),
    ],
)
def test_a_recurrence_carries_what_its_equations_say(name, options, numbers):
    state = state_of(name, **options)
    assert state.saturated
    assert max(state.ranks) == numbers
    assert str(state) == f"{numbers} numbers, however long the past"


def test_attention_carries_its_cache():
    state = state_of("multi_query_attention", heads=4)
    assert not state.saturated
    assert state.ranks == (9 * 4, 12 * 4)  # a key and a value of two channels a token
    assert str(state) == "grows by 4 numbers a token (48 at 12 tokens)"


def test_a_mixer_that_keeps_everything():
    class Sum(nn.Module):
        def __init__(self, dim, length):
            super().__init__()
            self.matrix = nn.Parameter(torch.randn(length, length))

        def forward(self, x):
            return self.matrix.tril() @ x

    state = measure_state(Sum, width=4, pasts=(3, 6))
    assert state.full
    assert "up to 24 numbers at least" in str(state)


class Weighted(nn.Module):
    """The sum of all earlier tokens times one number, and the token itself times another."""

    def __init__(self, earlier, own):
        super().__init__()
        self.earlier, self.own = earlier, own

    def forward(self, x):
        return self.earlier * torch.cat((0 * x[:, :1], x[:, :-1]), dim=1).cumsum(1) + self.own * x


@pytest.mark.parametrize(
    ("earlier", "own", "ratio", "said"),
    [
        (1, 1, 3, "earlier tokens move an output "),  # the sum of nine numbers moves three times as far as one
        (1e-6, 2, 1.5e-6, "earlier tokens move an output "),
        (0, 1, 0, "earlier tokens move an output 0 times as far as its own token does"),
        (1, 0, None, "earlier tokens alone move an output"),
        (0, 0, None, "no token moves an output"),
    ],
)
def test_how_much_a_mixer_mixes_at_its_start(earlier, own, ratio, said):
    found = measure_start(lambda *_: Weighted(earlier, own), 32, 10)
    assert found.ratio == (None if ratio is None else pytest.approx(ratio, rel=0.03))
    assert str(found).startswith(said)


def test_a_triangular_system_is_counted(configure):
    """torch counts nothing of it: T^2 multiply-adds for each of d columns, T of which are tokens."""
    from torch.utils.flop_counter import FlopCounterMode

    from benchbed.runs.costs import _MORE_FLOPS

    matrix, right = torch.eye(5).expand(3, 5, 5), torch.ones(3, 5, 2)
    with FlopCounterMode(display=False, custom_mapping=_MORE_FLOPS) as counter:
        torch.linalg.solve_triangular(matrix, right, upper=False)
    assert counter.get_total_flops() == 3 * 5 * 5 * 2
    recipe, task = make_recipe(configure("delta_net"))
    assert measure_costs(recipe, task).flops_per_token > 0


def test_models_of_equal_size():
    """A step of the width moves a small model by a fifth: what it leaves is made up by the channel MLP.

    Models of `rwkv7` were refused at attention's size: 56 is a tenth below it, 64 more than a tenth above.
    """

    def sized(mixer, target):
        return plan_at_size(RunRequest(mixer, "linear_map", "lite"), "cpu", target, None)

    attention = RunRequest("multi_head_attention", "linear_map", "lite").resolve("cpu")
    target = parameters_of(attention)
    assert sized("multi_head_attention", target).backbone == attention.backbone
    for mixer in ("rwkv7", "mlp_mixer"):
        config = sized(mixer, target)
        dim = config.backbone.dim
        assert dim % 8 == 0
        assert abs(parameters_of(config) - target) <= (2 * dim + 1) / 2, "half a unit of the channel MLP"
        assert 2 * dim <= config.backbone.mlp_dim <= 8 * dim
    with pytest.raises(OptionError, match=r"no value of the width comes within a tenth of 10; the closest is \d"):
        sized("gru", 10)


def test_sizes_that_the_mixer_refuses_are_passed_over(configure, monkeypatch):
    """Heads of 8 do not divide every width."""
    monkeypatch.setattr(matching, "_LARGEST", 128)
    found = match_parameters(
        lambda dim: configure("multi_head_attention", backbone={"dim": str(dim)}), 2_200, "the width"
    )
    assert found.backbone.dim % 8 == 0
    with pytest.raises(OptionError, match="expected heads to divide"):
        match_parameters(lambda heads: configure(mixer_options={"heads": str(heads + 99)}), 6_000, "'heads'")


def test_an_option_that_changes_no_parameter(configure):
    with pytest.raises(OptionError, match="no value of 'heads' comes within a tenth"):
        match_parameters(lambda heads: configure(mixer_options={"heads": str(heads)}), 10, "'heads'")


@pytest.fixture
def cli(command_line, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return command_line


def test_run_matches_by_width_or_by_an_option(cli, tiny_path):
    run = ("run", "--task", "linear_map", "--track", tiny_path, "--max-steps", 20, "--json")
    code, out, err = cli(*run, "--mixer", "mlp_mixer", "--match-parameters", 2500, "--match-by", "expansion")
    assert code == 0, err
    (found,) = json.loads(out)
    assert found["costs"]["parameters"] == pytest.approx(2500, rel=0.1)
    assert found["config"]["backbone"]["dim"] == 16
    code, out, err = cli(*run, "--mixer", "multi_head_attention", "--match-parameters", 9000)
    assert code == 0, err
    (found,) = json.loads(out)
    assert found["costs"]["parameters"] == pytest.approx(9000, rel=0.005)
    assert found["config"]["backbone"]["dim"] > 16
    assert any("backbone changed" in reason for reason in found["unranked"])
    code, _, err = cli(*run, "--mixer", "mlp_mixer", "--match-by", "expansion")
    assert code == 2
    assert "--match-by: expected --match-parameters with it" in err
    code, _, err = cli(*run, "--mixer", "mlp_mixer", "--match-parameters", 2500, "--match-by", "expanse")
    assert code == 2
    assert "unknown option 'expanse'; did you mean 'expansion'?" in err


def test_show_mixer(cli, tiny_path):
    code, out, err = cli("show", "mixer", "gru", "--track", tiny_path)
    assert code == 0, err
    assert "16 numbers, however long the past" in out
    assert "earlier tokens move an output 0." in out
    assert "linear_map@s1" in out
    code, out, _ = cli("show", "mixer", "gru", "--track", tiny_path, "--mixer-option", "layers=2", "--json")
    profile = json.loads(out)
    assert profile["options"] == {"layers": 2}
    assert profile["state"]["ranks"] == [32, 32]
    (level,) = profile["levels"]
    assert level["milliseconds"] > 0
    assert level["ratio"] is None
    code, _, err = cli("show", "mixr", "gru")
    assert code == 2
    assert "expected a result, or mixer and a name, found mixr gru" in err
    for names, found in (([], "none"), (["gru", "mlp_mixer"], "gru mlp_mixer")):
        code, _, err = cli("show", "mixer", *names)
        assert (code, f"show mixer: expected the name of one mixer, found {found}" in err) == (2, True)
