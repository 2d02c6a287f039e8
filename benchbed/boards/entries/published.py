"""What was published before: the entry files of the git revision that this branch started from."""

from pathlib import Path

from benchbed.errors import EntryError
from benchbed.storage.git import git

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
    if git(boards, "rev-parse", "--git-dir") is None:
        if base is not None:
            raise EntryError(f"--base {base}: expected a git repository around {boards}, found none")
        return {}
    revision = _merge_base(boards, base)
    listed = git(boards, "ls-tree", "-r", "--name-only", revision, "--", ".") if revision else None
    names = [name for name in (listed or "").splitlines() if name.endswith(".yaml") and name.count("/") == 2]
    contents = {name: git(boards, "show", f"{revision}:./{name}") for name in names}
    return {boards / name: text for name, text in contents.items() if text is not None}


def _merge_base(boards: Path, base: str | None) -> str | None:
    for candidate in (base,) if base else _MAIN:
        revision = git(boards, "merge-base", "HEAD", candidate)
        if revision:
            return revision.strip()
    if base:
        raise EntryError(f"--base: expected a git revision that shares history with HEAD, found '{base}'")
    head = git(boards, "rev-parse", "HEAD")
    return head.strip() if head else None
