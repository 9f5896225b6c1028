import math
import os
import subprocess
import sys
import time

import psutil
import pytest

from rlgan.engine.processes import in_processes
from rlgan.errors import RunError


def test_what_processes_give_comes_in_the_order_of_the_items():
    assert list(in_processes(math.factorial, range(20))) == [math.factorial(n) for n in range(20)]


def test_an_error_in_a_process_is_raised_as_it_is():
    with pytest.raises(ZeroDivisionError):
        list(in_processes((1).__truediv__, [0]))


def test_who_kills_the_parent_leaves_no_process_behind(tmp_path):
    work = f"import os, time; os.mkdir({str(tmp_path)!r} + f'/{{os.getpid()}}'); time.sleep(600)"
    code = f"from rlgan.engine.processes import in_processes; list(in_processes(exec, [{work!r}] * 2))"
    parent = subprocess.Popen([sys.executable, "-c", code])
    limit = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < min(2, os.cpu_count()):
        assert time.monotonic() < limit
        time.sleep(0.1)
    # One more only follows the others' memory.
    family = psutil.Process(parent.pid).children(recursive=True)
    assert {int(each.name) for each in tmp_path.iterdir()} < {each.pid for each in family}
    parent.kill()
    parent.wait()
    assert not psutil.wait_procs(family, timeout=10)[1]


def test_a_process_that_is_killed_is_said():
    with pytest.raises(RunError, match="was killed: is there enough memory"):
        list(in_processes(os._exit, [9]))
