"""Times calls in turns, so that what else the machine does counts for all of them alike."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

Step = Callable[[], Any]

SECONDS = 1.0  # of each turn
TURNS = 5


def seconds_of(steps: dict[str, Step], device: torch.device) -> dict[str, float]:
    """Median seconds of each step over several turns."""
    turns = seconds_by_turn(steps, device)
    return {name: statistics.median(turn[name] for turn in turns) for name in steps}


def seconds_by_turn(steps: dict[str, Step], device: torch.device) -> list[dict[str, float]]:
    """Seconds of each step in several turns: CPU seconds of this process, on a GPU by the clock."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time

    def once(step: Step) -> float:
        _wait(device)
        started, calls = clock(), 0
        while calls < 2 or clock() - started < SECONDS:
            step()
            calls += 1
        _wait(device)
        return (clock() - started) / calls

    for step in steps.values():
        step()
    return [{name: once(step) for name, step in steps.items()} for _ in range(TURNS)]


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
