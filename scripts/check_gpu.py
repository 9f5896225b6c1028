"""Check rlgan on this machine's GPU, and measure it: one table, and a JSON object on the last line.

    scripts/check-gpu [--minutes M] [--out FILE]      exit code 1 where something does not hold, 2 without a GPU
    scripts/check-gpu --cpu                           the same checks on the CPU, without what compares or measures

Bits are compared: of one recipe trained twice, with 0, 1 and 2 rollout workers (where Ray is installed) and resumed,
also in bfloat16; of a captured rollout and the same step by step. What is trained in TF32 and bfloat16 must learn as
much as in float32. Gradients on the GPU are held against those on the CPU, from the same weights and rollouts. Every
recipe of scripts/tensor-hashes is trained for some steps, sampled from and evaluated. It goes on after a failure, and
says at the end what failed. It needs torch and what the package imports, and downloads nothing.
"""

import argparse
import contextlib
import importlib.util
import io
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmark_text import RECIPES as MEASURED
from benchmark_text import Speed, measure_text, product_rate
from tensor_hashes import RECIPES, digest, words_of

from rlgan.cli import main as rlgan
from rlgan.device import prepare
from rlgan.rng import Purpose, stream
from rlgan.settings import updated
from rlgan.text.categorical import sample
from rlgan.text.presets import preset_of
from rlgan.text.settings import TextSettings
from rlgan.text.task import TextTask
from rlgan.types import Rollout

STEPS = 3
LIKELIHOOD_STEPS = 100
# Of gradients, relative to their norm: float32 has 7 digits, of which sums over 10,000 words lose two.
TOLERANCE = 1e-4
BITS = "text-best-reinforce-lag"  # workers, shards, a lag, two draws
# What is measured on a GPU: beside float32, the largest recipe in the other precisions.
RECIPES_OF_GPU = MEASURED | {
    f"all tokens, {precision}": MEASURED["all tokens"] | {"precision": precision} for precision in ("tf32", "bf16")
}
GRADIENTS = {
    "paper": {"preset": "paper"},
    "all tokens": {},
    "reinforce": {"estimator": "reinforce"},
    "structured": {"discriminator_form": "structured", "negatives": "both"},
    "cnn": {"generator_core": "cnn", "discriminator_core": "cnn"},
}


class Report:
    """What was checked, and what came of it."""

    def __init__(self, minutes: float) -> None:
        self.rows: list[dict[str, Any]] = []
        self._end = time.monotonic() + 60 * minutes

    def check(self, name: str, run: Callable[[], str]) -> None:
        """Run one check, which gives what it found or raises an AssertionError."""
        if time.monotonic() > self._end:
            self._add(name, None, "not run: the time is over", 0.0)
            return
        started = time.monotonic()
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                found, holds = run(), True
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            place = traceback.extract_tb(error.__traceback__)[-1]
            found, holds = f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})", False
            found = f"{found.splitlines()[0]} {said.getvalue().strip()[-200:]}"
        self._add(name, holds, found, time.monotonic() - started)

    def _add(self, name: str, holds: bool | None, found: str, seconds: float) -> None:
        self.rows.append({"check": name, "holds": holds, "found": found, "seconds": round(seconds, 2)})
        mark = {True: "ok", False: "FAILED", None: "-"}[holds]
        print(f"{mark:7}{name:44} {seconds:6.1f} s  {found}", flush=True)

    @property
    def failed(self) -> list[str]:
        """The checks that do not hold."""
        return [row["check"] for row in self.rows if row["holds"] is False]


def typed(*words: object) -> None:
    """Type a command, which must end without a complaint."""
    code = rlgan([str(word) for word in words])
    assert code == 0, f"exit code {code}: rlgan {' '.join(map(str, words))}"


def trained(name: str, folder: Path, device: str) -> str:
    """Train a recipe for some steps, sample from it and evaluate it."""
    run = folder / name
    typed(*words_of(name, STEPS, run), "--device", device)
    out = ["--out", folder / f"{name}.png"] if name.startswith("image") else []
    typed("sample", run, "--count", 2, "--device", device, *out)
    quick = ["--quick"] if name.startswith("text") else []
    typed("evaluate", run, "--json", "--device", device, *quick)
    return ""


def quality(folder: Path, device: str) -> str:
    """Measure quality and diversity, with a control and a figure."""
    run, control = folder / "text-best-reinforce", folder / "text-control-constant-reinforce"
    words = ("--samples", 64, "--temperatures", 1, "--control", control, "--figure", folder / "quality.png")
    typed("evaluate", run, "--json", "--device", device, *words)
    return ""


