"""Published entries: whatever is changed by hand is found, with file, field, expected and found."""

import copy
import os
import subprocess
import sys

import pytest
import yaml
from planned import git, renamed

from benchbed import __version__
from benchbed.boards.entries import entry as entries
from benchbed.boards.entries.audit import audit
from benchbed.boards.entries.entry import Entry, digest, load_entry, read_entry, save_entry
from benchbed.errors import EntryError
from benchbed.storage.files import dump_yaml

LEVEL = "tiny/linear_map@s1"
ELSEWHERE = {
    **dict.fromkeys(("python", "torch", "platform", "device", "engine", "precision"), "another"),
    **{"benchbed": __version__, "engine_note": None, "compiled": False, "workers": 1},
    **{"git_commit": "a", "git_dirty": True},
}
"""Where a process began a run that another finished: in a checkout with uncommitted changes."""


def entry_path(boards, name="softmax_attention"):
    return boards / LEVEL / f"{name}.yaml"


def leaves(data, place=()):
    """Every scalar of plain data, and every empty container, with its path."""
    if isinstance(data, dict) and data:
        return [leaf for key, value in data.items() for leaf in leaves(value, (*place, key))]
    if isinstance(data, list) and data:
        return [leaf for key, value in enumerate(data) for leaf in leaves(value, (*place, key))]
    return [(place, data)]


def other(value):
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 10
    if isinstance(value, float):
        return value * 1.01 + 0.001
    if isinstance(value, str):
        return f"{value}x"
    return "x" if value is None else [1]


def changed(data, place, value):
    data = copy.deepcopy(data)
    target = data
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    return data


def named(place):
    text = ""
    for key in place:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def problems_of(boards, chosen=None):
    return audit(boards, chosen)[1]


def test_what_was_published_passes(boards):
    count, problems = audit(boards)
    assert (count, problems) == (2, [])


@pytest.mark.slow
def test_a_change_of_any_field_is_found_and_named(boards):
    path = entry_path(boards)
    data = yaml.safe_load(path.read_text())
    kinds = {tuple(min(key, 1) if isinstance(key, int) else key for key in place) for place, _ in leaves(data)}
    every = [leaf for leaf in leaves(data) if leaf[0] in kinds]  # of a list the first two: rows are alike
    assert len(every) > 100
    assert {place[0] for place, _ in every} == set(Entry.model_fields)
    for place, value in every:
        path.write_text(dump_yaml(changed(data, place, other(value))))
        problems = problems_of(boards, path)
        mine = [problem for problem in problems if problem.field == named(place)]
        assert mine, f"{named(place)}: {problems}"
        text = str(mine[0])
        assert text.startswith(f"{LEVEL}/softmax_attention.yaml: {named(place)}: expected ")
        assert ", found " in text


def test_a_change_that_was_committed_is_found_without_history(boards):
    """On the main branch itself nothing is left to compare with: the entry must give itself away."""
    path = entry_path(boards)
    data = yaml.safe_load(path.read_text())
    git(boards.parent, "rm", "-rq", "--cached", ".")
    git(boards.parent, "commit", "-qm", "Nothing is published")
    assert problems_of(boards) == []
    sample = leaves(data)[::7]
    for place, value in sample:
        path.write_text(dump_yaml(changed(data, place, other(value))))
        assert problems_of(boards), named(place)


