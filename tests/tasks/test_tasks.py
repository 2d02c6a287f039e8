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


def test_recall_of_a_capacity_asks_for_every_key_once_and_mostly_early():
    task = make("associative_recall", pairs=8, queries=8, keys=16, values=5, order="power_law")
    tokens = draw(task, count=4000)
    asked = task.parents_of(tokens)[:, task.scored].float().argmax(-1) // 2  # (B, 8), the pair of each query
    assert all(sorted(row) == list(range(8)) for row in asked.tolist())
    # The first key draws first: by the weights of all places.
    weights = torch.arange(1, 9) ** -0.99
    drawn = torch.bincount(asked.argsort(1)[:, 0], minlength=8) / len(asked)
    assert torch.allclose(drawn, weights / weights.sum(), atol=0.03)
    # The second, by those of the places that are left.
    pairs = [(1 / x**0.99 / weights.sum()) * (1 / (weights.sum() - x**-0.99)) for x in range(2, 9)]
    second = float((asked.argsort(1)[:, 1] == 0).float().mean())
    assert second == pytest.approx(float(sum(pairs)), abs=0.03)


@pytest.mark.parametrize("group", ["parity", "s3", "a5", "s5"])
def test_a_state_is_the_permutation_that_all_elements_make_one_after_another(group):
    from sympy.combinatorics import Permutation, PermutationGroup

    task = make("state_tracking", group=group, steps=6)
    order = {"parity": 2, "s3": 6, "a5": 60, "s5": 120}[group]
    assert (task.vocabulary, task.length) == (order, 7)
    assert len({tuple(row) for row in task.products.tolist()}) == order, "one row an element"
    # The elements act on themselves as the group does: an independent library finds it closed, of the right order.
    rows = [Permutation(column) for column in task.products.T.tolist()]
    assert PermutationGroup(rows).order() == order
    assert PermutationGroup(rows).is_abelian == (group == "parity")
    tokens = draw(task, count=50)
    for sequence, states in zip(tokens.tolist(), task.targets(tokens).tolist(), strict=True):
        state = sequence[0]
        for place in range(6):
            state = int(task.products[state, sequence[place]]) if place else state
            assert states[place] == state


def test_parity_is_parity():
    task = make("state_tracking", group="parity", steps=9)
    tokens = draw(task)
    assert torch.equal(task.targets(tokens), tokens[:, :-1].cumsum(1) % 2)


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_hops_end_where_walking_does(hops):
    task = make("hops", hops=hops, letters=4, context=9, asked=6)
    tokens = draw(task, count=200)
    parents = task.parents_of(tokens)
    for sequence, answers, mine in zip(tokens.tolist(), task.targets(tokens).tolist(), parents, strict=True):
        assert all(a != b for a, b in pairwise(sequence))
        for answer, start in zip(answers, range(9, 15), strict=True):
            place = start
            for _ in range(hops):
                before = [j for j in range(place) if sequence[j] == sequence[place]]
                place = before[-1] + 1 if before else place
            assert answer == sequence[place]
            assert mine[start + 1].nonzero().flatten().tolist() == [place]


def test_one_hop_is_induction():
    task = make("hops", hops=1, letters=8, context=8, asked=8)
    text = [0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0]
    assert task.targets(torch.tensor([text])).tolist() == [[1, 2, 3, 4, 5, 6, 7, 0]]


def test_selective_copying_says_the_symbols_in_order():
    task = make("selective_copy", copies=3, context=10, symbols=5)
    tokens = draw(task, count=200)
    assert tokens.shape == (200, 14)
    places = set()
    for sequence, answers, mine in zip(
        tokens.tolist(), task.targets(tokens).tolist(), task.parents_of(tokens), strict=True
    ):
        symbols = [(place, token) for place, token in enumerate(sequence[:10]) if token < 5]
        assert [token for token in sequence[:10] if token >= 5] == [5] * 7, "blanks"
        assert sequence[10:] == [6] * 4, "markers"
        assert answers == [token for _, token in symbols]
        assert mine.nonzero().tolist() == [[11 + i, place] for i, (place, _) in enumerate(symbols)]
        places |= {place for place, _ in symbols}
    assert places == set(range(10))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cellular_automata", {"window": 4}, "expected an odd window of at most state_size=16"),
        ("cellular_automata", {"window": 5, "state_size": 4}, "found window=5"),
        ("associative_recall", {"keys": 4}, "expected keys >= pairs"),
        ("associative_recall", {"order": "power_law", "queries": 4}, "expected as many queries as pairs"),
        ("selective_copy", {"copies": 32}, "expected copies < context"),
        ("induction", {"repeat": 16}, "expected repeat < prefix <= symbols"),
        ("induction", {"symbols": 10}, "found repeat=8, prefix=16, symbols=10"),
    ],
)
def test_impossible_options_are_refused(name, options, message):
    with pytest.raises(OptionError, match=message):
        make(name, **options)
