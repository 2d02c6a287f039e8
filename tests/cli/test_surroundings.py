"""What surrounds a run: odd plug-ins, odd files and odd input cost one line each, and nobody else anything."""

import json
import os
import subprocess
import sys

import pytest
import torch
from strangers import install

from benchbed.errors import OptionError, PluginError, TrackError, UnknownNameError
from benchbed.plugins.options import options_model, resolve_options
from benchbed.plugins.registry import POSITIONAL, find

PLAIN = """
import torch
from torch import nn

class Plain(nn.Module):
    '''DOC'''
    def __init__(self, dim: int, length: int, *, option: ANNOTATION = DEFAULT) -> None:
        super().__init__()
        self.project = nn.Linear(dim, dim)
    def forward(self, x):
        return self.project(x)
"""


def plain(annotation="int", default="1", doc="Plain.", head="", **names):
    source = PLAIN.replace("ANNOTATION", annotation).replace("DEFAULT", default).replace("DOC", doc)
    return head + source


@pytest.fixture
def odd(tmp_path, monkeypatch):
    """Install a distribution `odd` with one mixer `plain` of this source."""

    def make(source):
        install(tmp_path, "odd", "[benchbed.mixers]\nplain = odd:Plain\n", odd=source)
        monkeypatch.syspath_prepend(str(tmp_path))
        sys.modules.pop("odd", None)

    yield make
    sys.modules.pop("odd", None)


@pytest.mark.parametrize("annotation", ["'a number of heads'", "'Nowhere'", "'int.nothing'", "3", "'1 +'"])
def test_an_annotation_that_is_no_type_costs_its_plug_in_one_line(odd, command_line, annotation):
    odd(plain(annotation))
    code, out, err = command_line("check", "plain")
    assert code == 2
    assert err.count("\n") == 1
    assert "annotation" in err or "type" in err
    code, out, _ = command_line("plugins", "--check", "--json")
    rows = {row["name"]: row["status"] for row in json.loads(out)}
    assert code == 1
    assert rows["plain"].startswith("broken: ")
    assert rows["mlp_mixer"] == "loads"


@pytest.mark.parametrize("metadata", ["", "\x00\x01", "Metadata-Version: 2.1\n"])
def test_metadata_that_is_half_removed_stops_nobody(odd, tmp_path, command_line, metadata):
    odd(plain())
    (tmp_path / "odd-1.0.dist-info" / "METADATA").write_text(metadata)
    code, out, err = command_line("list", "mixers", "--json")
    assert (code, err) == (0, "")
    assert "unknown:plain" in [row["name"] for row in json.loads(out)]
    assert find("mixer", "mlp_mixer").built_in