def at(dotted):
    return tuple(int(part) if part.isdigit() else part for part in dotted.split("."))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("result.members.2.steps", 40, "members[2].trained_steps: expected 50 for a seed that is solved"),
        ("result.members.2.steps", 15, "members[2].steps: expected a multiple of 10 up to 60, found 15"),
        ("result.members.2.seed", 9, "expected one row for each of the seeds"),
        ("result.members.0.known", 99, "result.members[0].known: expected a number up to 4, found 99"),
        ("result.members.0.known", None, "result.members[0].known: expected a number up to 4, found None"),
        ("result.members.0.final_loss", 0.5, "loss_curves[0] at its end: expected result.members[0].final_loss"),
        ("result.members.0.plateau_end", None, "loss_curves[0]: expected no loss below"),
        ("result.summary.mean_steps", 11.0, "result.summary.mean_steps: expected "),
        ("result.summary.median_interval", [1.0, 2.0], "result.summary.median_interval: expected "),
        ("result.learning_rate", 0.02, "result.learning_rate: expected 0.0"),
        ("result.tuning.0.seed", 7, "result.tuning: expected one row for each of 4 rates and seeds"),
        ("result.environment.git_dirty", True, "git_dirty: expected false: a run of committed code"),
        ("result.earlier_environments", [ELSEWHERE], "git_dirty: expected false: a run of committed code"),
        ("result.unranked", ["--seeds 2"], "result.unranked: expected [], found ['--seeds 2']"),
        ("entry", "softmax_attention-2", "entry: expected softmax_attention (the file's name)"),
        ("provenance.supersedes", "nobody", "supersedes: expected an entry beside softmax_attention.yaml"),
        ("provenance.date", "yesterday", "provenance.date: expected"),
        ("loss_curves.0", "1 2 nonsense", "loss_curves[0]: expected numbers"),
        ("schema_version", 2, "schema_version: expected at most 1, found 2; upgrade benchbed"),
        ("extra", 1, "extra: expected no such field, found 1"),
    ],
)
def test_a_forger_who_seals_the_entry_again_is_found_by_what_it_says(boards, place, value, message):
    """The digest keeps no one out who knows how to make it: what can be recomputed is recomputed."""
    path = entry_path(boards)
    data = changed(read_entry(path.read_text(), path.name), at(place), value)
    path.write_text(dump_yaml(data | {"digest": digest(data)}))
    assert message in "\n".join(map(str, problems_of(boards, path)))


@pytest.mark.parametrize("name", ["static_mixer-heads=8", "static_mixer-tf32", "static_mixer-heads=4-2"])
def test_an_entry_that_is_not_called_by_its_options_is_found(boards, name):
    """Else a mixer with an option could stand on a board as the mixer that its authors published."""
    renamed(entry_path(boards, "static_mixer"), name)
    (problem,) = [each for each in problems_of(boards) if each.field == "entry"]
    assert str(problem).endswith(f"expected static_mixer, by the options that are not the defaults, found {name}")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("config", "budget", "steps"), 120, "result.config.budget"),
        (("config", "track", "hash"), "0" * 64, "result.config.track.hash"),
        (("config", "mixer", "source_hash"), "0" * 64, "result.config.mixer.source_hash: expected"),
        (("config", "task", "source_hash"), "0" * 64, "result.config.task.source_hash: expected"),
        (("config", "task", "task_version"), 7, "result.config.task.task_version: expected 1, found 7"),
        (("config", "task", "options", "sparsity"), 2, "result.config.task.options.sparsity: expected 1, found 2"),
        (("config", "mixer", "name"), "gated_nothing", "result.config.mixer.name: expected a mixer of benchbed"),
        (("config", "checked"), False, "result.config.checked: expected True"),
        (("config", "device"), "cuda", ""),
    ],
)
def test_a_forger_who_also_mends_the_identity_is_found_by_the_track_and_the_sources(boards, place, value, message):
    path = entry_path(boards)
    entry = load_entry(path)
    config = changed(entry.result.model_dump(mode="json"), place, value)["config"]
    forged = entry.result.config.model_validate(config)
    result = entry.result.model_copy(update={"config": forged, "identity": forged.identity})
    save_entry(entry.model_copy(update={"result": result}).sealed(), path)
    found = "\n".join(map(str, problems_of(boards, path)))
    assert message in found
    assert "(as published)" in found


def test_no_plug_in_and_no_torch_is_imported(boards, planted_site):
    script = f"""
import sys
from pathlib import Path
from benchbed.boards.entries.audit import audit
assert audit(Path({str(boards)!r}))[0] == 2
print({{"torch", "planted", "planted_quits", "benchbed.mixers"}} & set(sys.modules))
"""
    environment = os.environ | {"PYTHONPATH": str(planted_site)}
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert process.stdout == "set()\n", process.stderr


