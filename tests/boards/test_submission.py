"""From a finished run to an entry, and what may not become one."""

import functools
import json
import os
from pathlib import Path
from typing import Any

import pytest
from planned import changed
from strangers import install

from benchbed.boards.entries.audit import audit
from benchbed.boards.entries.entry import current_entries, entry_folder, load_entry, save_entry
from benchbed.boards.entries.submission import command_of, submit
from benchbed.boards.folders import entry_files, find_boards
from benchbed.boards.reading import read_standings
from benchbed.config.request import RunRequest
from benchbed.config.tracks import load_track
from benchbed.errors import EntryError
from benchbed.plugins import registry
from benchbed.plugins.registry import Kind, find
from benchbed.results.result import load_result, save_result

ROOT = Path(__file__).resolve().parents[2]
LEVEL = "tiny/linear_map@s1"


def test_a_submitted_run_passes_the_check_and_joins_the_board(cli, run, boards):
    code, out, _ = cli("leaderboard", "submit", run, "--submitter", "Somebody")
    assert code == 0
    assert out.startswith(f"leaderboards/{LEVEL}/mlp_mixer.yaml written")
    assert "benchbed leaderboard render" in out
    assert cli("leaderboard", "check")[:2] == (0, "3 entries checked, 0 problems\n")
    rows = json.loads(cli("leaderboard", "--json")[1])[0]["rows"]
    assert {row["entry"] for row in rows} == {"mlp_mixer", "softmax_attention", "static_mixer"}
    assert cli("leaderboard", "submit", run, "--submitter", "Somebody")[0] == 2, "published already"
    entry = load_entry(boards / LEVEL / "mlp_mixer.yaml")
    assert entry.provenance.command == command_of(load_result(run))
    assert entry.provenance.command == (
        "benchbed run --track tiny --task linear_map@s1 --mixer mlp_mixer --mixer-option expansion=4 --device cpu "
        "--no-compile"
    )
    assert entry.standing == "self"


def test_a_second_run_of_a_mixer_must_say_what_it_replaces(run, boards):
    submit(run, boards, submitter="Somebody")
    result = load_result(run)
    config = result.config.model_copy(update={"device": "cuda"})
    save_result(result.model_copy(update={"config": config, "identity": config.identity}), run)
    with pytest.raises(EntryError, match="give --supersedes mlp_mixer to replace it"):
        submit(run, boards, submitter="Somebody")
    with pytest.raises(EntryError, match="--supersedes nobody: expected an entry of"):
        submit(run, boards, submitter="Somebody", supersedes="nobody")
    assert submit(run, boards, submitter="Somebody", supersedes="mlp_mixer").stem == "mlp_mixer-2"
    rows = read_standings(boards / LEVEL)["rows"]
    assert {row["entry"] for row in rows} == {"mlp_mixer-2", "softmax_attention", "static_mixer"}
    assert audit(boards)[1] == []


def test_what_may_not_be_published(run, boards, monkeypatch):
    changed(run, git_dirty=True)
    with pytest.raises(EntryError, match="from a checkout with uncommitted changes"):
        submit(run, boards, submitter="Somebody")
    changed(run, git_dirty=False)
    finished = load_result(run)
    began = finished.environment.model_copy(update={"git_dirty": True})
    save_result(finished.model_copy(update={"earlier_environments": [began]}), run)
    with pytest.raises(EntryError, match="from a checkout with uncommitted changes"):
        submit(run, boards, submitter="Somebody")
    save_result(finished, run)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    monkeypatch.chdir(run)
    with pytest.raises(EntryError, match="nobody is named as its submitter"):
        submit(run, boards)
    result = load_result(run)
    save_result(result.model_copy(update={"unranked": ["check 'no future' failed: output 0"]}), run)
    with pytest.raises(EntryError, match="the run is unranked: check 'no future' failed"):
        submit(run, boards, submitter="Somebody")
    config = result.config.model_copy(update={"mixer": result.config.mixer.model_copy(update={"source_hash": "0"})})
    save_result(result.model_copy(update={"config": config, "identity": config.identity}), run)
    with pytest.raises(EntryError, match="the source of mixer 'mlp_mixer' has changed since; run it again"):
        submit(run, boards, submitter="Somebody")
    assert len(list((boards / LEVEL).glob("*.yaml"))) == 2


