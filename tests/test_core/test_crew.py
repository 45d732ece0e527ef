"""Helpers share items, deaths cost one try, errors arrive, and a folder has one master at a time."""

import subprocess
import sys

import pytest

from pdenca.core import BadInputError
from pdenca.core.alone import alone
from pdenca.core.crew import Crew
from pdenca.core.helpers import FAILED, helper_program, sendable, status_in_words

# squares numbers; dies when it first sees an odd one, at 9 always, and hands over an error for a negative one
PROGRAM = f"""
import os, pathlib, sys
from multiprocessing.connection import Connection
caller = Connection(int(sys.argv[2]))
folder = pathlib.Path(caller.recv())
while True:
    number = caller.recv()
    if number % 2 and (number == 9 or not (folder / str(number)).exists()):
        (folder / str(number)).touch()
        os._exit(3)
    if number < 0:
        caller.send(({FAILED!r}, ValueError("below zero")))
    caller.send(("began", os.environ["OMP_NUM_THREADS"]))
    caller.send(("squared", number**2))
"""


class Squares(Crew[int]):
    def __init__(self, items, folder, num_helpers=2, program=PROGRAM):
        super().__init__(program, items, num_helpers, [str(folder)])
        self.squares, self.threads, self.deaths, self.tidied = {}, set(), [], []

    def hear(self, item, kind, value):
        if kind == "squared":
            self.squares[item] = value
        else:
            self.threads.add(value)
        return kind == "squared"

    def finished_by_the_dead(self, item):
        if item == 11:
            self.squares[item] = 121
        return item == 11

    def dropped(self, item, how, again):
        self.deaths.append((item, how, again))

    def tidy(self, item, pid):
        self.tidied.append(item)


def test_items_are_shared_and_a_death_costs_one_try(tmp_path):
    crew = Squares([2, 3, 4, 6], tmp_path)
    assert crew.run() == {}
    assert crew.squares == {2: 4, 3: 9, 4: 16, 6: 36}
    assert crew.threads == {"1"}
    assert crew.deaths == [(3, "left with exit code 3", True)]
    assert crew.tidied == [3]


def test_what_is_lost_is_named_and_what_was_finished_is_not(tmp_path):
    crew = Squares([9, 11, 2], tmp_path)
    assert crew.run() == {9: "its worker left with exit code 3"}  # dies twice
    assert crew.squares == {11: 121, 2: 4}
    assert [again for item, _, again in crew.deaths if item == 9] == [True, False]


def test_helpers_that_never_start_are_not_tried_for_ever(tmp_path):
    crew = Squares(list(range(20)), tmp_path, program="raise SystemExit(5)")
    lost = crew.run()
    assert set(lost) == set(range(20))
    assert "not tried any more after a worker left with exit code 5" in set(lost.values())


def test_errors_arrive(tmp_path):
    with pytest.raises(ValueError, match="below zero"):
        Squares([2, -2], tmp_path).run()


def test_what_pickle_cannot_carry_is_put_in_words():
    class LocalError(Exception):
        pass

    error = sendable(LocalError("deep down"))
    assert isinstance(error, RuntimeError)
    assert str(error) == "LocalError: deep down"
    assert "in a worker process" in error.__notes__[0]


def test_words():
    assert status_in_words(2) == "left with exit code 2"
    assert status_in_words(-9) == "was killed by SIGKILL (out of memory?)"
    assert status_in_words(-15) == "was killed by SIGTERM"
    assert "from a.b import c; c(int(sys.argv[2]))" in helper_program("a.b", "c")


def test_one_at_a_time(tmp_path):
    folder = tmp_path / "made"
    refused = pytest.raises(BadInputError, match="another process is counting in")
    with alone(folder, "counting"), refused, alone(folder, "counting"):
        pass
    with alone(folder, "counting"), pytest.raises(BlockingIOError), alone(tmp_path / "other", "counting"):
        raise BlockingIOError  # what happens inside is no second master
    (tmp_path / "file").touch()
    with pytest.raises(BadInputError, match="is a file"), alone(tmp_path / "file", "counting"):
        pass


def test_the_lock_goes_with_its_process(tmp_path):
    program = "import fcntl, os, sys, time; place = os.open(sys.argv[1], os.O_RDONLY); "
    program += "fcntl.flock(place, fcntl.LOCK_EX); print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BadInputError, match="another process"), alone(tmp_path, "waiting"):
            pass
        holder.kill()
        holder.wait()
        with alone(tmp_path, "working"):
            pass
