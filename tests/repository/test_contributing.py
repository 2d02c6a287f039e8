"""The example mixer of CONTRIBUTING.md, taken from the document and run."""

import re
from pathlib import Path

import torch
from strangers import install

from benchbed.checks.mixer import Subject, conformance
from benchbed.checks.pretended import why_not_pretended
from benchbed.plugins.registry import find
from benchbed.training.engine import EngineSettings
from benchbed.training.ensemble import Ensemble
from benchbed.training.recipe import make_recipe
from benchbed.training.trajectory import Member

TEXT = (Path(__file__).resolve().parents[2] / "CONTRIBUTING.md").read_text()


def test_the_example_is_a_mixer_that_installs_and_trains(configure, tmp_path, monkeypatch):
    source, *_ = re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
    entry_points = "[benchbed.mixers]\nmoving_average = my_mixers:MovingAverage\n"
    install(tmp_path, "my_package", entry_points, my_mixers=source)
    monkeypatch.syspath_prepend(str(tmp_path))
    plugin = find("mixer", "moving_average")
    assert plugin.description == "Exponential moving average of the tokens so far (Doe, 2026)."
    recipe, task = make_recipe(configure("moving_average", mixer_options={"decay": "0.9"}, max_steps=20))
    assert recipe.mixer_options == {"decay": 0.9}
    subject = Subject(recipe.mixer, recipe.mixer_options, 16, task.length)
    assert [f for f in conformance(subject) if f.status != "passed" and f.message != why_not_pretended()] == []
    settings = EngineSettings("vmap", torch.device("cpu"))
    trajectories = Ensemble(recipe, [Member(0, 0.01), Member(1, 0.01)], settings).train(lambda _: None)
    assert all(t.step == 20 for t in trajectories)