def test_a_plug_in_needs_a_source_that_can_be_read_and_must_pass_every_check(run, boards, tmp_path, monkeypatch):
    """Its state is found by no leak check, and by the conformance suite at the gate."""
    source = """
        import torch
        from torch import nn
        class Remembering(nn.Module):
            '''Keeps a count.'''
            def __init__(self, dim: int, length: int):
                super().__init__()
                self.project = nn.Linear(dim, dim)
                self.register_buffer("calls", torch.zeros(()))
            def forward(self, x):
                self.calls += 1
                return self.project(x.cumsum(1))
    """
    install(tmp_path, "outside", "[benchbed.mixers]\nremembering = outside:Remembering\n", outside=source)
    monkeypatch.syspath_prepend(str(tmp_path))

    result, plugin = load_result(run), find("mixer", "remembering")
    mixer = result.config.mixer.model_copy(
        update={
            "name": plugin.label,
            "distribution": "outside",
            "version": "1.0",
            "options": {},
            "source_hash": plugin.source_hash,
        }
    )
    config = result.config.model_copy(update={"mixer": mixer})
    save_result(result.model_copy(update={"config": config, "identity": config.identity}), run)
    with pytest.raises(
        EntryError, match=r"nobody could read the source of mixer 'outside:remembering'.*--source-url"
    ):
        submit(run, boards, submitter="Somebody")
    with pytest.raises(EntryError, match="fails the check 'no state': forward changes calls"):
        submit(run, boards, submitter="Somebody", source_url="https://example.org/outside")


def test_what_was_superseded_may_be_of_older_source(superseded):
    old = superseded / LEVEL / "static_mixer.yaml"
    entry = load_entry(old)
    mixer = entry.result.config.mixer.model_copy(update={"source_hash": "0" * 64})
    config = entry.result.config.model_copy(update={"mixer": mixer})
    result = entry.result.model_copy(update={"config": config, "identity": config.identity})
    save_entry(entry.model_copy(update={"result": result}).sealed(), old)
    problems = [p for p in audit(superseded)[1] if "published" not in str(p.expected)]
    assert [p for p in problems if p.field.endswith("source_hash")] == []
    new = superseded / LEVEL / "static_mixer-2.yaml"
    save_entry(load_entry(new).model_copy(update={"result": result}).sealed(), new)
    assert [p.file for p in audit(superseded)[1] if "the source at hand" in str(p.expected)] == [
        f"{LEVEL}/static_mixer-2.yaml"
    ]


def test_withdrawing_keeps_the_file_and_takes_the_row(cli, boards):
    assert cli("leaderboard", "withdraw", "softmax_attention", "--reason", "wrong seed", "--track", "tiny")[0] == 0
    assert load_entry(boards / LEVEL / "softmax_attention.yaml").standing == "withdrawn"
    assert audit(boards)[1] == []
    assert [row["entry"] for row in read_standings(boards / LEVEL)["rows"]] == ["static_mixer"]


def test_a_newer_version_of_a_track_begins_empty_and_the_boards_of_the_older_one_are_read(published_boards, boards):
    run = published_boards / "runs" / "mlp_mixer"
    old, new = boards / "tiny-1", boards / "tiny"
    new.rename(old)
    new.mkdir()
    (new / "track.yaml").write_text((old / "track.yaml").read_text().replace("version: 1\ndesc", "version: 2\ndesc"))
    assert load_track(str(new / "track.yaml")).version == 2
    assert audit(boards) == (2, []), "moved as they were published"
    assert [row["entry"] for row in read_standings(old / "linear_map@s1")["rows"]] == [
        "softmax_attention",
        "static_mixer",
    ]
    with pytest.raises(EntryError, match="track tiny has a newer version than 1 by now; run it again"):
        submit(run, boards, submitter="Somebody")
    (old / "linear_map@s1" / "static_mixer.yaml").unlink()
    assert [(p.file, p.found) for p in audit(boards)[1]] == [("tiny-1/linear_map@s1/static_mixer.yaml", "no file")]


def test_asking_for_what_an_entry_was_gives_its_identity(monkeypatch):
    """What makes a run another run must not move with the code around it; sources may, and an archived track.

    Options that came later have their defaults, and an older entry does not name them.
    """
    monkeypatch.setattr(registry, "plugins", functools.cache(registry.plugins))  # they stay the same for all
    folders = find_boards(ROOT / "leaderboards", None, None)
    entries = [e for f in folders for e in current_entries([load_entry(path) for path in entry_files(f)])]
    assert len(entries) > 60
    for entry in entries:
        config = entry.result.config
        home = entry_folder(ROOT / "leaderboards", entry.result).parent
        archived = home.name != config.track.name
        track = load_track(str(home / "track.yaml")) if archived else config.track.name
        asked = RunRequest(
            config.mixer.name, config.level, track, mixer_options=config.mixer.options, tf32=config.tf32
        )
        found = asked.resolve(config.device)
        assert found.unranked == ["the track is a file, not one of lite, standard"] * archived
        same: dict[Kind, Any] = {"mixer": found.mixer, "task": found.task}
        for kind, reference in same.items():
            published = getattr(config, kind)
            known = {key: reference.options[key] for key in published.options}
            same[kind] = reference.model_copy(update={"source_hash": published.source_hash, "options": known})
            later = {k: v for k, v in reference.options.items() if k not in known}
            assert later == {k: v for k, v in find(kind, reference.name).resolve({}).items() if k not in known}
        assert found.model_copy(update=same | {"unranked": []}).identity == entry.result.identity, entry.entry
