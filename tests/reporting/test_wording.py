"""How things are called that stand side by side."""

from benchbed.reporting.wording import labels


def test_names_that_differ_need_no_options():
    assert labels([("gru", {"layers": 1}), ("lstm", {"layers": 2})]) == ["gru", "lstm"]


def test_what_is_called_the_same_has_the_options_that_differ():
    heads = [("attention", {"heads": n, "positions": "none"}) for n in (1, 8)]
    assert labels([*heads, ("gru", {"layers": 1})]) == ["attention heads=1", "attention heads=8", "gru"]
    both = [("a", {"x": 1, "y": 1}), ("a", {"x": 2, "y": 1}), ("a", {"x": 2, "y": 3})]
    assert labels(both) == ["a x=1, y=1", "a x=2, y=1", "a x=2, y=3"]


def test_what_differs_in_nothing_is_numbered():
    assert labels([("gru", {}), ("gru", {}), ("lstm", {})]) == ["gru (1)", "gru (2)", "lstm"]
    twice = [("a", {"x": 1}), ("a", {"x": 2}), ("a", {"x": 2})]
    assert labels(twice) == ["a x=1", "a x=2 (1)", "a x=2 (2)"]
