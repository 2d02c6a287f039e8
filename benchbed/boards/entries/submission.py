"""From a finished run to an entry file: what may be published, and under which name."""

from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from benchbed.boards.entries.entry import (
    Entry,
    Provenance,
    entry_folder,
    entry_name,
    load_entry,
    loss_curves,
    save_entry,
)
from benchbed.boards.folders import entry_files, is_archive
from benchbed.checks.mixer import Subject, conformance
from benchbed.errors import EntryError
from benchbed.plugins.registry import Plugin, find
from benchbed.results.history import load_history
from benchbed.results.result import Result, load_result
from benchbed.storage.git import git

__all__ = ["command_of", "submit"]


def submit(
    run: Path,
    boards: Path,
    *,
    submitter: str | None = None,
    source_url: str | None = None,
    licence: str | None = None,
    supersedes: str | None = None,
) -> Path:
    """Write the entry file of a finished run.

    Args:
        run: its folder, or its `result.yaml`.
        boards: the folder that holds the tracks.
        submitter: who publishes it; by default git's `user.name`.
        source_url: where the mixer's source lies; by default as its distribution says.
        licence: of the mixer; likewise.
        supersedes: the entry that it replaces.

    Returns:
        The entry file.

    Raises:
        EntryError: it may not be published; the message says why.
        BenchbedError: the run or its mixer cannot be read.
    """
    result = load_result(run)
    plugin = find("mixer", result.config.mixer.name)
    stated = _stated(plugin)
    source_url, licence = source_url or stated[0], licence or stated[1]
    submitter = submitter or (git(Path(), "config", "user.name") or "").strip()
    folder = entry_folder(boards, result)
    _refuse(result, plugin, source_url, submitter, archived=is_archive(folder))
    name = _name(result, plugin, folder, supersedes)
    _conform(result, plugin)
    entry = Entry(
        schema_version=1,
        entry=name,
        result=result,
        loss_curves=loss_curves(load_history(run)),
        provenance=Provenance(
            submitter=submitter,
            date=datetime.now(UTC).date().isoformat(),
            command=command_of(result),
            source_url=source_url,
            licence=licence,
            supersedes=supersedes,
        ),
        verifications=[],
        withdrawn=None,
        digest="",
    ).sealed()
    path = folder / f"{name}.yaml"
    save_entry(entry, path)
    return path


def command_of(result: Result) -> str:
    """What trains a run again."""
    config = result.config
    options = [f"--mixer-option {key}={value}" for key, value in config.mixer.options.items()]
    parts = [
        f"benchbed run --track {config.track.name} --task {config.level} --mixer {config.mixer.name}",
        *options,
        f"--device {config.device}",
        "--compile" if result.environment.compiled else "--no-compile",
        *(["--tf32"] if config.tf32 else []),
    ]
    return " ".join(parts)


def _refuse(result: Result, plugin: Plugin, source_url: str | None, submitter: str, *, archived: bool) -> None:
    config = result.config
    reasons = {
        f"track {config.track.name} has a newer version than {config.track.version} by now; run it again": archived,
        f"the run is unranked: {'; '.join(result.unranked)}": bool(result.unranked),
        "it was computed from a checkout with uncommitted changes; commit them and run it again with --retrain": any(
            environment.git_dirty for environment in result.environments
        ),
        f"the source of {plugin.owner} has changed since; run it again": plugin.source_hash
        != config.mixer.source_hash,
        f"{plugin.owner} is version {plugin.version} now and was {config.mixer.version}; run it again": plugin.version
        != config.mixer.version,
        f"nobody could read the source of {plugin.owner}; state [project.urls] Source in its package, or give "
        "--source-url": not plugin.built_in and not source_url,
        "nobody is named as its submitter; give --submitter, or set git's user.name": not submitter,
    }
    for reason, holds in reasons.items():
        if holds:
            raise EntryError(f"{config.mixer.name} on {config.level} cannot be published: {reason}")


def _name(result: Result, plugin: Plugin, folder: Path, supersedes: str | None) -> str:
    """See `entry_name`; and a number if it is not the first."""
    published = {path.stem: path for path in entry_files(folder)}
    for path in published.values():
        if load_entry(path).result.identity == result.identity:
            raise EntryError(f"this run is published already, as {path}")
    name = entry_name(result.config, plugin.resolve({}))
    if supersedes is not None and supersedes not in published:
        raise EntryError(
            f"--supersedes {supersedes}: expected an entry of {folder}, known: {', '.join(published) or 'none'}"
        )
    if name in published and supersedes is None:
        raise EntryError(f"{published[name]} is published already; give --supersedes {name} to replace it")
    number = 2
    unique = name
    while unique in published:
        unique, number = f"{name}-{number}", number + 1
    return unique


def _conform(result: Result, plugin: Plugin) -> None:
    config = result.config
    subject = Subject(plugin.load(), config.mixer.options, config.backbone.dim, result.costs.sequence_length)
    for finding in conformance(subject):
        if finding.status == "failed":
            raise EntryError(f"{plugin.owner} fails the check '{finding.check}': {finding.message}")


def _stated(plugin: Plugin) -> tuple[str | None, str | None]:
    """The source and the licence that a distribution states; benchbed's own need none."""
    if plugin.built_in:
        return None, None
    try:
        known = metadata(plugin.distribution)
    except PackageNotFoundError:
        return None, None
    urls = dict(line.split(", ", 1) for line in known.get_all("Project-URL") or [] if ", " in line)
    named = {label.lower(): url for label, url in urls.items()}
    url = next(
        (named[label] for label in ("source", "source code", "repository", "homepage") if label in named), None
    )
    licences = [known[field] for field in ("License-Expression", "License") if field in known]
    return url, next(iter(licences), None)
