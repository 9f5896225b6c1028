"""How torch is set up in a process."""

import subprocess
import sys

# Page faults are pages that the system had to get: had the first array been given back, 16,384 of 4 KiB for the second.
# In a process of its own, where nothing but this takes memory.
CODE = """
import resource
import torch
from rlgan.device import prepare

prepare("cpu")
numbers = 64 * 2**20 // 4
torch.ones(numbers)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(numbers)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_a_large_array_takes_the_memory_of_the_last_one():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1000