def same_bits(folder: Path, device: str, ray: bool, precision: str = "float32") -> str:
    """Train a recipe twice, resumed, and with 1 and 2 workers: the tensors must be the same."""
    folder = folder / precision
    words = [*RECIPES[BITS].split(), "--steps", 6, "--checkpoint-every", 3, "--device", device]
    words += ["--precision", precision]
    found = {}
    ways = {"once": [0], "twice": [0], **({"1 worker": [1], "2 workers": [2]} if ray else {})}
    for way, (workers,) in ways.items():
        typed("train", *words, "--workers", workers, "--run-dir", folder / way)
        found[way] = digest(folder / way)
    resumed = folder / "resumed"
    typed("train", *words, "--workers", 0, "--run-dir", resumed, "--steps", 3)
    typed("train", "--run-dir", resumed, "--resume", "--workers", 0, "--steps", 6)
    found["resumed"] = digest(resumed)
    others = [way for way, bits in found.items() if bits != found["once"]]
    assert not others, f"other tensors: {', '.join(others)}"
    return f"same tensors: {', '.join(found)}"


def learners(folder: Path, device: str) -> str:
    """Train by two learners that share every batch."""
    words = [*RECIPES["text-best-reinforce"].split(), "--steps", STEPS, "--device", device]
    typed("train", *words, "--workers", 1, "--learners", 2, "--run-dir", folder / "two-learners")
    return ""


def task_of(**changes: Any) -> TextTask:
    """A small recipe, whose discriminator drops nothing out."""
    typed_ones = updated(TextSettings(), {"discriminator_dropout": 0.0, "discriminator_word_dropout": 0.0} | changes)
    preset = updated(preset_of(typed_ones), {"discriminator_dropout": 0.0, "discriminator_word_dropout": 0.0})
    return TextTask.load(updated(preset, {"batch_size": 32, "embedding_size": 32, "hidden_size": 32} | changes))


def gradients(changes: dict[str, Any], device: torch.device) -> str:
    """Hold gradients of both players against the CPU's, of the same weights, rollouts and real rows."""
    task = task_of(**changes)
    cpu, gpu = task.learner(torch.device("cpu")), task.learner(device)
    plan, weights = task.schedule.plan(0), cpu.weights()
    maker = task.rollout_maker(torch.device("cpu"))
    draws = [
        Rollout.join([maker.shard(weights, 0, draw, shard) for shard in range(task.facts.shards)])
        for draw in range(plan.draws)
    ]
    for learner in (cpu, gpu):
        learner.update(0, plan, draws)
    worst = 0.0
    for name in ("generator", "discriminator"):
        pairs = zip(cpu.networks[name].parameters(), gpu.networks[name].parameters(), strict=True)
        flat = [torch.cat([each.grad.flatten().cpu() for each in own]) for own in zip(*pairs, strict=True)]
        worst = max(worst, float((flat[0] - flat[1]).norm() / flat[0].norm()))
    assert worst < TOLERANCE, f"gradients differ by {worst:.1e} of their norm"
    return f"{worst:.1e} of the norm, tolerance {TOLERANCE:g}"


def learns(precision: str, device: torch.device) -> str:
    """Learn by likelihood for some steps: a rounding must cost next to nothing."""
    found = {}
    for name in ("float32", precision):
        task = task_of(method="mle", preset="paper", precision=name, generator_learning_rate=1e-2)
        learner, evaluator = task.learner(device), task.evaluator(device)
        for step in range(LIKELIHOOD_STEPS):
            learner.update(step, task.schedule.plan(step), [])
        found[name] = evaluator.score(learner.evaluated_weights())["quick_validation_perplexity"]
    reached, due = found[precision], found["float32"]
    unigram = evaluator.evaluate(learner.evaluated_weights()).metrics["unigram_perplexity"]
    assert due < unigram, f"float32 learned nothing: perplexity {due:.1f}, unigram {unigram:.1f}"
    assert reached < 1.05 * due, f"perplexity {reached:.2f}, in float32 {due:.2f}"
    return f"perplexity {reached:.3f}, in float32 {due:.3f}, after {LIKELIHOOD_STEPS} steps"


def captured(device: torch.device) -> str:
    """A rollout as a graph against the same one step by step, which several continuations ask for."""
    task = task_of(monte_carlo_rollouts=1, preset="paper")
    weights = task.learner(device).weights(on_device=True)
    shards = [
        task_of(monte_carlo_rollouts=count, preset="paper").rollout_maker(device).shard(weights, 0, 0, 0)
        for count in (1, 2)
    ]
    for name in ("tokens", "log_probs", "rewards"):
        assert np.array_equal(getattr(shards[0], name), getattr(shards[1], name)), f"other {name}"
    return "same bits"


