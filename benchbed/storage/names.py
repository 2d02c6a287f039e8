"""Names of files; apart from the files, because boards are found by name and read without YAML."""

__all__ = ["archive_name", "file_name", "is_archive_name"]


def file_name(label: str) -> str:
    """A label as a file's or folder's name: a plug-in's holds a colon, which not every file system takes."""
    return label.replace(":", ".")


def archive_name(track: str, version: int) -> str:
    """The folder of an earlier version of a track; no track is called so, because names of tracks have no hyphen."""
    return f"{track}-{version}"


def is_archive_name(folder: str) -> bool:
    """Whether a folder's name is one that `archive_name` gives."""
    return "-" in folder
