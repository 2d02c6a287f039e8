import pytest

from benchbed.plugins.sources import (
    class_attribute,
    first_line,
    keyword_arguments,
    public_class,
    source_files,
    source_hash,
    source_path,
)


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
    path.write_text(path.read_text() + "\nedited = 1")
    assert source_hash("strange.mixer") != before


def test_line_endings_and_unrelated_files_do_not_change_the_hash(package):
    before = source_hash("strange.mixer")
    (package / "unrelated.py").write_text("x = 1")
    path = package / "kernels.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert source_hash("strange.mixer") == before


CODE = '''
"""A module."""
import os  # for the path


class A:
    """Of
    several lines."""
    version = 3
    text = f"""one

    {os.sep} # no comment
    """

    def f(self):
        "Short."
        return 1
'''


def code_hash(tmp_path, monkeypatch, text):
    (tmp_path / "some_module.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    return source_hash("some_module")


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ('"""A module."""', '"""A better\nmodule."""', False),
        ("  # for the path", "", False),
        ("import os", "# why\n\nimport os", False),
        ("several lines.", "more lines.", False),
        ('"Short."', '"""Longer."""', False),
        ("return 1", "return 2", True),
        ("one\n\n", "one\n", True),
        ("# no comment", "# no", True),
        ("        return 1", "    return 1", True),
    ],
)
def test_words_do_not_change_the_hash_and_code_does(tmp_path, monkeypatch, old, new, counts):
    before = code_hash(tmp_path, monkeypatch, CODE)
    assert old in CODE
    assert (code_hash(tmp_path, monkeypatch, CODE.replace(old, new)) != before) == counts


def test_a_class_attribute_is_read_without_importing(tmp_path, monkeypatch):
    code_hash(tmp_path, monkeypatch, CODE)
    assert class_attribute("some_module:A", "version") == 3
    assert class_attribute("some_module:A", "other") is None
    assert class_attribute("some_module:B", "version") is None
    assert class_attribute("nowhere:A", "version") is None


def test_keyword_arguments_are_read_with_their_defaults(tmp_path, monkeypatch):
    code_hash(
        tmp_path,
        monkeypatch,
        "class A:\n    def __init__(self, dim, *, heads: int = -8, cell: str = 'a', size=2 * 3, needed): ...\n"
        "class B(A):\n    pass\n"
        "class C:\n    def __init__(self, *, heads=1, **others) -> None: ...\n",
    )
    assert keyword_arguments("some_module:A") == {"heads": -8, "cell": "a", "size": ..., "needed": ...}
    assert keyword_arguments("some_module:B") is None, "inherited"
    assert keyword_arguments("some_module:C") is None, "there may be others"


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
