"""Jobs in processes of their own."""

import os
import time
from functools import partial

import pytest
from jobs import asked_twice, say_and_end, wait_for

from rlgan.runs.side_by_side import Job, run_side_by_side


class Notes:
    """Notes what a watcher is told, in order."""

    def __init__(self):
        self.all = []

    def started(self, name):
        self.all.append(("started", name))

    def received(self, name, message):
        self.all.append(("received", name, message))

    def ended(self, name, code):
        self.all.append(("ended", name, code))


def test_every_job_has_a_process_of_its_own_whose_messages_and_code_arrive():
    notes = Notes()
    jobs = [Job("a", partial(say_and_end, 0)), Job("b", partial(say_and_end, 3))]
    assert run_side_by_side(jobs, 1, notes) is None
    assert [note[:2] for note in notes.all] == [
        ("started", "a"), ("received", "a"), ("ended", "a"),
        ("started", "b"), ("received", "b"), ("ended", "b"),
    ]  # fmt: skip
    assert [note[2] for note in notes.all if note[0] == "ended"] == [0, 3]
    pids = [note[2]["pid"] for note in notes.all if note[0] == "received"]
    assert len({os.getpid(), *pids}) == 3


def test_a_job_that_is_signalled_beside_its_parent_is_not_killed_by_what_the_parent_passes_on():
    notes = Notes()
    assert run_side_by_side([Job("a", asked_twice)], 1, notes) is None
    assert notes.all == [("started", "a"), ("received", "a", "SIGTERM"), ("ended", "a", 0)]


def test_a_watcher_that_fails_leaves_no_process_behind():
    class Failing(Notes):
        def received(self, *_):
            raise OSError("the disk is full")

    jobs = [Job(name, partial(wait_for, "/nonexistent", time.monotonic() + 60)) for name in "ab"]
    began = time.monotonic()
    with pytest.raises(OSError, match="disk"):
        run_side_by_side(jobs, 2, Failing())
    # Both processes, which would wait for a minute, are at their end.
    assert time.monotonic() - began < 55
