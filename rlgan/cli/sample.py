"""`rlgan sample RUN ...`: what the run's generator makes."""

import json
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from rlgan.cli.help import Page
from rlgan.cli.parsing import parse
from rlgan.cli.tasks import kind_of_operation, options_for, refuse_options_of_others, task_of_run
from rlgan.settings import AtLeast, Checkpoint, Device, TypedPath, check, printable, resolve
from rlgan.task import sample_line


@dataclass(frozen=True)
class SampleSettings:
    """The run, and how much is sampled."""

    run: Annotated[Positional[str], TypedPath(), arg(metavar="RUN")]
    """The run's directory, or that of several seeds: then of the one with the best score."""
    count: Annotated[int, AtLeast(1)] = 10
    """How many samples."""
    seed: Annotated[int, AtLeast(0)] = 0
    """Seed of the samples."""
    checkpoint: Checkpoint = "newest"
    """Which checkpoint: the newest whole one, or the best by the task's selection metric."""
    device: Device = "cpu"
    """What computes: cpu, so that the result does not depend on the machine; cuda, cuda:N, or auto, a GPU where one is
    found."""
    format: Literal["lines", "json"] = "lines"
    """lines: a line for each sample. json: an object for each, on a line of its own, for programs."""
    trust_imports: bool = False
    """Import code from outside of rlgan that the run's config.json names."""


PAGE = Page(
    program="rlgan sample",
    arguments="RUN [--FLAG VALUE ...]",
    summary="Print sentences that the generator writes, or numbers, one per line; or draw pictures",
    first=("run", "count", "seed", "checkpoint"),
    examples=(
        "rlgan sample runs/a --count 5                      # five sentences",
        'rlgan sample runs/a --prompt "the cat"             # that begin so',
        "rlgan sample runs/f --count 64 --out grid.png      # a grid of 64 pictures",
    ),
)


def sample(words: list[str]) -> None:
    """Sample from a run's generator.

    Raises:
        UsageError: what was typed makes no sense.
        RunError: the run can't be read.
    """
    tasks = task_of_run(words)
    options = parse(kind_of_operation("sample", SampleSettings, tasks), words, PAGE)
    check(options)
    common = options.common

    from rlgan.runs.loading import load_run
    from rlgan.runs.near import seeds_in

    place = common.run
    if seeds := seeds_in(Path(place)):
        from rlgan.cli.seeds import best_seed

        place = str(best_seed(seeds, partial(print, file=sys.stderr)))
    run = load_run(place, common.checkpoint, trust_imports=common.trust_imports, device=common.device)
    refuse_options_of_others(options, tasks, run.task, common.run, "sample")
    own = options_for(run.task, options, "sample")
    for one in resolve(run.task.sample.run, {})(run, common.count, common.seed, own):
        line = json.dumps({"sample": one, "step": run.step}) if common.format == "json" else printable(sample_line(one))
        print(line, flush=True)  # as it goes: whoever reads may want no more than the first
