import sys

import pytest
from strangers import install

from benchbed.errors import PluginError, UnknownNameError
from benchbed.plugins.registry import find, plugins

MIXERS = [
    "delta_net",
    "gated_delta_net",
    "gated_linear_attention",
    "gmlp",
    "grouped_query_attention",
    "gru",
    "hyena",
    "kimi_delta_attention",
    "linear_attention",
    "linear_rnn",
    "lstm",
    "mamba",
    "mamba2",
    "mlp_mixer",
    "multi_head_attention",
    "multi_query_attention",
    "retention",
    "rwkv7",
    "sliding_window_attention",
    "softmax_attention",
    "static_mixer",
    "xlstm",
]


def test_built_ins_are_found_by_listing_their_folder():
    built_in = [p for p in plugins("mixer") if p.built_in]
    assert [p.name for p in built_in if not p.needs] == MIXERS
    assert all(p.name.startswith("fla:") for p in built_in if p.needs)
    assert [p.name for p in plugins("task") if p.built_in] == [
        "associative_recall",
        "cellular_automata",
        "hops",
        "induction",
        "linear_map",
        "selective_copy",
        "state_tracking",
    ]


@pytest.mark.parametrize("name", MIXERS)
def test_built_ins_load_and_describe_themselves(name):
    plugin = find("mixer", name)
    assert plugin.load().__module__ == f"benchbed.mixers.{name}"
    assert plugin.description.endswith(").")
    assert plugin.source_hash is not None
    # Imported as `mixers.x` from the checkout, every class would exist twice.
    assert not any(module == "mixers" or module.startswith("mixers.") for module in sys.modules)


def test_strangers_are_listed_without_being_imported(planted):
    sys.modules.pop("planted", None)
    listed = {p.label: p for p in plugins("mixer")}
    assert listed["planted:leaky"].description == "Reads the next token."
    assert listed["planted:leaky"].version == "1.0"
    assert "planted" not in sys.modules


def test_a_built_in_name_is_reserved(planted):
    assert find("mixer", "mlp_mixer").distribution == "benchbed"
    assert find("mixer", "planted:mlp_mixer").target == "planted:RandomFeatures"


def test_two_strangers_with_one_name_must_be_told_apart(planted, tmp_path, monkeypatch):
    install(tmp_path, "rival", "[benchbed.mixers]\nleaky = rival:Leaky\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(PluginError, match=r"planted 1\.0 and rival 1\.0; choose 'planted:leaky' or 'rival:leaky'"):
        find("mixer", "leaky")
    assert find("mixer", "rival:leaky").target == "rival:Leaky"


def test_a_class_that_nobody_registered_is_found_by_its_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])  # as an installed command starts: without the current folder
    name = "lying_about:Averages"
    with pytest.raises(UnknownNameError, match="unknown mixer 'lying_about:Averages'"):
        find("mixer", name)
    source = "from torch import nn\n\n\nclass Averages(nn.Identity):\n    'Averages.'\n"
    (tmp_path / "lying_about.py").write_text(source)
    plugin = find("mixer", name)
    assert (plugin.label, plugin.registered, plugin.description) == (name, False, "Averages.")
    before = plugin.source_hash
    assert "lying_about" not in sys.modules
    assert plugin.load().__module__ == "lying_about"
    assert find("mixer", plugin.label) == plugin, "a run that is taken up again knows it by its label"
    (tmp_path / "lying_about.py").write_text(source.replace("Identity", "Module"))
    assert find("mixer", name).source_hash != before


def test_a_class_of_a_module_that_a_distribution_is_named_after(planted):
    assert find("mixer", "planted:leaky").registered
    assert not find("mixer", "planted:Leaky").registered
    with pytest.raises(UnknownNameError, match="did you mean 'planted:leaky'"):
        find("mixer", "planted:leeky")


@pytest.mark.parametrize("name", [":", ":Class", "module:", "..:Class", "a b:Class", "not-installed:Class"])
def test_what_no_class_can_be_called_is_an_unknown_name(name):
    with pytest.raises(UnknownNameError):
        find("mixer", name)


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match=r"unknown mixer 'mlp_mixr'; did you mean 'mlp_mixer'\?; known: "):
        find("mixer", "mlp_mixr")


@pytest.mark.parametrize(("name", "fault"), [("quits", "SystemExit: 3"), ("missing", "AttributeError")])
def test_a_plug_in_that_fails_to_load_is_named(planted, name, fault):
    with pytest.raises(PluginError, match=rf"planted:{name}.*distribution planted 1\.0.*cannot be loaded: {fault}"):
        find("mixer", name).load()
