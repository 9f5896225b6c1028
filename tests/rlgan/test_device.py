"""How torch is set up in a process."""

import subprocess
import sys

# In a process of its own, where nothing but this takes memory. Whether the next array fits where the last one was
# depends on what lies around it, and that on random addresses: what can be asked is whether the system has it back.
FREES = """
import os
import torch
from rlgan.device import prepare

prepare("cpu")

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

array = torch.ones(64 * 2**20 // 4)
before = resident()
del array
print(before - resident())
"""

IMPORTS = """
import sys
import torch
from rlgan.device import prepare

prepare("cpu")
print(torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled())
print(*sys.modules)
"""


def _said(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_what_is_not_deterministic_is_an_error_and_the_compiler_is_not_imported():
    modes, modules = _said(IMPORTS).splitlines()
    assert modes == "True False"
    assert not {"torch._dynamo", "torch._inductor", "sympy"} & set(modules.split())


def test_the_memory_of_a_large_array_is_kept_for_the_next():
    assert int(_said(FREES)) < 2**20
