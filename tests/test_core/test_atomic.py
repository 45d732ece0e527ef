"""A file is whole or absent, whatever happens while it is written."""

import signal
import subprocess
import sys

import pytest

from pdenca.core import atomic_path, write_text


def only_file(folder):
    return [path.name for path in folder.iterdir()]


def test_makes_the_file_and_its_folders(tmp_path):
    target = tmp_path / "deep" / "down" / "result.bin"
    with atomic_path(target) as temporary:
        temporary.write_bytes(b"new")
        assert not target.exists()
        assert temporary.parent == target.parent  # the move must not cross file systems
    assert target.read_bytes() == b"new"
    assert only_file(target.parent) == ["result.bin"]


def test_replaces_old_content_only_at_the_end(tmp_path):
    target = tmp_path / "result.txt"
    target.write_text("old")
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"


@pytest.mark.parametrize("old", [None, "old"])
def test_an_exception_leaves_the_target_as_it_was(tmp_path, old):
    target = tmp_path / "result.txt"
    if old:
        target.write_text(old)

    def fail():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    assert only_file(tmp_path) == (["result.txt"] if old else [])
    assert not old or target.read_text() == old


def test_an_exception_before_anything_was_written_is_the_one_seen(tmp_path):
    def fail():
        with atomic_path(tmp_path / "result.txt"):
            raise RuntimeError("at once")

    with pytest.raises(RuntimeError, match="at once"):
        fail()
    assert only_file(tmp_path) == []


def test_a_kill_in_the_middle_leaves_the_old_content(tmp_path):
    target = tmp_path / "result.txt"
    target.write_text("old")
    program = (
        "import os, signal, sys\n"
        "from pdenca.core import atomic_path\n"
        "with atomic_path(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program, str(target)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert target.read_text() == "old"
    # and the next writer is not in the way of what the killed one left behind
    write_text(target, "new")
    assert target.read_text() == "new"


def test_write_text_is_utf8_whatever_the_locale(tmp_path):
    write_text(tmp_path / "units.txt", "∇²A in µm⁻²")
    assert (tmp_path / "units.txt").read_bytes().decode("utf-8") == "∇²A in µm⁻²"
