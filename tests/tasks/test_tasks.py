"""Content-keyed tasks and automata against their definitions, sequence by sequence."""

from itertools import pairwise

import pytest
import torch

from benchbed.contracts import OptionError, TaskWithOwnParents
from benchbed.plugins.registry import find


def make(name, seed=0, **options):
    return find("task", name).load()(torch.Generator().manual_seed(seed), **options)


def draw(task, count=20, seed=1):
    return task.sample(count, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("window", [1, 3, 5])
def test_an_automaton_applies_one_table_of_its_pool_on_a_ring(depth, window):
    task = make("cellular_automata", state_size=7, colours=3, window=window, rules=4, states=5, depth=depth)
    reach = window // 2
    for sequence in draw(task):
        states = sequence.view(5, 7).tolist()

        def follows(table, states=states):
            for before, after in pairwise(states):
                state = before
                for _ in range(depth):
                    around = [[state[(j + d) % 7] for d in range(-reach, reach + 1)] for j in range(7)]
                    state = [int(table[sum(c * 3**i for i, c in enumerate(cells))]) for cells in around]
                if state != after:
                    return False
            return True

        assert any(follows(table) for table in task.tables)


def test_the_parents_of_a_cell_are_its_neighbours_one_state_before():
    task = make("cellular_automata", state_size=6, states=3)
    assert task.scored.tolist() == [False] * 6 + [True] * 12
    assert not task.parents[:6].any()
    assert task.parents[6].nonzero().flatten().tolist() == [0, 1, 5]
    assert task.parents[15].nonzero().flatten().tolist() == [8, 9, 10]
    deep = make("cellular_automata", state_size=9, states=2, depth=2)
    assert deep.parents[9].nonzero().flatten().tolist() == [0, 1, 2, 7, 8]


def test_a_pool_is_the_members_and_a_fresh_rule_is_the_sequences():
    assert torch.equal(make("cellular_automata", 3).tables, make("cellular_automata", 3).tables)
    assert not torch.equal(make("cellular_automata", 3).tables, make("cellular_automata", 4).tables)
    fresh = make("cellular_automata", rules=0, state_size=8, states=3)
    assert len(fresh.tables) == 0
    assert draw(fresh).shape == (20, 24)


def test_an_automaton_is_judged_by_its_last_state():
    task = make("cellular_automata", state_size=20, states=3)
    accuracy = torch.zeros(2, 40)
    accuracy[0, 20:] = 0.96
    accuracy[1] = 1.0
    accuracy[1, 20:22] = 0.0
    assert task.solved(accuracy).tolist() == [True, False]


def test_recall_answers_what_followed_the_key():
    task = make("associative_recall", pairs=4, queries=3, keys=6, values=5)
    tokens = draw(task)
    assert tokens.shape == (20, 14)
    assert task.scored.nonzero().flatten().tolist() == [9, 11, 13]
    assert isinstance(task, TaskWithOwnParents)
    parents = task.parents_of(tokens)
    for sequence, mine in zip(tokens.tolist(), parents, strict=True):
        shown = dict(zip(sequence[0:8:2], sequence[1:8:2], strict=True))
        assert len(shown) == 4, "keys are distinct"
        assert all(key < 6 <= value < 11 for key, value in shown.items())
        for place in (8, 10, 12):
            assert sequence[place + 1] == shown[sequence[place]]
            (parent,) = mine[place + 1].nonzero().flatten().tolist()
            assert sequence[parent] == sequence[place + 1]
            assert sequence[parent - 1] == sequence[place]


def test_induction_goes_on_as_it_went():
    task = make("induction", prefix=9, repeat=4, symbols=12)
    tokens = draw(task)
    assert task.scored.nonzero().flatten().tolist() == [10, 11, 12]
    starts = set()
    for sequence, mine in zip(tokens.tolist(), task.parents_of(tokens), strict=True):
        first, again = sequence[:9], sequence[9:]
        assert len(set(first)) == 9
        start = first.index(again[0])
        starts.add(start)
        assert again == first[start : start + 4]
        assert mine.nonzero().tolist() == [[10, start + 1], [11, start + 2], [12, start + 3]]
    assert starts == set(range(6))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cellular_automata", {"window": 4}, "expected an odd window of at most state_size=16"),
        ("cellular_automata", {"window": 5, "state_size": 4}, "found window=5"),
        ("associative_recall", {"keys": 4}, "expected keys >= pairs"),
        ("induction", {"repeat": 16}, "expected repeat < prefix <= symbols"),
        ("induction", {"symbols": 10}, "found repeat=8, prefix=16, symbols=10"),
    ],
)
def test_impossible_options_are_refused(name, options, message):
    with pytest.raises(OptionError, match=message):
        make(name, **options)
