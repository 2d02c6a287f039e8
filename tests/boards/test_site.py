"""The pages in a real browser: they sort, log no error, and ask nobody for anything."""

import csv
import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from planned import renamed

from benchbed.boards.comparison import compare_levels, find_shared
from benchbed.boards.entries.entry import load_entry, save_entry
from benchbed.boards.entries.submission import submit
from benchbed.boards.overall import read_overall
from benchbed.boards.views.sentences import overall_cells, pair_cells, verdict_over_levels
from benchbed.boards.views.site import write_site

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LEVEL = "tiny/linear_map@s1"


@pytest.fixture
def site(boards, published_boards, tmp_path):
    submit(published_boards / "runs" / "mlp_mixer", boards, submitter="<b>Somebody</b> & co")
    write_site(boards, tmp_path / "site")
    return tmp_path / "site"


class Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []
        self.ids = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.found += [values[name] for name in ("href", "src") if values.get(name) and tag not in ("use", "path")]
        self.ids += [values["id"]] if "id" in values else []


def test_every_entry_has_a_page_and_no_link_leads_outside(site, boards):
    pages = {path.name for path in site.iterdir()}
    entries = {path.stem for path in (boards / LEVEL).glob("*.yaml")}
    of_entries = {f"tiny.linear_map@s1.{name}.html" for name in entries}
    of_mixers = {f"tiny.{name}.html" for name in ("mlp_mixer", "softmax_attention", "static_mixer")}
    assert pages == {"index.html", "boards.csv"} | of_entries | of_mixers
    rows = list(csv.DictReader((site / "boards.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["entry"] for row in rows} <= entries
    assert len(rows) == len(entries) > 1
    for name in pages - {"boards.csv"}:
        links = Links()
        links.feed((site / name).read_text())
        for link in links.found:
            file, _, anchor = link.partition("#")
            assert link == "data:," or not file or file in pages, f"{name} links to {link}"
            if anchor and not file:
                assert anchor in links.ids, f"{name} links to {link}"


def test_the_pages_hold_all_provenance_and_escape_it(site, boards):
    page = (site / "tiny.linear_map@s1.mlp_mixer.html").read_text()
    entry = load_entry(boards / LEVEL / "mlp_mixer.yaml")
    for text in (entry.digest, entry.result.identity, entry.result.config.track.hash, entry.provenance.command):
        assert text in page
    assert "&lt;b&gt;Somebody&lt;/b&gt; &amp; co" in page
    assert "<b>Somebody</b>" not in page
    assert page.count("<svg") == 2
    assert "#010203" not in page, "the pictures take the page's colours"


def test_the_pages_forbid_themselves_every_request(site):
    for path in site.glob("*.html"):
        assert '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';' in path.read_text()


def combined(page):
    """What the table of one number a mixer is over, and its cells."""
    _, _, text = page.read_text().partition("<h3>In one number</h3>")
    over = re.search(r"Over ([^ ]+(?:, [^ ]+)*)[.] Ratio", text)
    assert over
    return over[1].split(", "), cells_of(text.partition("</table>")[0])


def cells_of(page):
    return [html.unescape(re.sub("<[^>]*>", "", cell)) for cell in re.findall(r"<td[^>]*>(.*?)</td>", page)]


def test_one_number_a_mixer_is_over_the_levels_that_several_have(site, boards, tmp_path):
    found = [overall_cells(one)[:-1] for one in read_overall(boards, "tiny")]
    assert len(found) == 3
    assert combined(site / "index.html") == (["linear_map@s1"], [cell for cells in found for cell in cells])
    other = shutil.copytree(boards / LEVEL, boards / "tiny" / "linear_map@s2")
    for name in ("softmax_attention", "mlp_mixer"):  # the baseline alone has both levels
        (other / f"{name}.yaml").unlink()
    assert combined(write_site(boards, tmp_path / "again")) == combined(site / "index.html")


def test_a_mixers_page_says_of_every_level_what_compare_says(site, boards, tmp_path):
    other = shutil.copytree(boards / LEVEL, boards / "tiny" / "linear_map@s2")
    (other / "mlp_mixer.yaml").unlink()
    write_site(boards, tmp_path / "again")
    page = (tmp_path / "again" / "tiny.softmax_attention.html").read_text()
    (found,) = compare_levels(boards, find_shared(boards, ("softmax_attention", "static_mixer"), "tiny"), lambda p: p)
    assert list(found.pairs) == ["linear_map@s1", "linear_map@s2"]
    assert html.escape(verdict_over_levels(found)) in page
    for level, pair in found.pairs.items():
        cells = cells_of(page)
        of_level = cells[cells.index(level) :]
        assert of_level[6:9] == pair_cells(pair, found.adjusted[level], found.names)[2:5]
        assert f'href="tiny.{level}.softmax_attention.html"' in page
    assert page.count("<svg") == 4, "both pictures of both levels"
    assert cells_of((tmp_path / "again" / "tiny.mlp_mixer.html").read_text())[0] == "linear_map@s1"
    assert "The baseline of this track" in (site / "tiny.static_mixer.html").read_text()
    assert 'href="tiny.mlp_mixer.html"' in (site / "tiny.linear_map@s1.mlp_mixer.html").read_text()
    assert 'href="tiny.mlp_mixer.html"' in (site / "index.html").read_text()


def test_a_mixers_page_where_the_baseline_has_no_level_of_it(boards, tmp_path):
    (boards / LEVEL / "static_mixer.yaml").unlink()
    write_site(boards, tmp_path / "site")
    page = (tmp_path / "site" / "tiny.softmax_attention.html").read_text()
    assert "shares no level with the baseline" in page
    assert "Holm" not in page


def test_a_withdrawn_entry_keeps_its_page(boards, tmp_path):
    path = boards / LEVEL / "static_mixer.yaml"
    save_entry(load_entry(path).model_copy(update={"withdrawn": "wrong seed"}).sealed(), path)
    write_site(boards, tmp_path / "site")
    page = (tmp_path / "site" / "tiny.linear_map@s1.static_mixer.html").read_text()
    assert "No longer on the board" in page
    assert "wrong seed" in page
    assert "static_mixer" not in re.sub(r"x static_mixer", "", (tmp_path / "site" / "index.html").read_text())


PROBE = """
<script>
const seen = [];
const fits = [...document.querySelectorAll(".scroll")].every(box => box.scrollWidth <= box.clientWidth);
const shown = () => [...document.querySelectorAll("section thead th")].filter(head => head.offsetWidth).length;
const columns = [shown()];
document.querySelector("button.columns").click();
columns.push(shown());
const picture = document.querySelector("svg").compareDocumentPosition(document.querySelector("table"));
const first_picture = Boolean(picture & Node.DOCUMENT_POSITION_FOLLOWING);
const column = name => [...document.querySelectorAll("th button")].find(button => button.textContent === name);
const names = () => [...document.querySelectorAll("section tbody tr")].map(row => row.cells[1].dataset.value);
seen.push(names());
for (const name of ["parameters", "parameters", "mixer"]) {
  column(name).focus();
  document.activeElement.click();
  seen.push([...names(), column(name).parentElement.getAttribute("aria-sort")]);
}
const wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
const asked = performance.getEntriesByType("resource").map(entry => entry.name);
document.body.innerHTML = `<pre id="seen">${JSON.stringify({seen, wide, asked, fits, columns, first_picture})}</pre>`;
</script>
"""


def told_by_a_browser(page, probe, width):
    """What a script at the end of a page finds, and what the browser logs."""
    page.write_text(page.read_text().replace("</body>", f"{probe}</body>"))
    process = subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            f"--window-size={width},900",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = re.search(r'<pre id="seen">(.*?)</pre>', process.stdout)
    assert found, process.stderr
    return json.loads(found[1]), process.stderr


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
@pytest.mark.parametrize("width", [1280, 400])
def test_in_a_browser(site, boards, width):
    told, log = told_by_a_browser(site / "index.html", PROBE, width)
    first, ascending, descending, by_name = told["seen"]
    parameters = {p.stem: load_entry(p).result.costs.parameters for p in (boards / LEVEL).glob("*.yaml")}
    assert sorted(first) == sorted(parameters)
    rising = sorted(first, key=lambda name: parameters[name])  # ties stay as they were
    assert ascending == [*rising, "ascending"]
    assert descending == [*sorted(rising, key=lambda name: -parameters[name]), "descending"]
    assert by_name == [*sorted(parameters), "ascending"]
    assert told["fits"] or width < 1280, "nothing is cut off on a usual screen"
    assert told["columns"] == [8, 15], "the rest at a click"
    assert told["first_picture"], "a picture comes before the first table"
    assert not told["wide"], "only the table scrolls sideways, and not the page"
    assert "CONSOLE" not in log
    assert told["asked"] == [], "the page asks nobody for anything"


WIDTHS = """
<script>
const root = document.documentElement;
const seen = {page: root.scrollWidth, window: root.clientWidth, pictures: document.querySelectorAll("svg").length};
document.body.innerHTML = `<pre id="seen">${JSON.stringify(seen)}</pre>`;
</script>
"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_a_mixers_page_fits_a_small_screen_however_long_its_name_is(boards, tmp_path):
    name = "softmax_attention-a_very_long_name_of_an_option=True-and_another_one=False"
    renamed(boards / LEVEL / "softmax_attention.yaml", name)
    write_site(boards, tmp_path / "site")
    for page in (f"tiny.{name}.html", f"tiny.linear_map@s1.{name}.html", "index.html"):
        told, log = told_by_a_browser(tmp_path / "site" / page, WIDTHS, 400)
        assert told["page"] == told["window"], page
        assert told["pictures"] >= 2
        assert "CONSOLE" not in log
