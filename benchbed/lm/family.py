"""Which models there are, and their checkpoints: on the Hugging Face hub, or in local folders.

A model is an id of the hub, whose revisions are called `step<N>` (Pythia's are), or a folder that holds folders of
that name. `-seed1..9` in a name stands for nine names; a folder that holds models stands for all of them. Models
whose names differ in their seed alone are a group.
"""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchbed.errors import LanguageModelError

__all__ = ["Checkpoint", "LanguageModel", "find_checkpoint", "find_models", "on_disk"]

_STEP = re.compile(r"(?:step|checkpoint)[-_]?(\d+)")
_SEED = re.compile(r"[-_]seed[-_]?(\d+)$")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_WEIGHTS = ("*.safetensors", "*.bin")
_READ = ("*.json", "*.txt", "*.model")
"""Besides weights: settings, and whatever a tokenizer is kept in."""


@dataclass(frozen=True)
class Checkpoint:
    """One model at one step."""

    model: str
    """An id of the hub, or a folder."""
    step: int
    revision: str
    """Its name on the hub or in the folder."""
    source: str
    """What it holds, known before it is fetched: the commit, or a hash of all its files."""
    local: bool

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"{self.model} at {self.revision}"

    @property
    def argument(self) -> str:
        """What `find_checkpoint` finds it by."""
        return f"{self.model}{'/' if self.local else '@'}{self.revision}"


@dataclass(frozen=True)
class LanguageModel:
    """One training run, and what was kept of it."""

    name: str
    """An id of the hub, or a folder."""
    checkpoints: tuple[Checkpoint, ...]
    """By step."""

    @property
    def group(self) -> str:
        """Its name without the seed."""
        return _SEED.sub("", Path(self.name).name if self.checkpoints[0].local else self.name)

    @property
    def seed(self) -> int:
        """Its seed; 0 where the name has none, as that of Pythia's first model."""
        found = _SEED.search(self.name)
        return int(found[1]) if found else 0


def find_models(names: Sequence[str]) -> list[LanguageModel]:
    """Every model of these names.

    Args:
        names: ids of the hub or folders; see the module.

    Raises:
        LanguageModelError: one does not exist, has no checkpoints, or cannot be reached.
    """
    found = [model for name in names for one in _spread(name) for model in _models(one)]
    twice = {model.name for model in found if sum(other.name == model.name for other in found) > 1}
    if twice:
        raise LanguageModelError(f"expected every model once, found {' and '.join(sorted(twice))} again")
    return found


def find_checkpoint(name: str) -> Checkpoint:
    """One checkpoint: `folder/step1000`, or `organisation/model@step1000` on the hub.

    Raises:
        LanguageModelError: there is none.
    """
    path = Path(name)
    if path.is_dir():
        return _local(path)
    model, _, revision = name.partition("@")
    if not revision or path.exists() or name.startswith((".", "/")):
        raise LanguageModelError(
            f"{name}: expected a folder that holds a checkpoint, or model@revision on the hub, found neither"
        )
    known = {checkpoint.revision: checkpoint for checkpoint in _hub(model).checkpoints}
    if revision not in known:
        raise LanguageModelError(f"{model}: expected one of its {len(known)} revisions step<N>, found {revision}")
    return known[revision]


@contextmanager
def on_disk(checkpoint: Checkpoint) -> Iterator[Path]:
    """The folder of a checkpoint; one that must be fetched is deleted afterwards.

    Raises:
        LanguageModelError: it cannot be fetched.
    """
    if checkpoint.local:
        yield Path(checkpoint.model) / checkpoint.revision
        return
    from huggingface_hub import snapshot_download

    folder = Path(tempfile.mkdtemp(prefix="benchbed-lm-"))
    try:
        with _reaching(checkpoint.label):
            for weights in _WEIGHTS:  # the second, older form only where the first is lacking
                patterns = [*_READ, weights]
                snapshot_download(
                    checkpoint.model, revision=checkpoint.source, local_dir=folder, allow_patterns=patterns
                )
                if any(folder.glob(weights)):
                    break
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _spread(name: str) -> list[str]:
    """`m-seed1..3` as three names."""
    found = _RANGE.search(name)
    if not found:
        return [name]
    numbers = range(int(found[1]), int(found[2]) + 1)
    if not numbers:
        raise LanguageModelError(f"{name}: expected a range that rises, found {found[0]}")
    return [f"{name[: found.start()]}{number}{name[found.end() :]}" for number in numbers]


def _models(name: str) -> list[LanguageModel]:
    path = Path(name)
    if not path.is_dir():
        if path.exists() or name.startswith((".", "/")) or name.count("/") != 1:
            raise LanguageModelError(f"{name}: expected a folder, or organisation/model on the hub, found neither")
        return [_hub(name)]
    folders = (
        [path] if _steps(path) else sorted(child for child in path.iterdir() if child.is_dir() and _steps(child))
    )
    if not folders:
        raise LanguageModelError(
            f"{name}: expected folders step<N> of checkpoints, or models that have them, found none"
        )
    return [LanguageModel(str(folder), tuple(map(_local, _steps(folder)))) for folder in folders]


def _steps(folder: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if _STEP.fullmatch(path.name) and (path / "config.json").is_file()]
    return sorted(found, key=lambda path: _step(path.name))


def _step(name: str) -> int:
    found = _STEP.fullmatch(name)
    if not found:
        raise LanguageModelError(f"{name}: expected a checkpoint called step<N>, found another name")
    return int(found[1])


def _local(folder: Path) -> Checkpoint:
    weights = sorted(path for pattern in _WEIGHTS for path in folder.glob(pattern))
    if not weights:
        raise LanguageModelError(f"{folder}: expected weights ({' or '.join(_WEIGHTS)}), found none")
    digest = hashlib.sha256()
    for path in sorted(one for one in folder.iterdir() if one.is_file()):  # a tokenizer is a part of what is asked
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return Checkpoint(str(folder.parent), _step(folder.name), folder.name, digest.hexdigest()[:16], local=True)


def _hub(name: str) -> LanguageModel:
    from huggingface_hub import list_repo_refs

    with _reaching(name):
        branches = list_repo_refs(name).branches
    found = [
        Checkpoint(name, _step(branch.name), branch.name, branch.target_commit, local=False)
        for branch in branches
        if _STEP.fullmatch(branch.name)
    ]
    if not found:
        raise LanguageModelError(f"{name}: expected revisions step<N>, found {len(branches)} of other names")
    return LanguageModel(name, tuple(sorted(found, key=lambda checkpoint: checkpoint.step)))


@contextmanager
def _reaching(what: str) -> Iterator[None]:
    """The hub's many errors as one line; nothing that was scored before is lost."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        yield
    except HfHubHTTPError as error:
        code = getattr(error.response, "status_code", None)
        what_is = (
            "found no such model, or one that asks for a login" if code in (401, 403, 404) else f"found HTTP {code}"
        )
        raise LanguageModelError(f"{what}: expected it on the hub, {what_is}; the same command goes on") from error
    except Exception as error:  # no network, a full disk, a broken transfer: each has a class
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise LanguageModelError(f"{what}: expected to fetch it, found {reason}; the same command goes on") from error