def test_text_of_plug_ins_is_shown_as_it_is(odd, command_line, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    odd(plain(doc="Mixes [batch] and ends [/INST] here."))
    code, out, _ = command_line("list", "mixers")
    assert code == 0
    assert "Mixes [batch] and ends [/INST] here." in out


def test_tables_in_a_pipe_are_not_cut_at_eighty_columns(odd, tmp_path, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    odd(plain(doc="A first line of a docstring that is rather longer than the eighty columns of a terminal."))
    # By name: readline, which pytest imports, sets COLUMNS where os.environ does not see it.
    command, environment = [sys.executable, "-m", "benchbed", "list", "mixers"], dict(os.environ)
    out = subprocess.run(command, env=environment, capture_output=True, text=True).stdout
    assert max(map(len, out.splitlines())) > 80


def test_what_a_plug_in_prints_is_no_json(odd, command_line, tiny_path, tmp_path):
    odd(plain(head="print('at import')\n").replace("return self.project", "print('in forward'); return self.project"))
    for arguments in (
        ("check", "plain", "--json"),
        ("plugins", "--check", "--json"),
        *[
            (
                "run",
                "-m",
                "plain",
                "-t",
                "linear_map",
                "--track",
                tiny_path,
                "--max-steps",
                20,
                "--out",
                tmp_path,
                "--json",
            )
        ],
    ):
        sys.modules.pop("odd", None)
        _, out, err = command_line(*arguments)
        json.loads(out)
        assert "at import" in err


def test_what_a_plug_in_sets_for_all_of_torch_is_set_for_nobody_else(odd, command_line, tiny_path, tmp_path):
    odd(plain(head="import torch\ntorch.set_default_dtype(torch.float64)\ntorch.set_grad_enabled(False)\n"))
    find("mixer", "plain").load()
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()
    run = ("run", "-m", "plain", "-m", "mlp_mixer", "-t", "linear_map", "--track", tiny_path, "--max-steps", 20)
    assert command_line(*run, "--out", tmp_path / "runs", "--device", "cpu")[0] == 0


def test_a_helper_beside_a_file_is_part_of_what_runs(tmp_path, monkeypatch, command_line, tiny_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_mixer.py").write_text(
        "from own_helper import scale\n" + plain().replace("(x)\n", "(x) * scale\n")
    )
    (tmp_path / "own_helper.py").write_text("scale = 1.0\n")
    run = (sys.executable, "-m", "benchbed", "run", "-m", "own_mixer:Plain", "-t", "linear_map", "--track", tiny_path)
    more = ("--max-steps", "20", "--learning-rate", "0.01", "--device", "cpu", "--no-check")
    first = subprocess.run([*run, *more], capture_output=True, text=True)
    assert first.returncode == 0, first.stderr
    assert "finished before" in subprocess.run([*run, *more], capture_output=True, text=True).stdout
    (tmp_path / "own_helper.py").write_text("scale = 2.0\n")
    edited = subprocess.run([*run, *more], capture_output=True, text=True)
    assert edited.returncode == 0
    assert "finished before" not in edited.stdout


def test_a_file_that_another_module_hides_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "random.py").write_text(plain())
    with pytest.raises(
        OptionError, match=r"random\.py is hidden by the installed module 'random', .* rename the file"
    ):
        find("mixer", "random:Plain")


@pytest.mark.parametrize(
    ("name", "found", "hint"),
    [
        ("./m.py:X", "a path", "m:X'"),
        ("m.py", "a path", "m:ItsClass'"),
        ("a/m.py:X", "a path", "m:X' from the folder a"),
        ("./own.py", "a path", "own:Plain'"),
        ("own", "the name of the file own.py", "own:Plain'"),
        ("broken", "the name of the file broken.py", "broken:ItsClass'"),
    ],
)
def test_a_file_is_no_name(tmp_path, monkeypatch, name, found, hint):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(plain())
    (tmp_path / "broken.py").write_text("class Broken(")
    with pytest.raises(OptionError, match=f"expected package.module:Class, found {found}; write '{hint}"):
        find("mixer", name)


def test_a_file_of_a_built_in_s_name_hides_no_built_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gmlp.py").write_text(plain())
    assert find("mixer", "gmlp").built_in


def test_a_module_that_is_nowhere_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UnknownNameError, match=f"'nowhere:Plain'; no module 'nowhere' is installed, and none lies in {tmp_path}"
    ):
        find("mixer", "nowhere:Plain")
    with pytest.raises(UnknownNameError, match="unknown mixer 'nowhere'; known"):
        find("mixer", "nowhere")


def test_what_is_wrong_with_a_file_of_one_s_own_is_told_of_that_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lacking_mixer.py").write_text(plain())
    with pytest.raises(PluginError, match=r"lacking_mixer\.py\) cannot be loaded: .* 'Other'; mend that file$"):
        find("mixer", "lacking_mixer:Other").load()


class Lists:
    """Options that no single value is."""

    def __init__(
        self,
        dim: int,
        length: int,
        *,
        sizes: list[int] = [1, 2],  # noqa: B006
        pair: tuple[int, float] = (1, 2.0),
        limit: int | None = 3,
        name: str = "x",
    ) -> None: ...


class Shadows:
    """Options named as what pydantic knows."""

    def __init__(
        self, dim: int, length: int, *, model_config: int = 1, json: int = 2, copy: bool = True, model_fields: int = 4
    ) -> None: ...


def test_lists_tuples_and_none_are_set_from_a_command_line():
    given = {"sizes": "[4, 5, 6]", "pair": "[3, 0.5]", "limit": "none", "name": "[a]"}
    found = resolve_options(Lists, POSITIONAL["mixer"], given, owner="it", text=True)
    assert found == {"sizes": [4, 5, 6], "pair": [3, 0.5], "limit": None, "name": "[a]"}
    assert resolve_options(Lists, POSITIONAL["mixer"], {"limit": "7"}, owner="it", text=True)["limit"] == 7
    for wrong in ({"sizes": "4"}, {"sizes": "[a]"}, {"pair": "[1, 2, 3]"}, {"limit": "few"}):
        with pytest.raises(OptionError, match=f"it: option '{next(iter(wrong))}"):
            resolve_options(Lists, POSITIONAL["mixer"], wrong, owner="it", text=True)


