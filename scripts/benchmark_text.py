"""Measures text at the paper's sizes: seconds of a rollout, and tokens that the policy learns from per second.

The data is made up: 10,000 words with the frequencies of a natural language, in windows of 20.
"""

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from rlgan.rng import Purpose, stream
from rlgan.settings import updated
from rlgan.text.corpus import Corpus, Rows
from rlgan.text.presets import PAPER
from rlgan.text.task import TextTask
from rlgan.types import Rollout

LENGTH, VOCAB_SIZE, ROWS = 20, 10_000, 20_000
BATCHES = (64, 1024, 4096)
# `best` of 0.1.0, typed out, so that what is measured stays the same whatever `best` becomes.
ALL_TOKENS = {
    "estimator": "all_tokens",
    "weighting": "forward_kl",
    "reward": "density_ratio",
    "discount": 0.0,
    "adam_beta1": 0.5,
    "discriminator_dropout": 0.5,
    "discriminator_word_dropout": 0.2,
    "generator_ema_decay": 0.99,
}
STRUCTURED = ALL_TOKENS | {"discriminator_form": "structured", "reward": "log_odds", "negatives": "both"}
RECIPES: dict[str, dict[str, Any]] = {
    "all tokens": ALL_TOKENS,
    "paper": {},
    "structured, both negatives": STRUCTURED,
    "mle": {"method": "mle"},
}
SECONDS = 1.0  # of each measurement, after a warm-up


def made_up_corpus(vocab_size: int = VOCAB_SIZE, length: int = LENGTH) -> Corpus:
    """Windows of words with frequencies that fall as 1 / rank (Zipf)."""
    weights = 1 / np.arange(1, vocab_size + 1)
    rng = stream(0, Purpose.CONTROL, 1)
    parts = []
    for rows in (ROWS, 64, 64):
        tokens = rng.choice(vocab_size, size=(rows, length), p=weights / weights.sum())
        parts.append(Rows(tokens, np.ones(tokens.shape, np.bool_)))
    words = ("<unk>", "<eos>", *(f"w{index}" for index in range(vocab_size - 2)))
    return Corpus("made-up words", words, *parts, stop_token=None)


@dataclass(frozen=True)
class Speed:
    """What was measured of one recipe at one batch size."""

    tokens_per_second: float  # that the policy learned from; batch * T a step
    step_ms: float
    rollouts_ms: float  # of a step
    gpu_gib: float  # the most memory that tensors held; 0 on the CPU

    def __str__(self) -> str:
        """One line for people."""
        memory = f", {self.gpu_gib:.1f} GiB" if self.gpu_gib else ""
        parts = f"step {self.step_ms:.1f} ms, of which rollouts {self.rollouts_ms:.1f} ms"
        return f"{self.tokens_per_second:11,.0f} tokens/s; {parts}{memory}"


def measure_text(
    device: torch.device, batches: tuple[int, ...] = BATCHES, recipes: Mapping[str, dict[str, Any]] = RECIPES
) -> dict[str, Speed]:
    """Measure recipes, by default all, at every batch size on a device."""
    corpus, found = made_up_corpus(), {}
    for name, changes in recipes.items():
        for batch in batches:
            settings = updated(PAPER, changes | {"batch_size": batch, "shards": 1, "layout": "windows"})
            found[f"{name}, batch {batch:,}"] = _measured(TextTask(settings, corpus), device)
    return found


def _measured(task: TextTask, device: torch.device) -> Speed:
    learner, maker = task.learner(device), task.rollout_maker(device)
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    steps = itertools.count()

    def rollouts(step: int) -> list[Rollout]:
        plan = task.schedule.plan(step)
        weights = learner.weights(on_device=True) if plan.draws else None
        return [maker.shard(weights, step, draw, 0) for draw in range(plan.draws)] if weights else []

    def train() -> None:
        step = next(steps)
        learner.update(step, task.schedule.plan(step), rollouts(step))

    seconds = seconds_of(train, device)
    drawing = seconds_of(lambda: rollouts(0), device)
    rate = task.settings.batch_size * LENGTH / seconds
    return Speed(rate, 1e3 * seconds, 1e3 * drawing, torch.cuda.max_memory_allocated() / 2**30 if on_gpu else 0.0)


def seconds_of(function: Callable[[], Any], device: torch.device) -> float:
    """Seconds of a call, the mean over about a second of calls, after two that are not counted."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()

    for _ in range(2):
        function()
    wait()
    started, calls = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS or calls < 3:
        function()
        calls += 1
    wait()
    return (time.perf_counter() - started) / calls


def product_rate(device: torch.device) -> float:
    """Operations per second of the matrix product that most of the time should go to."""
    rows = 4096 * LENGTH if device.type == "cuda" else 64 * LENGTH
    left, right = torch.randn(rows, 200, device=device), torch.randn(200, VOCAB_SIZE, device=device)
    return 2 * rows * 200 * VOCAB_SIZE / seconds_of(lambda: left @ right, device)
