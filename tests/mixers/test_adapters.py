"""The classes of docs/adapters.md, taken from the page: each is short, passes every check, and trains."""

import re
from pathlib import Path

import pytest
import torch
from planned import planned
from strangers import install
from torch import nn

from benchbed.checks.mixer import Subject, conformance
from benchbed.config.run_config import RunConfig
from benchbed.runs.execute import execute
from benchbed.training.engine import EngineSettings

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "adapters.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
VMAP = {
    "TimmAttention": "one after another inside aten::_scaled_dot_product",
    "EncoderAttention": "one after another inside aten::_scaled_dot_product",
    "Recurrence": "members train one at a time",
    "DifferentialAttention": "",
}


def classes() -> dict[str, type[nn.Module]]:
    names: dict = {}
    exec("\n".join(BLOCKS), names)
    return {name: cls for name, cls in names.items() if isinstance(cls, type) and cls.__module__ == "builtins"}


ADAPTERS = {name: value for name, value in classes().items() if name != "Module"}


def test_the_page_shows_them_all_and_each_in_ten_lines():
    assert set(ADAPTERS) == {"TimmAttention", "EncoderAttention", "Recurrence", "DifferentialAttention"}
    for block in BLOCKS:
        body = [line for line in block.partition('"""\n')[2].splitlines() if line]
        assert len(body) <= 10


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize(("dim", "length"), [(64, 16), (32, 9)])
def test_each_passes_every_check(name, dim, length):
    if name == "DifferentialAttention":
        pytest.importorskip("transformers")
    subject = Subject(ADAPTERS[name], {}, dim, length)
    findings = {f.check: f for f in conformance(subject)}
    assert [f for f in findings.values() if f.status == "failed"] == []
    assert VMAP[name] in findings["vmap"].message


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ("dropout=0.0, ", "", "no randomness"),
        ("(length) < 0", "(length) == 0", "no future"),
        ("nn.GRU(dim, dim, batch_first=True)", "nn.GRU(dim, dim)", "no neighbours"),
        ("is_causal=True", "is_causal=False", "no future"),
        ("angles, self.mask", "angles, None", "no future"),
    ],
)
def test_the_mistakes_that_the_page_names_are_found(old, new, check):
    (block,) = [block for block in BLOCKS if old in block]
    if "transformers" in block:
        pytest.importorskip("transformers")
    names: dict = {"nn": nn, "torch": torch}
    exec(block.replace(old, new), names)
    (cls,) = [value for key, value in names.items() if key in ADAPTERS]
    findings = {f.check: f for f in conformance(Subject(cls, {}, 16, 8))}
    assert findings[check].status == "failed"


def test_a_layer_of_transformers_starts_otherwise_by_itself_than_in_its_model():
    """The page says by how much; the zoo's mixers start as their models do."""
    transformers = pytest.importorskip("transformers")
    layers = pytest.importorskip("transformers.models.diffllama.modeling_diffllama")
    torch.manual_seed(0)
    inside = ADAPTERS["DifferentialAttention"](64, 16).get_submodule("attention.q_proj")
    alone = layers.DiffLlamaAttention(transformers.DiffLlamaConfig(hidden_size=64, num_attention_heads=4), 0).q_proj
    deviations = [layer.get_parameter("weight").std().item() for layer in (alone, inside)]
    assert deviations == pytest.approx([0.072, 0.02], rel=0.03)
    assert "(deviation 0.072 at width 64), the same layer out of its model with\n  0.02" in TEXT


def test_a_layer_of_transformers_that_no_model_has_given_its_start_is_named():
    """In a model of one layer it has it; made by itself, or by a class of one's own, it starts otherwise."""
    transformers = pytest.importorskip("transformers")
    layers = pytest.importorskip("transformers.models.diffllama.modeling_diffllama")

    def alone(dim: int, length: int) -> nn.Module:
        config = transformers.DiffLlamaConfig(hidden_size=dim, num_attention_heads=4)
        return nn.Sequential(layers.DiffLlamaAttention(config, 0))

    class Derived(layers.DiffLlamaAttention):
        def __init__(self, dim: int, length: int) -> None:
            super().__init__(transformers.DiffLlamaConfig(hidden_size=dim, num_attention_heads=4), 0)

    def found(mixer):
        (finding,) = conformance(Subject(mixer, {}, 16, 8), ("borrowed layers",))
        return finding

    assert found(ADAPTERS["DifferentialAttention"]).status == "passed"
    assert found(alone).message.startswith("DiffLlamaAttention of transformers starts with the model")
    assert [found(mixer).status for mixer in (alone, Derived)] == ["note", "note"]


def test_the_fallback_is_automatic_and_visible(configure, tmp_path, monkeypatch):
    install(tmp_path, "wrapped", "[benchbed.mixers]\nrecurrence = wrapped:Recurrence\n", wrapped="\n".join(BLOCKS))
    monkeypatch.syspath_prepend(str(tmp_path))
    config: RunConfig = configure("recurrence", max_steps=20)
    request = EngineSettings("vmap", torch.device("cpu"))
    environment = execute(planned(config, tmp_path / "run"), request, lambda _: None).result.environment
    assert environment.engine == "loop"
    assert environment.engine_note is not None
    assert "vmap cannot train this mixer: RuntimeError: Batching rule not implemented" in environment.engine_note