def test_options_may_have_any_name():
    options_model(Shadows, POSITIONAL["mixer"])
    found = resolve_options(Shadows, POSITIONAL["mixer"], {"model_config": "5", "copy": "no"}, owner="it", text=True)
    assert found == {"model_config": 5, "json": 2, "copy": False, "model_fields": 4}
    with pytest.raises(OptionError, match="unknown option 'jason'; did you mean 'json'"):
        resolve_options(Shadows, POSITIONAL["mixer"], {"jason": 1}, owner="it")


def test_a_number_that_yaml_takes_for_text_is_told(tiny_path):
    from benchbed.config.tracks import load_track

    tiny_path.write_text(tiny_path.read_text().replace("[0.003, 0.01]", "[3e-4, 0.01]"))
    with pytest.raises(TrackError, match=r"found '3e-4'; YAML reads that as text, write 3\.0e-4"):
        load_track(str(tiny_path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "-m", "mlp_mixr", "-t", "linear_map"], "did you mean 'mlp_mixer'"),
        (["run", "-m", "mlp_mixer", "-t", "linear_mp"], "did you mean 'linear_map'"),
        (["run", "-m", "mlp_mixer", "-t", "linear_map@s9", "--track", "lite"], "unknown level 's9' of 'linear_map'"),
        (["run", "-m", "mlp_mixer", "-t", "linear_map", "--mixer-option", "expanson=2"], "did you mean 'expansion'"),
        (["run", "-m", "mlp_mixer", "-t", "linear_map", "--task-option", "sparse=2"], "did you mean 'sparsity'"),
        (["sweep", "-m", "gru", "-m", "grus", "-t", "linear_map", "-g", "task.sparsity=1,2"], "did you mean 'gru'"),
        (["trace", "-m", "mlp_mixr", "-t", "linear_map"], "did you mean 'mlp_mixer'"),
    ],
)
def test_a_misspelt_name_is_told_before_torch_is_imported(arguments, message):
    code = f"""
import sys
from benchbed.cli.app import main
sys.argv = ["benchbed", *{arguments!r}]
try:
    main()
finally:
    print(sorted({{"torch"}} & set(sys.modules)))
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (process.returncode, process.stdout) == (2, "[]\n"), process.stderr
    assert message in process.stderr
    assert process.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["sweep", "-m", "gru", "-t", "linear_map", "-g", "task.sparsity=1..1000000000"],
            "expected at most 10,000 values",
        ),
        (
            ["sweep", "-m", "gru", "-t", "linear_map", "-g", "task.sparsity=1..200", "-g", "task.state_size=1..200"],
            "expected at most 10,000 cells, found 40,000",
        ),
        (
            ["run", "-m", "gru", "-t", "linear_map", "--match-parameters", "99999999999"],
            "--match-parameters: expected 1 to 20,000,000, found 99,999,999,999",
        ),
        (["trace", "-m", "gru", "-t", "linear_map", "--bias", "nan"], "--bias: expected a finite number, found nan"),
    ],
)
def test_what_would_never_end_is_refused_at_once(command_line, arguments, message):
    code, _, err = command_line(*arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_a_suite_with_nothing_to_do_says_so(command_line, monkeypatch):
    monkeypatch.setattr("benchbed.boards.suite.find_vacancies", lambda *_: [])
    code, out, _ = command_line("suite", "run")
    assert code == 0
    assert out == "nothing to run: the boards hold every one of these mixers on every one of these levels\n"


def test_plots_have_the_format_of_papers(command_line, tiny_path, tmp_path):
    run = ("run", "-m", "mlp_mixer", "-t", "linear_map", "--track", tiny_path, "--max-steps", 20, "--out", tmp_path)
    assert command_line(*run)[0] == 0
    (folder,) = tmp_path.glob("tiny/*/*")
    assert command_line("plot", folder, "-o", tmp_path / "curves.pdf")[0] == 0
    assert (tmp_path / "curves.pdf").read_bytes().startswith(b"%PDF")


def test_a_plug_in_that_is_no_class_is_told(odd):
    odd("Plain = 3\n")
    with pytest.raises(PluginError, match="expected a class, found int"):
        find("mixer", "plain").load()
