"""Names of files; apart from the files, because boards are found by name and read without YAML."""

__all__ = ["file_name"]


def file_name(label: str) -> str:
    """A label as a file's or folder's name: a plug-in's holds a colon, which not every file system takes."""
    return label.replace(":", ".")
