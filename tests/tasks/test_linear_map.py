import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchbed.errors import OptionError
from benchbed.plugins.registry import find

LinearMap = find("task", "linear_map").load()


def make(seed=0, **options):
    return LinearMap(torch.Generator().manual_seed(seed), **options)


@given(st.integers(2, 12), st.data())
def test_every_output_is_the_parity_of_its_parents(state_size, data):
    sparsity = data.draw(st.integers(1, state_size - 1))
    task = make(data.draw(st.integers(0, 99)), state_size=state_size, sparsity=sparsity)
    tokens = task.sample(50, torch.Generator().manual_seed(1))
    assert tokens.shape == (50, task.length)
    assert set(tokens.unique().tolist()) <= {0, 1}
    for position in task.scored.nonzero().flatten().tolist():
        parents = task.parents[position]
        assert parents.sum() == sparsity
        assert torch.equal(tokens[:, position], tokens[:, parents].sum(1) % 2)
    assert task.parents.sum() == state_size * sparsity
    assert len(task.parents[state_size:].unique(dim=0)) == state_size, "rows are distinct"


def test_the_instance_and_the_data_are_functions_of_their_generators():
    assert torch.equal(make(3).matrix, make(3).matrix)
    assert not torch.equal(make(3).matrix, make(4).matrix)
    task = make(3)
    first, second = (task.sample(9, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, second)


def test_inputs_are_uniform_and_chance_is_ln_2():
    tokens = make(0, state_size=8, sparsity=3).sample(20_000, torch.Generator().manual_seed(0))
    assert torch.allclose(tokens.double().mean(0), torch.tensor(0.5, dtype=torch.float64), atol=0.02)
    assert make().chance_loss == math.log(2)


def test_the_criterion_wants_every_output_bit():
    task = make(0, state_size=4, sparsity=2)
    assert task.solved(torch.tensor([[0.99, 1.0, 1.0, 1.0], [0.98, 1.0, 1.0, 1.0]])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"state_size": 4, "sparsity": 5}, "expected sparsity <= state_size, found sparsity=5 and state_size=4"),
        ({"state_size": 8, "sparsity": 8}, "copying the previous token scores 0.938 without finding a pattern"),
    ],
)
def test_impossible_options_are_refused_with_the_reason(options, message):
    with pytest.raises(OptionError, match=message):
        make(**options)


@given(st.integers(2, 12), st.data())
def test_every_other_setting_has_enough_distinct_rows(state_size, data):
    """Why nothing else needs to be refused."""
    sparsity = data.draw(st.integers(1, state_size - 1))
    assert math.comb(state_size, sparsity) >= state_size
    assert len(make(0, state_size=state_size, sparsity=sparsity).matrix.unique(dim=0)) == state_size


def test_copying_the_previous_token_nearly_solves_a_dense_map():
    """The reason for the refusal, measured on data."""
    state = torch.randint(0, 2, (50_000, 8), generator=torch.Generator().manual_seed(0))
    outputs = (state.sum(1, keepdim=True) % 2).expand(-1, 8)
    tokens = torch.cat((state, outputs), dim=1)
    right = (tokens[:, 7:-1] == tokens[:, 8:]).double().mean()
    assert right == pytest.approx(1 - 0.5 / 8, abs=0.005)
