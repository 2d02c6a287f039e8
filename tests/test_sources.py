import pytest

from benchbed.sources import first_line, public_class, source_files, source_hash, source_path


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "strange"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "mixer.py").write_text(
        "from . import kernels\nfrom .inner.deep import f\nimport os\n"
        "class _No: ...\nclass Yes:\n  '''One.\n  Two.'''"
    )
    (folder / "kernels.py").write_text("import strange.inner")
    (folder / "inner" / "__init__.py").write_text("")
    (folder / "inner" / "deep.py").write_text("def f(): ...")
    (folder / "unrelated.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def test_the_source_is_followed_inside_its_package_without_importing_it(package):
    found = source_files("strange.mixer")
    assert set(found) == {"strange", "strange.mixer", "strange.kernels", "strange.inner", "strange.inner.deep"}
    assert first_line("strange.mixer:Yes") == "One."
    assert public_class(package / "mixer.py") == "Yes"


@pytest.mark.parametrize("edited", ["mixer.py", "kernels.py", "inner/deep.py"])
def test_an_edit_of_any_file_that_counts_changes_the_hash(package, edited):
    before = source_hash("strange.mixer")
    path = package / edited
    path.write_text(path.read_text() + "\n# edited")
    assert source_hash("strange.mixer") != before


def test_line_endings_and_unrelated_files_do_not_change_the_hash(package):
    before = source_hash("strange.mixer")
    (package / "unrelated.py").write_text("x = 1")
    path = package / "kernels.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert source_hash("strange.mixer") == before


def test_what_is_not_there_has_no_source():
    assert source_path("nowhere.at.all") is None
    assert source_hash("nowhere") is None
    assert first_line("nowhere:Class") == ""


def test_a_built_in_hash_covers_the_mixer_it_builds_on():
    assert set(source_files("benchbed.mixers.softmax_attention")) >= {
        "benchbed.mixers.softmax_attention",
        "benchbed.mixers.multi_head_attention",
    }
    assert not any(name.startswith("benchbed.contracts") for name in source_files("benchbed.mixers.mlp_mixer"))