def test_a_published_entry_must_not_vanish(boards):
    entry_path(boards).unlink()
    (problem,) = problems_of(boards)
    assert "expected the entry that was published; withdraw it instead of deleting it, found no file" in str(problem)


def test_the_same_run_stands_on_a_board_once(boards):
    path = entry_path(boards)
    copied = path.with_stem("softmax_attention-2")
    save_entry(load_entry(path).model_copy(update={"entry": copied.stem}).sealed(), copied)
    assert "expected a run that is not softmax_attention.yaml already" in str(problems_of(boards)[0]) or (
        "softmax_attention-2.yaml already" in str(problems_of(boards)[0])
    )


def test_a_path_without_entries_is_no_pass(boards, tmp_path):
    assert audit(boards, boards / "tiny")[0] == 2
    for path in (tmp_path / "elsewhere", boards / "tiny" / "track.yaml"):
        with pytest.raises(EntryError, match=r"expected an entry of .* or a folder with some, found none"):
            audit(boards, path)


def test_an_entry_in_the_wrong_place(boards):
    path = entry_path(boards)
    target = boards / "tiny" / "linear_map@s2" / path.name
    target.parent.mkdir()
    path.rename(target)
    assert "expected a place in tiny/linear_map@s1, found tiny/linear_map@s2" in "\n".join(
        map(str, problems_of(boards))
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "entry: softmax_attention",
            "entry: softmax_attention\nentry: softmax_attention",
            "key 'entry' stands twice",
        ),
        ("compiled: false", "compiled: no", ""),
        ("learning_rate: 0.0", "learning_rate: .inf #", "expected a finite number, found .inf"),
        ("chance_loss: 0.69", "chance_loss: 1e-3 #", "a valid number"),
        ("result:", "result: [", "a readable entry"),
    ],
)
def test_yaml_that_reads_differently_from_what_it_looks_like(boards, old, new, message):
    path = entry_path(boards)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    problems = "\n".join(map(str, problems_of(boards, path)))
    if message:
        assert message in problems
    else:  # `no` is False to YAML 1.1, and so nothing was changed
        assert problems == ""


def test_the_base_is_a_revision_or_the_merge_base(boards):
    path, repository = entry_path(boards), boards.parent
    git(repository, "checkout", "-qb", "feature")
    entry = load_entry(path)
    save_entry(
        entry.model_copy(update={"provenance": entry.provenance.model_copy(update={"submitter": "I"})}).sealed(), path
    )
    git(repository, "commit", "-qam", "Tampered")
    assert [p.field for p in problems_of(boards)] == ["provenance.submitter"], (
        "compared with main, where it was published"
    )
    assert audit(boards, base="HEAD")[1] == []
    with pytest.raises(EntryError, match="expected a git revision that shares history with HEAD, found 'nowhere'"):
        audit(boards, base="nowhere")


def test_an_older_schema_is_migrated_with_a_message_and_a_newer_one_refused(boards, monkeypatch, caplog):
    monkeypatch.setattr(entries, "SCHEMA_VERSION", 3)
    monkeypatch.setattr(
        entries, "MIGRATIONS", {1: lambda d: {**d, "added": 1}, 2: lambda d: {**d, "added": d["added"] + 1}}
    )
    data = read_entry(entry_path(boards).read_text(), "old.yaml")
    assert (data["schema_version"], data["added"]) == (3, 2)
    assert caplog.messages == ["old.yaml: schema version 1, read as version 3"]
    monkeypatch.undo()
    with pytest.raises(EntryError, match="expected at most 1, found 9; upgrade benchbed"):
        read_entry("schema_version: 9\n", "new.yaml")
    with pytest.raises(EntryError, match="expected a number, found none"):
        read_entry("[1, 2]", "list.yaml")
