"""Planted cheats, as a hostile author would write them, are caught; honest mixers raise no alarm."""

import json
import sys
from typing import Any

import pytest
import torch
from planted_mixers import (
    CHEATS,
    HONEST,
    AutogradOff,
    Base,
    LargeBatches,
    LastPositions,
    OnlyInFloat32,
    SomeLengths,
    TrainMode,
)

from benchbed.checks.findings import run_checks
from benchbed.checks.mixer import CHECKS, Subject, conformance, conformance_tests
from benchbed.cli.app import main
from benchbed.plugins.registry import find

DIM, LENGTH = 16, 8

MultiHeadAttention: Any = find("mixer", "multi_head_attention").load()


def failures(mixer, **options):
    found = conformance(Subject(mixer, options, DIM, LENGTH))
    return {f.check: f.message for f in found if f.status == "failed"}


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.__name__)
def test_a_planted_fault_is_caught_by_the_check_that_is_for_it(cheat):
    assert CHEATS[cheat] in failures(cheat)


@pytest.mark.parametrize(
    ("cheat", "message"),
    [
        (LastPositions, "output 6 depends on the later input 7; seen with length 8, batch of 2, eval() mode"),
        (TrainMode, "train() mode"),
        (AutogradOff, "autograd off"),
        (LargeBatches, "batch of 5"),
        (OnlyInFloat32, "float32"),
        (SomeLengths, "length 3"),
    ],
)
def test_a_leak_is_told_with_its_positions_and_its_situation(cheat, message):
    assert message in failures(cheat)["no future"]


@pytest.mark.parametrize("mixer", HONEST)
def test_an_honest_mixer_raises_no_alarm(mixer):
    assert failures(mixer) == {}


def test_checks_run_on_one_thread_and_leave_torch_as_it_was():
    """Two threads on a core that trains elsewhere wait for each other in every one of thousands of small products."""
    before, seen = torch.get_num_threads(), []

    def looks(subject):
        seen.append(torch.get_num_threads())
        raise ValueError(subject)

    torch.set_num_threads(2)
    try:
        (finding,) = run_checks({"looks": looks}, "no subject")
        assert (finding.status, seen, torch.get_num_threads()) == ("failed", [1], 2)
    finally:
        torch.set_num_threads(before)


def test_there_are_enough_of_both():
    assert len(CHEATS) >= 20
    assert len(HONEST) >= 12


test_in_one_line = conformance_tests(Base)


def test_what_vmap_cannot_train_is_noted_and_no_fault():
    class LooksAtData(Base):
        def forward(self, x):
            return super().forward(x) if x.sum().item() < 1e30 else x

    notes = {f.check: f.message for f in conformance(Subject(LooksAtData, {}, DIM, LENGTH)) if f.status == "note"}
    assert notes["vmap"].startswith("members train one at a time, because vmap cannot")


@pytest.mark.parametrize(("mixer", "code"), [("softmax_attention", 0), ("planted:Leaky", 1), ("nobody", 2)])
def test_the_command_and_its_exit_codes(planted, monkeypatch, capsys, mixer, code):
    monkeypatch.setattr(sys, "argv", ["benchbed", "check", mixer, "--json"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == code
    if code != 2:
        findings = {f["check"]: f for f in json.loads(capsys.readouterr().out)}
        assert list(findings) == list(CHECKS)
        assert findings["no future"]["status"] == ("failed" if code else "passed")
