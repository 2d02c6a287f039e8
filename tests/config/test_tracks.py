import pytest
import yaml
from strangers import TINY_TRACK

from benchbed.checks.task import TaskSubject, task_conformance
from benchbed.config.tracks import load_track, track_names
from benchbed.errors import TrackError, UnknownNameError
from benchbed.plugins.registry import find
from benchbed.storage.schema import fingerprint


def test_published_tracks_are_valid_and_their_levels_resolve():
    assert track_names() == ["lite", "standard"]
    for name in track_names():
        track = load_track(name)
        assert track.name == name
        for task, levels in track.tasks.items():
            for level in levels.levels.values():
                resolved = find("task", task).resolve(level.options)
                assert resolved == level.options, "a level states every option, so that a new default changes nothing"


def test_standard_has_the_papers_scale():
    track = load_track("standard")
    assert (track.backbone.dim, track.backbone.mlp_dim, track.backbone.layers) == (128, 512, 1)
    assert (track.budget.steps, track.budget.tokens_per_step, track.seeds.scoring) == (10_000, 8192, 16)
    assert [v.options["sparsity"] for v in track.tasks["linear_map"].levels.values()] == [3, 5, 7]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nmae": "x"}, "unknown option 'nmae'; did you mean 'name'"),
        ({"version": "1"}, "option 'version': expected a valid integer, found '1'"),
        ({"schema_version": 99}, "option 'schema_version': expected less than or equal to 1"),
        ({"budget": {"steps": 65, "tokens_per_step": 1, "evaluate_every": 10, "held_out": 1}}, "multiple of"),
        ({"seeds": {"scoring": 3, "tuning": [2]}}, "expected tuning seeds >= scoring=3"),
        ({"tasks": {"linear_map": {"default": "x", "levels": {"s": {"options": {}}}}}}, "expected default to be one"),
    ],
)
def test_a_malformed_track_is_one_line(tmp_path, change, message):
    path = tmp_path / "track.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(TINY_TRACK) | change))
    with pytest.raises(TrackError, match=message) as caught:
        load_track(str(path))
    assert "\n" not in str(caught.value)


def test_a_level_more_is_the_same_track_and_another_budget_is_not(tiny, tmp_path):
    def changed(**changes):
        path = tmp_path / "changed.yaml"
        path.write_text(yaml.safe_dump(yaml.safe_load(TINY_TRACK) | changes))
        return load_track(str(path)).hash

    levels = {"s1": {"options": {"state_size": 4, "sparsity": 1}}}
    assert changed(tasks={"linear_map": {"default": "s1", "levels": levels}}, description="Better") == tiny.hash
    assert changed(baseline="mlp_mixer") == tiny.hash
    for change in ({"version": 2}, {"name": "other"}, {"seeds": {"scoring": 4, "tuning": [100, 101]}}):
        assert changed(**change) != tiny.hash


def test_unknown_track_level_and_missing_file(tiny):
    with pytest.raises(UnknownNameError, match="unknown track 'lit'; did you mean 'lite'"):
        load_track("lit")
    with pytest.raises(UnknownNameError, match="unknown level 's3' of 'linear_map' in track 'tiny'"):
        tiny.level("linear_map", "s3")
    with pytest.raises(TrackError, match="cannot read the track"):
        load_track("nowhere.yaml")


def test_fingerprint_does_not_depend_on_the_order_of_keys():
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})
    assert fingerprint({"a": 1, "b": [1, 2]}) != fingerprint({"a": 1, "b": [2, 1]})


LEVELS = [(task, level) for task, known in load_track("lite").tasks.items() for level in known.levels]


@pytest.mark.parametrize(("task", "level"), LEVELS)
def test_every_level_of_lite_is_what_it_says(task, level):
    """Parents, chance and criterion, measured by counting."""
    options = load_track("lite").tasks[task].levels[level].options
    subject = TaskSubject(find("task", task).load(), options)
    failed = [f for f in task_conformance(subject) if f.status not in ("passed", "note")]
    assert failed == []


def test_every_task_of_a_track_has_a_family():
    for name in track_names():
        assert all(known.family for known in load_track(name).tasks.values())
