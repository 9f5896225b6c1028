"""Measure how fast a step is, and how much of that is arithmetic that nobody can leave out.

    scripts/benchmark text [--batch 64 256] [--device cuda]     tokens that the policy learns from, per second
    scripts/benchmark text --grid [--minutes M]                 by workers, lag, vocabulary, length and batch
    scripts/benchmark scale [--figure FILE]                     simulated: up to 1,000 workers and 64 learners
    scripts/benchmark gaussian                                  iterations against those of a bare torch loop
    scripts/benchmark image                                     pictures against those of a bare torch loop

On the CPU seconds are CPU seconds of this process, which computes with one thread, so that other work on the machine
counts less. Text: the products of matrices of one step are noted with their shapes, and each is timed by itself; the
share of the limit is what these take of the whole step. Where the time of a step goes is told by part. Maximum
likelihood is held against a plain loop with `nn.GRU` and `cross_entropy`. Everything that is compared is measured in
turns, and medians are taken.
`--json` prints one object.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from benchmark_grid import grid
from benchmark_parts import AROUND_THE_NETWORKS, shares
from benchmark_text import LENGTH, RECIPES, VOCAB_SIZE, made_up_corpus
from benchmark_turns import Step, seconds_by_turn, seconds_of
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from rlgan.device import prepare
from rlgan.gaussian.settings import BEST as BEST_GAUSSIAN
from rlgan.gaussian.settings import PAPER as PAPER_GAUSSIAN
from rlgan.gaussian.task import GaussianTask
from rlgan.images.settings import BEST as BEST_IMAGE
from rlgan.images.task import ImageTask
from rlgan.learning.adversarial import gradient_penalty
from rlgan.learning.direct_gradient import DirectGradient
from rlgan.learning.learner import Learner
from rlgan.settings import updated
from rlgan.text.presets import PAPER
from rlgan.text.task import TextTask
from rlgan.types import Rollout

Shapes = tuple[tuple[int, ...], tuple[int, ...]]

# Products of matrices, and where the first of the two stands among the arguments.
MATRICES = {torch.ops.aten.mm: 0, torch.ops.aten.bmm: 0, torch.ops.aten.addmm: 1, torch.ops.aten.addmm_: 1}


class Products(TorchDispatchMode):
    """Notes the shapes of every product of matrices."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: Counter[Shapes] = Counter()

    def __torch_dispatch__(self, operation: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        first = MATRICES.get(operation.overloadpacket)
        if first is None:
            # In inference mode whole layers arrive here, such as a GRU: taken apart, their products arrive one by one.
            with self:
                result = operation.decompose(*arguments, **(options or {}))
            return operation(*arguments, **(options or {})) if result is NotImplemented else result
        left, right = arguments[first : first + 2]
        self.shapes[tuple(left.shape), tuple(right.shape)] += 1
        return operation(*arguments, **(options or {}))

    def operations(self) -> float:
        """Floating-point operations of all of them: two for each number of the result and each step of its sum."""
        return sum(2.0 * torch.Size(left).numel() * right[-1] * times for (left, right), times in self.shapes.items())

    def replay(self, device: torch.device) -> Step:
        """The same products, of random numbers, and nothing else."""
        made = []
        for (left, right), times in self.shapes.items():
            factors = torch.randn(left, device=device), torch.randn(right, device=device)
            # Into memory that is there: to get it is no product.
            made.append((*factors, factors[0] @ factors[1], times))

        def all_products() -> None:
            for left, right, out, times in made:
                for _ in range(times):
                    torch.matmul(left, right, out=out)

        return all_products


class TextSteps:
    """Training steps of text in one process, as `rlgan train text --workers 0` does them."""

    def __init__(self, name: str, batch: int, device: torch.device) -> None:
        settings = updated(PAPER, RECIPES[name] | {"batch_size": batch, "shards": 1, "layout": "windows"})
        self.task = TextTask(settings, made_up_corpus())
        self.learner = self.task.learner(device)
        self.maker = self.task.rollout_maker(device)

    def rollouts(self) -> list[Rollout]:
        """Those of the step that comes next."""
        step = self.learner.version
        plan = self.task.schedule.plan(step)
        if not plan.draws:
            return []
        weights = self.learner.weights(on_device=True)
        return [self.maker.shard(weights, step, draw, 0) for draw in range(plan.draws)]

    def step(self) -> None:
        """One step."""
        step = self.learner.version
        self.learner.update(step, self.task.schedule.plan(step), self.rollouts())


def plain_mle(batch: int, device: torch.device) -> Step:
    """Maximum likelihood with the same sizes, as a tutorial has it."""
    embedding, core, output = (
        nn.Embedding(VOCAB_SIZE + 1, 200),
        nn.GRU(200, 200, batch_first=True),
        nn.Linear(200, VOCAB_SIZE),
    )
    model = nn.ModuleList([embedding, core, output]).to(device)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    tokens = torch.randint(VOCAB_SIZE, (batch, LENGTH), device=device)
    before = torch.cat([torch.full_like(tokens[:, :1], VOCAB_SIZE), tokens[:, :-1]], dim=1)

    def step() -> None:
        optimizer.zero_grad()
        states, _ = core(embedding(before), torch.randn(1, batch, 200, device=device))
        functional.cross_entropy(output(states).flatten(0, 1), tokens.flatten()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()

    return step


def text(
    batches: list[int], device: torch.device, recipes: Iterable[str] = tuple(RECIPES)
) -> dict[str, dict[str, float]]:
    """Recipes, by default every one, at every batch size."""
    found = {}
    for name in recipes:
        for batch in batches:
            steps = TextSteps(name, batch, device)
            steps.step()
            with Products() as products:
                steps.step()
            timed: dict[str, Step] = {
                "step": steps.step,
                "rollouts": steps.rollouts,
                "products": products.replay(device),
            }
            if name == "mle":
                timed["plain"] = plain_mle(batch, device)
            seconds = seconds_of(timed, device)
            tokens = batch * LENGTH
            # A GPU computes on when the host goes on: its time can't be told apart so.
            by_part = shares(steps.step, steps.maker.rollouts) if device.type == "cpu" else {}
            of_parts = {f"share_of {part}": share for part, share in sorted(by_part.items())}
            if by_part:
                around = sum(by_part.get(part, 0.0) for part in AROUND_THE_NETWORKS)
                of_parts["share_around_the_networks"] = around
            found[f"{name}, batch {batch:,}"] = {
                "tokens_per_second": tokens / seconds["step"],
                "operations_per_token": products.operations() / tokens,
                "limit_tokens_per_second": tokens / seconds["products"],
                "share_of_limit": seconds["products"] / seconds["step"],
                "share_of_rollouts": seconds["rollouts"] / seconds["step"],
                **of_parts,
                **({"times_a_plain_loop": seconds["plain"] / seconds["step"]} if "plain" in seconds else {}),
            }
    return found


def bare_loop(learner: Learner, real: Tensor, noise: Callable[[], Tensor]) -> Step:
    """A loop over the same networks, losses and optimisers, with nothing beside them: no stream, record or average."""
    adapter = learner.adapter
    assert isinstance(adapter, DirectGradient)
    generator, discriminator, loss = adapter.generator, adapter.discriminator, adapter.loss

    def step() -> None:
        fake = discriminator(generator(noise()))
        true = discriminator(real).detach() if loss.paired else fake
        learner.optimizers["generator"].zero_grad()
        loss.generator(true, fake).backward()
        learner.optimizers["generator"].step()
        with torch.no_grad():
            made = generator(noise())
        made.requires_grad_(adapter.r2 > 0)
        shown = real.clone().requires_grad_(adapter.r1 > 0)
        true, fake = discriminator(shown), discriminator(made)
        value = loss.discriminator(true, fake)
        if adapter.r1:
            value = value + adapter.r1 * gradient_penalty(true, shown)
        if adapter.r2:
            value = value + adapter.r2 * gradient_penalty(fake, made)
        learner.optimizers["discriminator"].zero_grad()
        value.backward()
        learner.optimizers["discriminator"].step()

    return step


def against_bare_loop(task: Any, samples: int, device: torch.device) -> dict[str, float]:
    """Steps of a task whose generator learns through its discriminator, against a bare loop over such networks."""
    ours, other = task.learner(device), task.learner(device)
    rng = torch.Generator().manual_seed(0)
    real = torch.from_numpy(task.real(0, 0).real).to(device)
    size = next(iter(other.adapter.generator.parameters())).shape[1]

    def step() -> None:
        ours.update(ours.version, task.schedule.plan(ours.version), [])

    bare = bare_loop(other, real, lambda: torch.randn(samples, size, generator=rng).to(device))
    turns = seconds_by_turn({"step": step, "bare": bare}, device)
    seconds = statistics.median(turn["step"] for turn in turns)
    return {
        "steps_per_second": 1 / seconds,
        "samples_per_second": samples / seconds,
        # Of each turn, since what else the machine does changes from one to the next.
        "times_a_bare_loop": statistics.median(turn["step"] / turn["bare"] for turn in turns),
    }


def gaussian(batches: list[int], device: torch.device) -> dict[str, dict[str, float]]:
    """Iterations of both presets."""
    del batches  # the recipe has its own
    recipes = {"paper": PAPER_GAUSSIAN, "best": BEST_GAUSSIAN}
    return {name: against_bare_loop(GaussianTask(each), each.batch_size, device) for name, each in recipes.items()}


def image(batches: list[int], device: torch.device) -> dict[str, dict[str, float]]:
    """Steps of the preset `best`, 64 x 64, on drawn faces."""
    found = {}
    with tempfile.TemporaryDirectory() as cache:
        for batch in batches:
            # Not with the recipe's two threads, which on a busy machine spend their time on waiting for each other.
            changes = {"faces": 600, "batch_size": batch, "cache": cache, "threads": 1}
            task = ImageTask.load(updated(BEST_IMAGE, changes))
            task.prepare(map, lambda line: print(line, file=sys.stderr))
            found[f"best, batch {batch}"] = against_bare_loop(task, batch, device)
    return found


def _shown(value: float | str | Mapping[str, Any]) -> str:
    """A number, or several beside each other."""
    if isinstance(value, Mapping):
        return "  ".join(map(_shown, value.values()))
    return f"{value:>14}" if isinstance(value, str) else f"{value:14,.3f}"


def at_scale(figure: Path | None) -> dict[str, Any]:
    """Simulate many workers, and check the simulation against real runs."""
    from benchmark_scale import RECIPES as MADE
    from benchmark_scale import checks, draw, measured_parts, scale, told

    prepare("cpu")
    parts = {name: measured_parts(make) for name, make in MADE.items()}
    found = {f"{name}, parts": told(measured) for name, measured in parts.items()}
    for name in parts:
        found |= {f"{name}, {title}": speeds for title, speeds in scale(parts[name], name == "paper").items()}
    found |= {f"paper, {name}": numbers for name, numbers in checks(parts["paper"])}
    if figure is not None:
        draw(parts["paper"], figure)
    return found


def show(found: Mapping[str, Any], left_out: Mapping[str, str], as_json: bool) -> int:
    """Print what was measured, as lines or as one object."""
    if as_json:
        print(json.dumps(found))
        return 0
    for name, values in found.items():
        print(name)
        for key, value in values.items():
            print(f"    {key:26} {_shown(value)}")
    for name, reason in left_out.items():
        print(f"{name}: left out; {reason}")
    return 0


def main() -> int:
    """Measure one task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("text", "image", "gaussian", "scale"))
    parser.add_argument("--batch", type=int, nargs="+", metavar="SEQUENCES", help="text: 64 256; image: 32")
    parser.add_argument("--recipe", nargs="+", choices=tuple(RECIPES), help="text: by default all")
    parser.add_argument("--device", default="cpu", metavar="auto|cpu|cuda")
    parser.add_argument("--grid", action="store_true", help="text: by workers, lag, vocabulary, length and batch")
    parser.add_argument("--minutes", type=float, metavar="M", help="of --grid, by default 15; the rest is left out")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="scale: draw the curves, as PNG or PDF")
    parser.add_argument("--json", action="store_true", help="print one object and nothing else")
    options = parser.parse_args()
    if options.figure and options.task != "scale":
        parser.error(f"--figure is for scale, not for {options.task}: leave it out")
    if options.batch and options.task == "gaussian":
        parser.error("--batch is for text and image, and gaussian has batches of its recipes: leave it out")
    if options.minutes is not None and not options.grid:
        parser.error("--minutes is for --grid: leave it out")
    if options.task == "scale" and (options.batch or options.device != "cpu"):
        parser.error("scale has batches of its own, on the CPU: leave --batch and --device out")
    if options.task == "scale":
        return show(at_scale(options.figure), {}, options.json)
    if options.recipe and (options.task != "text" or options.grid):
        parser.error("--recipe is for text without --grid: leave it out")
    if options.grid and options.task != "text":
        parser.error(f"--grid is for text, not for {options.task}: leave it out")
    if options.grid and (options.batch or options.device != "cpu"):
        parser.error("--grid has batches of its own, on the CPU: leave --batch and --device out")
    device = prepare(options.device)
    left_out: dict[str, str] = {}
    if options.grid:
        found, left_out = grid(15.0 if options.minutes is None else options.minutes)
        return show(found | {"left out": left_out} if options.json else found, left_out, options.json)
    text_of = partial(text, recipes=options.recipe or tuple(RECIPES))
    measure, batches = {"text": (text_of, [64, 256]), "image": (image, [32]), "gaussian": (gaussian, [])}[options.task]
    return show(measure(options.batch or batches, device), {}, options.json)


if __name__ == "__main__":
    sys.exit(main())
