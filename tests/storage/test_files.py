import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbed.errors import BusyError
from benchbed.storage.files import YamlError, dump_yaml, exclusive, load_yaml, write_atomically

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
plain = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(plain)
def test_yaml_reads_back_what_was_written(data):
    assert load_yaml(dump_yaml(data)) == data


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "line 3: key 'a' stands twice"),
        ("a: {b: 1, b: 2}", "key 'b' stands twice"),
        ("no: 1", "expected a text key, found False"),
        ("a: [1", "expected"),
        ("a: !!python/name:os.system", "could not determine a constructor"),
    ],
)
def test_yaml_that_reads_differently_from_what_it_looks_like_is_refused(text, message):
    with pytest.raises(YamlError, match=message):
        load_yaml(text)


FULL = """
import resource, sys
from pathlib import Path
from benchbed.storage.files import write_atomically
from benchbed.errors import StorageError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_atomically(Path(sys.argv[1]), lambda file: file.write(bytes(2000)))
except StorageError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the limit on a file's size is POSIX")
def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    """The kernel refuses to write more than a thousand bytes, as it does on a full disk."""
    path = tmp_path / "result.yaml"
    path.write_text("old")
    process = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True)
    assert process.stderr == ""
    assert process.stdout.startswith(f"cannot write {path}: File too large; free space")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "result.yaml"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError):
        write_atomically(path, lambda file: 1 / 0)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_second_process_is_refused_and_a_dead_one_is_forgotten(tmp_path):
    script = f"""
from pathlib import Path
from benchbed.storage.files import exclusive
import os
with exclusive(Path({str(tmp_path)!r})):
    print("held", flush=True)
    input()
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(BusyError, match="another benchbed process is training into"), exclusive(tmp_path):
            pass
        process.kill()
    with exclusive(tmp_path):
        pass
