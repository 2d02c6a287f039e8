"""Prompts: whether the answer follows from the text, and what is refused."""

import json
import re
from collections import Counter
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
from strangers import install

from benchbed.contracts import OptionError, Prompt
from benchbed.errors import PluginError
from benchbed.lm.prompts import ask
from benchbed.plugins.registry import find, plugins

words = import_module("benchbed.capabilities._words")
DIGITS, LINE, NAMES = words.DIGITS, words.LINE, words.NAMES
BUILT_IN = {plugin.name: plugin for plugin in plugins("capability") if plugin.built_in}


class Words:
    """A tokenizer of whole words; some it does not know, and some it joins to the word before."""

    unk_token_id = 0

    def __init__(self, unknown=(), joined=()):
        self._ids: dict[str, int] = {}
        self._unknown, self._joined = set(unknown), set(joined)

    def __call__(self, text, add_special_tokens):
        assert not add_special_tokens
        words = re.findall(r"\n|[^\s,]+|,", text)
        tokens: list[int] = []
        for word in words:
            if word in self._joined and tokens:
                tokens[-1] += 10_000
            else:
                tokens.append(0 if word in self._unknown else self._ids.setdefault(word, 1 + len(self._ids)))
        return SimpleNamespace(input_ids=tokens)


def prompts(name, count=50, seed=0, **options) -> list[Prompt]:
    plugin = BUILT_IN[name]
    return plugin.load()(**plugin.resolve(options)).prompts(count, Random(seed), list)


def copied(text):
    """What followed when the same words stood there before."""
    line, again = (part.split() for part in text.split(LINE))
    assert line[: len(again)] == again
    return line[len(again)]


def repeated(text):
    words = text.split()
    period = next(p for p in range(1, len(words)) if words[p:] == words[:-p])
    return words[len(words) - period]


def named_once(text):
    counts = Counter(re.findall(r"\w+", text))
    (once,) = (name for name in NAMES if counts[name] == 1)
    return once


@pytest.mark.parametrize(
    ("name", "solve"),
    [
        ("copying", copied),
        ("pattern_completion", copied),
        ("repetition", repeated),
        ("indirect_object", named_once),
    ],
)
def test_the_answer_follows_from_the_text(name, solve):
    for prompt in prompts(name):
        assert prompt.target == f" {solve(prompt.text)}"
        assert prompt.target not in prompt.others
        assert len(set(prompt.others)) == len(prompt.others) > 0
        assert prompt.text.startswith(" "), "the first word is the token that it is elsewhere"
    assert prompts(name) == prompts(name)
    assert prompts(name) != prompts(name, seed=1)


def test_one_digit_does_not_tell_the_next():
    """The digit before the answer stands in the line twice, with another digit after it."""
    for prompt in prompts("pattern_completion"):
        line = prompt.text.split(LINE)[0].split()
        after = {line[i + 1] for i in range(len(line) - 1) if line[i] == line[-2]}
        assert len(after) >= 2
        assert {prompt.target, *prompt.others} == {f" {digit}" for digit in DIGITS}


def test_either_name_comes_first_and_no_answer_is_told_by_its_name():
    made = prompts("indirect_object", 400)
    first = [prompt.text.index(prompt.target) < prompt.text.index(prompt.others[0]) for prompt in made]
    assert 150 < sum(first) < 250
    assert len({prompt.target for prompt in made}) == len(NAMES)


@pytest.mark.parametrize("name", BUILT_IN)
def test_it_is_read_as_the_tokenizer_reads_it(name):
    plugin = BUILT_IN[name]
    found = ask(plugin, plugin.resolve({}), Words(), 20, 0)  # pyright: ignore[reportArgumentType]
    expected = {"copying": 1 / 8, "repetition": 1 / 4, "pattern_completion": 1 / 10, "indirect_object": 1 / 2}
    assert found.chance == pytest.approx(expected[name])
    assert all(one.target not in one.others for one in found.asked)
    again = ask(plugin, plugin.resolve({}), Words(), 20, 0)  # pyright: ignore[reportArgumentType]
    assert found.hash == again.hash
    other = ask(plugin, plugin.resolve({}), Words(), 20, 1)  # pyright: ignore[reportArgumentType]
    assert found.hash != other.hash


