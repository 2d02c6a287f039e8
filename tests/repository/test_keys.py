"""The mixer of `benchmarks/keys.py`: with keys of D/H channels the built-in one, and others differ in keys alone."""

import keys
import pytest
import torch


def drawn(mixer, **options):
    torch.manual_seed(0)
    return mixer(64, 24, **options)


@pytest.mark.parametrize(("heads", "key"), [(8, 8), (1, 64)])
def test_the_entries_are_cells_of_the_grid(heads, key):
    x = torch.randn(2, 24, 64)
    ours, theirs = drawn(keys.Attention, heads=heads, key=key), drawn(keys.MultiHeadAttention, heads=heads)
    assert torch.equal(ours(x), theirs(x))


@pytest.mark.parametrize(("heads", "key"), [(8, 64), (1, 8)])
def test_keys_have_the_width_that_is_asked_for_and_the_start_of_the_entries(heads, key):
    ours = drawn(keys.Attention, heads=heads, key=key)
    query, found, value = ours._project(torch.randn(2, 24, 64))
    assert query.shape == found.shape == (2, heads, 24, key)
    assert value.shape == (2, heads, 24, 64 // heads)
    assert ours.query_key_value.weight.std().item() == pytest.approx(64**-0.5, rel=0.05)
    assert torch.equal(ours.output.weight, drawn(keys.MultiHeadAttention, heads=heads).output.weight)
