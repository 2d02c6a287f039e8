"""Training a published entry again."""

import json

import pytest
import torch
import yaml
from planned import changed

from benchbed.boards.entries import verification
from benchbed.boards.entries.audit import audit
from benchbed.boards.entries.entry import load_entry, save_entry
from benchbed.boards.entries.submission import submit
from benchbed.errors import OptionError
from benchbed.results.scoring import summarise
from benchbed.runs.again import plan_again
from benchbed.training.devices import device_name

LEVEL = "tiny/linear_map@s1"
CPU = torch.device("cpu")


def test_training_again_gives_the_same_steps_and_the_mark_survives_the_check(cli, boards):
    code, out, err = cli("leaderboard", "verify", "static_mixer", "--mark", "--by", "Tester", "--device", "cpu")
    assert code == 0
    lines = out.splitlines()
    published, again = (line.partition(":")[2].partition("(")[0].split() for line in lines[-3:-1])
    assert published == again
    assert lines[-1] == "identical"
    assert "is now marked: rerun" in err
    entry = load_entry(boards / LEVEL / "static_mixer.yaml")
    assert (entry.standing, entry.verifications[0].by, len(entry.verifications[0].seeds)) == ("rerun", "Tester", 8)
    assert audit(boards)[1] == [], "a verification may be added to what was published"
    path = boards / LEVEL / "static_mixer.yaml"
    path.write_text(path.read_text().replace("by: Tester", "by: Sombody"))
    assert audit(boards)[1], "but not by hand"


def test_what_was_trained_elsewhere_says_where(cli, boards):
    """Other numbers than published, seed by seed, have another reason there than a cheat."""
    path = boards / LEVEL / "static_mixer.yaml"
    entry = load_entry(path)
    there = entry.result.environment.model_copy(update={"torch": "2.11.0", "device": "NVIDIA H100"})
    save_entry(
        entry.model_copy(update={"result": entry.result.model_copy(update={"environment": there})}).sealed(), path
    )
    _, out, _ = cli("leaderboard", "verify", "static_mixer", "--device", "cpu")
    told = f"published with torch 2.11.0 on NVIDIA H100; again with torch {torch.__version__} on {device_name(CPU)}"
    assert told in out.splitlines()


def test_planted_steps_are_inconsistent(cli, boards):
    """A rival made slow in every seed, the rows and the digest made to fit: only training again tells."""
    path = boards / LEVEL / "softmax_attention.yaml"
    data = yaml.safe_load(path.read_text())
    for row in data["result"]["members"]:
        row |= {"status": "solved", "steps": 50, "trained_steps": 60}
    from benchbed.boards.entries.entry import Entry
    from benchbed.results.result import Result

    members = Result.model_validate(data["result"] | {"summary": data["result"]["summary"]}).members
    data["result"]["summary"] = summarise(members, 60).model_dump(mode="json")
    save_entry(Entry.model_validate(data).sealed(), path)
    code, out, _ = cli("leaderboard", "verify", "softmax_attention", "--json", "--device", "cpu")
    outcome = json.loads(out)
    assert (code, outcome["verdict"]) == (1, "inconsistent")
    assert outcome["p"] < 0.01
    _, out, _ = cli("leaderboard", "verify", "softmax_attention", "--seeds", 7, "--device", "cpu")
    assert out.splitlines()[-1] == "7 seeds can never contradict: their smallest p is 0.0156"


def retrained(entry, seeds, steps):
    """What training an entry's mixer on other seeds might have come to."""
    config = entry.result.config.model_copy(update={"scoring_seeds": seeds})
    row = entry.result.members[0]
    rows = [
        row.model_copy(update={"seed": seed, "status": "solved", "steps": n})
        for seed, n in zip(seeds, steps, strict=True)
    ]
    changes = {"config": config, "identity": config.identity, "members": rows}
    return entry.result.model_copy(update={**changes, "summary": summarise(rows, config.budget.steps)})


def test_fresh_seeds_are_judged_as_an_independent_sample(boards):
    entry = load_entry(boards / LEVEL / "static_mixer.yaml")
    seeds = verification.choose_seeds(entry, 4, fresh=True)
    assert seeds == [1_000_000, 1_000_001, 1_000_002, 1_000_003]
    assert not set(seeds) & {*entry.result.config.scoring_seeds, *entry.result.config.tuning_seeds}
    alike = verification.judge(entry, retrained(entry, seeds, entry.steps[:4]), "x")
    assert (alike.verdict, alike.seeds) == ("consistent", seeds)
    far = verification.judge(entry, retrained(entry, [1_000_000 + i for i in range(8)], [1] * 8), "x")
    assert (far.verdict, far.p is not None and far.p < 0.001) == ("inconsistent", True)
    with pytest.raises(OptionError, match="--seeds: expected 1 to 8, found 9"):
        verification.choose_seeds(entry, 9, fresh=False)
    with pytest.raises(OptionError, match="expected 1 to 32 fresh seeds, found 33"):
        verification.choose_seeds(entry, 33, fresh=True)


@pytest.mark.parametrize(("p", "verdict"), [(0.04, "consistent"), (0.01, "consistent"), (0.0099, "inconsistent")])
def test_an_entry_is_not_disputed_as_readily_as_a_pair_is_told_apart(boards, monkeypatch, p, verdict):
    entry = load_entry(boards / LEVEL / "static_mixer.yaml")
    monkeypatch.setattr(verification, "permutation_p", lambda *_: p)
    assert verification.judge(entry, retrained(entry, [1_000_000], [10]), "x").verdict == verdict


@pytest.mark.parametrize("compiled", [False, True])
def test_an_entry_is_trained_again_as_it_was_trained(run, boards, tmp_path, compiled):
    changed(run, compiled=compiled)
    entry = load_entry(submit(run, boards, submitter="Somebody"))
    assert entry.provenance.command.endswith("--device cpu --compile" if compiled else "--no-compile")
    _, settings = plan_again(entry.result, [0], CPU, tmp_path)
    assert settings.compiled is compiled


def test_a_mark_tells_of_the_training_and_not_of_the_moment_of_marking(cli, boards):
    """A finished one is read: its date, machine and torch are those of when it was trained."""
    code, _, _ = cli("leaderboard", "verify", "static_mixer", "--seeds", 2, "--device", "cpu")
    (found,) = (boards.parent / "reruns").rglob("result.yaml")
    text = found.read_text()
    when = yaml.safe_load(text)["finished"]
    text = text.replace(when, "2020-02-29T00:00:00+00:00").replace(torch.__version__, "2.9.9")
    found.write_text(text)
    code, out, _ = cli("leaderboard", "verify", "static_mixer", "--seeds", 2, "--device", "cpu", "--mark")
    (verification,) = load_entry(boards / LEVEL / "static_mixer.yaml").verifications
    assert (code, verification.date, verification.torch) == (0, "2020-02-29", "2.9.9")
    assert "finished before, on 2020-02-29T00:00:00+00:00; --retrain trains it again" in out.splitlines()
