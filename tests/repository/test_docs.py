"""The documentation as a site: it builds without a warning, and reads well in a browser, by nobody's help."""

import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not find_spec("mkdocs"), reason="needs the extra docs")]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    target = tmp_path_factory.mktemp("docs") / "site"
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(target)]
    process = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert process.returncode == 0, process.stdout + process.stderr
    return target


def test_every_page_is_there_with_the_reference_and_the_boards(site):
    names = {path.stem for path in (ROOT / "docs").glob("*.md")} | {"index", "contributing", "boards"}
    assert names <= {path.stem for path in site.glob("*.html")}
    reference = (site / "reference.html").read_text(encoding="utf-8")
    assert all(f'id="benchbed.api.{name}"' in reference for name in ("run", "sweep", "load_board"))
    assert (site / "boards" / "index.html").is_file()
    assert 'href="zoo.html"' in (site / "index.html").read_text(encoding="utf-8"), "links of the README lead on"


PROBE = """
<script>
window.addEventListener("load", () => setTimeout(() => {
  const wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
  const asked = performance.getEntriesByType("resource").map(entry => entry.name);
  const {color: ink, backgroundColor: paper} = getComputedStyle(document.body);
  document.body.innerHTML = `<pre id="seen">${JSON.stringify({wide, asked, ink, paper})}</pre>`;
}, 500));
</script>
"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("page", ["index", "zoo", "reference"])
def test_in_a_browser(site, tmp_path, page, width, dark):
    text = (site / f"{page}.html").read_text(encoding="utf-8")
    probe = site / f"probe-{page}-{width}-{dark}.html"
    probe.write_text(text.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        f"--user-data-dir={tmp_path}",
    ]
    flags += ["--blink-settings=preferredColorScheme=0"] if dark else []
    shown = [
        str(CHROMIUM),
        *flags,
        f"--window-size={width},900",
        "--virtual-time-budget=5000",
        "--dump-dom",
        probe.as_uri(),
    ]
    process = subprocess.run(shown, capture_output=True, text=True, timeout=120)
    found = re.search(r'<pre id="seen">(.*?)</pre>', process.stdout)
    assert found, process.stderr
    told = json.loads(found[1])
    assert not told["wide"], "tables scroll, and not the page"
    assert all(name.startswith("file:") for name in told["asked"]), "the page asks nobody elsewhere"
    ink, paper = (sum(map(int, re.findall(r"\d+", told[what])[:3])) for what in ("ink", "paper"))
    assert (ink > paper) == dark
    assert abs(ink - paper) > 200, "it can be read"