def sampled(device: torch.device) -> str:
    """The sampler draws its distribution, by chi-squared over 10,000 words; and leaves out what is impossible."""
    rng = stream(0, Purpose.CONTROL)
    # 10,000 words a draw: some seconds of a CPU.
    vocab_size, draws = 10_000, 400_000 if device.type == "cuda" else 40_000
    logits = torch.from_numpy(rng.normal(size=vocab_size).astype(np.float32) * 2)
    log_probs = torch.log_softmax(logits, 0).to(device)
    counts = np.zeros(vocab_size)
    for _ in range(100):
        uniforms = torch.from_numpy(rng.random(draws // 100, dtype=np.float32)).to(device)
        made, _ = sample(log_probs.expand(len(uniforms), -1), uniforms)
        counts += np.bincount(made.cpu().numpy(), minlength=vocab_size)
    due = torch.softmax(logits.double(), 0).numpy() * draws
    # Words that are rare are counted together: chi-squared needs some five of each.
    rare = due < 5
    due = np.append(due[~rare], due[rare].sum())
    counts = np.append(counts[~rare], counts[rare].sum())
    degrees = len(due) - 1
    deviations = (((counts - due) ** 2 / due).sum() - degrees) / (2 * degrees) ** 0.5
    assert abs(deviations) < 4, f"chi-squared is {deviations:.1f} deviations from its mean"
    extreme = torch.full((4, vocab_size), -200.0, device=device)
    extreme[:, 7_777] = 0.0
    ends = torch.tensor([0.0, 0.5, 0.999, 1 - 2**-24], device=device)
    assert (sample(extreme, ends)[0] == 7_777).all(), "an impossible word was drawn"
    return f"chi-squared {deviations:+.1f} deviations from its mean"


def figures(folder: Path, device: str) -> str:
    """Draw a figure of the paper, which trains the Gaussian for 4,500 iterations."""
    typed("reproduce", "figure2", "--device", device, "--out", folder / "figure2.png")
    return ""


def measured(speed: dict[str, Speed], device: torch.device) -> str:
    """Measure text, and the product of matrices that most of the time should go to."""
    speed |= measure_text(device, recipes=RECIPES_OF_GPU)
    return f"[{4096 * 20}, 200] x [200, 10000] in float32: {product_rate(device) / 1e12:.1f} TFLOP/s"


def walk(report: Report, folder: Path, name: str) -> None:
    """All checks, on a device."""
    device = prepare(name)
    has_ray = importlib.util.find_spec("ray") is not None
    report.check("sampler", lambda: sampled(device))
    # On the CPU without Ray, whose starts would take half a minute of it.
    on_ray = has_ray and device.type == "cuda"
    report.check("same bits, bf16", lambda: same_bits(folder, name, on_ray, "bf16"))
    for precision in ("tf32", "bf16"):
        report.check(f"learns in {precision}", lambda precision=precision: learns(precision, device))  # type: ignore[misc]
    report.check("same bits", lambda: same_bits(folder, name, has_ray))
    if device.type == "cuda":
        report.check("a captured rollout", lambda: captured(device))
        for title, changes in GRADIENTS.items():
            report.check(f"gradients, {title}", lambda changes=changes: gradients(changes, device))  # type: ignore[misc]
    for recipe in RECIPES:
        report.check(recipe, lambda recipe=recipe: trained(recipe, folder, name))  # type: ignore[misc]
    report.check("quality", lambda: quality(folder, name))
    if has_ray:
        report.check("two learners", lambda: learners(folder, name))


def main() -> int:
    """Check, measure, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpu", action="store_true", help="check on the CPU, without what compares or measures")
    parser.add_argument("--minutes", type=float, default=4.0, metavar="M", help="start no check after so many")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the JSON object there too")
    options = parser.parse_args()
    if not options.cpu and not torch.cuda.is_available():
        print(f"scripts/check-gpu: torch {torch.__version__} finds no GPU: give --cpu", file=sys.stderr)
        return 2
    report, name = Report(options.minutes), "cpu" if options.cpu else "cuda"
    result: dict[str, Any] = {"device": "cpu" if options.cpu else torch.cuda.get_device_name()}
    speed: dict[str, Speed] = {}
    if not options.cpu:
        # First, since the walk may take all the time that there is.
        report.check("speed of text", lambda: measured(speed, prepare(name)))
    with tempfile.TemporaryDirectory() as created:
        folder = Path(created)
        walk(report, folder, name)
        if not options.cpu:
            report.check("figure 2", lambda: figures(folder, name))
    for title, value in speed.items():
        print(f"{title:44} {value}")
    print(f"failed: {', '.join(report.failed) or 'nothing'}")
    result |= {
        "torch": torch.__version__,
        "checks": report.rows,
        "speed": {title: vars(value) for title, value in speed.items()},
        "failed": report.failed,
    }
    if options.out:
        options.out.write_text(json.dumps(result, indent=1))
    print(json.dumps(result))
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
