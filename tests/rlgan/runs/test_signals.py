import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from rlgan.runs.signals import restored, stopping


def test_the_first_signal_is_a_request_to_stop():
    with restored(), stopping() as stop:
        assert stop.reason is None
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.reason == "SIGTERM"


def test_without_a_signal_the_handlers_are_as_before():
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with stopping():
        assert signal.getsignal(signal.SIGTERM) != before[0]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


TWICE = """
import os, signal, subprocess, sys, time
from rlgan.runs.signals import stopping

child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
with stopping() as stop:
    os.kill(os.getpid(), signal.SIGINT)
print(stop.reason, flush=True)
time.sleep(1.1)  # within a second it would be the same request
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(20)
print("still here")
"""


def test_the_second_signal_kills_the_process_and_its_children_also_when_all_is_being_closed():
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, timeout=300, check=False)
    child, first = done.stdout.splitlines()
    assert first == "SIGINT"
    assert done.returncode == -signal.SIGTERM
    # It is gone, or waits for somebody to ask how it ended; on a busy machine that takes a moment.
    for _ in range(100):
        if not psutil.pid_exists(int(child)) or psutil.Process(int(child)).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.1)
    pytest.fail("the child is still there")


SLOW_TO_SAY = """
import os, signal, time
from rlgan.runs.signals import stopping

def say_asked(line):
    time.sleep(1)
    print("asked", flush=True)

def say_unsaved(line):
    print("unsaved", flush=True)

with stopping() as stop:
    stop.say_asked, stop.say_unsaved = say_asked, say_unsaved
    os.kill(os.getpid(), signal.SIGTERM)
    %s
"""


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ('stop.take(); print("saved", flush=True)', ["asked", "saved"]),
        ("stop.engine_alive = lambda **_: False; time.sleep(20)", ["asked", "unsaved"]),
        ("stop.patience = 0; time.sleep(20)", ["asked", "unsaved"]),
    ],
)
def test_what_became_of_a_request_is_said_after_the_request(then, said):
    program = [sys.executable, "-c", SLOW_TO_SAY % then]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout.splitlines() == said, done.stderr
