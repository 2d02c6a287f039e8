"""What the site has beside `docs/`: pages that lie elsewhere in the repository, and the boards' own pages.

A hook of MkDocs (`mkdocs.yml`). Links between these pages are written for the repository, where GitHub shows them.
"""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "leaderboards/README.md": "boards.md"}
"""Where they lie, and what they are called on the site."""
_LINK = re.compile(r"(\]\()([^)#\s:]+)((?:#[^)\s]*)?\))")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages from outside."""
    from mkdocs.structure.files import File

    for path, name in PAGES.items():
        files.append(
            File.generated(config, name, content=_as_in_docs((ROOT / path).read_text(encoding="utf-8"), path))
        )
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Turn links from `docs/` to the pages from outside."""
    return markdown if page.file.src_uri in PAGES.values() else _as_in_docs(markdown, f"docs/{page.file.src_uri}")


def on_post_build(config: Any) -> None:
    """Write the boards' pages beside the others."""
    from benchbed.boards.views.site import write_site

    write_site(ROOT / "leaderboards", Path(config.site_dir) / "boards")


def _as_in_docs(markdown: str, path: str) -> str:
    """The text of a file with its links as they are inside `docs/`."""
    here = (ROOT / path).parent

    def turned(match: re.Match[str]) -> str:
        target = (here / match[2]).resolve()
        if not target.is_relative_to(ROOT):
            return match[0]
        inside = target.relative_to(ROOT).as_posix()
        return f"{match[1]}{PAGES.get(inside, inside.removeprefix('docs/'))}{match[3]}"

    return _LINK.sub(turned, markdown)