def test_a_tokenizer_without_the_words_is_not_asked():
    for name, unknown in (("pattern_completion", ["7"]), ("indirect_object", NAMES)):
        plugin = BUILT_IN[name]
        with pytest.raises(OptionError, match="found"):
            ask(plugin, plugin.resolve({}), Words(unknown), 5, 0)  # pyright: ignore[reportArgumentType]


class Planted:
    """Answers that are none."""

    version = 1

    def __init__(self, *, made: str = "") -> None:
        self._made = made

    def prompts(self, count, rng, known):
        good = Prompt(" one two", " three", (" four",))
        return {
            "split": [good._replace(target=" three four")] * count,
            "twice": [good._replace(others=(" three",))] * count,
            "alone": [good._replace(others=())] * count,
            "unknown": [good._replace(text=" nobody two")] * count,
            "joined": [good._replace(target=" glue")] * count,
            "few": [good],
        }[self._made]


@pytest.mark.parametrize(
    ("made", "error", "message"),
    [
        ("split", PluginError, "expected answers of one token each, found ' three four'"),
        ("twice", PluginError, "expected answers that differ"),
        ("alone", PluginError, "expected answers that differ"),
        ("unknown", OptionError, "expected words that the tokenizer knows"),
        ("joined", PluginError, "expected answers of one token each, found ' glue'"),
        ("few", PluginError, "expected 3 prompts, found 1"),
    ],
)
def test_answers_that_are_none_are_refused(made, error, message):
    plugin = replace(BUILT_IN["copying"], target=f"{Planted.__module__}:Planted", distribution="stranger")
    tokenizer = Words(["nobody"], ["glue"])
    with pytest.raises(error, match=message):
        ask(plugin, {"made": made}, tokenizer, 3, 0)  # pyright: ignore[reportArgumentType]


PAGE = Path(__file__).resolve().parents[2] / "docs" / "lm.md"


def test_a_strangers_capability_is_found_and_the_page_shows_one_that_works(tmp_path, monkeypatch, command_line):
    (source,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    broken = "class Nothing:\n    version = 1\n"
    points = "[benchbed.capabilities]\nopposites = opposites:Opposites\nnothing = nothing_at_all:Nothing"
    install(tmp_path, "strange", points, opposites=source, nothing_at_all=broken)
    monkeypatch.syspath_prepend(str(tmp_path))
    _, out, _ = command_line("list", "capabilities", "--csv")
    assert 'strange:opposites,strange,1.0,"The opposite of a word (Doe, 2026)."' in out.replace('""', '"')
    code, out, _ = command_line("plugins", "--check", "--json")
    status = {row["name"]: row["status"] for row in json.loads(out) if row["kind"] == "capability"}
    assert (code, status["opposites"], status["copying"]) == (1, "loads", "loads")
    assert "expected a method `prompts`" in status["nothing"]
    plugin = find("capability", "opposites")
    found = ask(plugin, {}, Words(), 30, 0)  # pyright: ignore[reportArgumentType]
    assert found.chance == pytest.approx(1 / 3)
    with pytest.raises(OptionError, match="expected two pairs"):
        ask(plugin, {}, Words(["hot", "up"]), 30, 0)  # pyright: ignore[reportArgumentType]


def test_without_the_extra_it_says_what_to_install(monkeypatch, command_line):
    monkeypatch.setattr("benchbed.cli.lm.find_spec", lambda name: None)
    code, _, err = command_line("lm", "emergence", "somewhere")
    assert (code, err) == (2, "benchbed: expected transformers, found none; pip install 'benchbed[lm]'\n")
