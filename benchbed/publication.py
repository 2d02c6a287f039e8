"""What was published before: the entry files of the git revision that this branch started from."""

import subprocess
from pathlib import Path

from benchbed.errors import EntryError

__all__ = ["published_files"]

_MAIN = ("origin/HEAD", "origin/main", "origin/master", "main", "master")


def published_files(boards: Path, base: str | None) -> dict[Path, str]:
    """The entry files, by path, as they stand in the published revision; none where there is no git.

    Args:
        boards: the folder that holds the tracks.
        base: a git revision; by default the merge base with the main branch, and on it, the last commit.

    Raises:
        EntryError: there is no such revision.
    """
    if _git(boards, "rev-parse", "--git-dir") is None:
        if base is not None:
            raise EntryError(f"--base {base}: expected a git repository around {boards}, found none")
        return {}
    revision = _merge_base(boards, base)
    listed = _git(boards, "ls-tree", "-r", "--name-only", revision, "--", ".") if revision else None
    names = [name for name in (listed or "").splitlines() if name.endswith(".yaml") and name.count("/") == 2]
    contents = {name: _git(boards, "show", f"{revision}:./{name}") for name in names}
    return {boards / name: text for name, text in contents.items() if text is not None}


def _merge_base(boards: Path, base: str | None) -> str | None:
    for candidate in (base,) if base else _MAIN:
        revision = _git(boards, "merge-base", "HEAD", candidate)
        if revision:
            return revision.strip()
    if base:
        raise EntryError(f"--base: expected a git revision that shares history with HEAD, found '{base}'")
    head = _git(boards, "rev-parse", "HEAD")
    return head.strip() if head else None


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, encoding="utf-8", timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout if answer.returncode == 0 else None
