"""All that `rlgan evaluate` tells of a run on text."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

from rlgan.device import prepare
from rlgan.errors import RunError
from rlgan.settings import differences, new_figure
from rlgan.task import EvaluationTools, LoadedRun, Result, Stages, Status
from rlgan.text.benchmark import MEASURING, MODELLING, PROTOCOL, READING, SAMPLING, TextBenchmark, difference
from rlgan.text.corpora.files import with_test
from rlgan.text.corpus import Corpus
from rlgan.text.methods.method import find_method
from rlgan.text.policy_evaluation import measured_policy
from rlgan.text.settings import EvaluateOptions, TextSettings
from rlgan.text.task import TextTask
from rlgan.text.trained import vocabulary_of


def evaluate_run(run: LoadedRun, options: EvaluateOptions, tools: EvaluationTools) -> Result:
    """Measure a run for `rlgan evaluate RUN`: as in training, and the quality of its text beside that of real text.

    Raises:
        RunError: the run's own data is not there, a text can't be read, or a control does not compare.
    """
    task = _own_task(run, tools)
    # Opened before the measuring, which takes minutes: a control that does not compare is refused at once.
    controls = [_control(path, task.corpus, tools) for path in options.control]
    tested: Result = {}
    if tools.test_data is not None:
        corpus, unknown = with_test(task.corpus, Path(tools.test_data), run.settings.corpus)
        task = replace(task, corpus=corpus)
        tested = {"test_data": tools.test_data, "test_unknown_words": unknown}
    # Rising, because a figure draws a curve through them in this order; each is measured once.
    temperatures = sorted(set(options.temperatures))
    stages = _stages(tools.status, 1 + len(controls), 0 if options.quick else len(temperatures))
    benchmark = None
    if not options.quick:
        benchmark = TextBenchmark(task.corpus, options.samples, prepare(run.device), stages.begin)
    if options.policy is not None:
        results = [measured_policy(options.policy, run, task.corpus, benchmark, temperatures)]
    else:
        results = [_measured(each, task, benchmark, temperatures, stages) for each in (run, *controls)]
    result: Result = results[0] | tested | {"test_rows": task.corpus.test.shape[0]}
    if benchmark:
        result |= {"quality_floor": benchmark.floor(), "quality_rows": benchmark.rows}
        result |= {"quality_samples": benchmark.samples, "quality_protocol": PROTOCOL}
    if controls:
        result["controls"] = [
            _compared(result, run, control, found) for control, found in zip(controls, results[1:], strict=True)
        ]
    if options.figure is not None:
        result["figure"] = str(_draw(result, options, tools.command))
    return result


def _draw(result: Result, options: EvaluateOptions, command: str) -> Path:
    # Late: matplotlib takes long to import, and most evaluations draw nothing.
    from rlgan.text.figures import write_quality

    entries = (result, *result.get("controls", []))
    of = ", ".join(
        f"{entry['run']} at step {entry['step']}" if "step" in entry else entry["policy"] for entry in entries
    )
    facts = {"command": f"`{command}`", "runs": of, "samples at each temperature": f"{result['quality_samples']:,}"}
    # What was not there before the measuring may be there now: that is no reason to lose what took minutes.
    file = new_figure("--figure", str(options.figure), force=True)
    write_quality(file, {entry["run"]: entry["quality"] for entry in entries}, result["quality_floor"], facts)
    return file


def _own_task(run: LoadedRun, tools: EvaluationTools) -> TextTask:
    """The task of a run, with the data that the run was trained on.

    Raises:
        RunError: that is not there.
    """
    words, task = vocabulary_of(run), _task_of(run, tools)
    if task.corpus.words != words:
        raise RunError(f"{run.settings.corpus.data} is not the data that {run.path} was trained on: put it back")
    return task


def _task_of(run: LoadedRun, tools: EvaluationTools) -> TextTask:
    # The protocol of tasks knows no corpus; the task of a run on text has one.
    return cast(TextTask, tools.prepare(run))


def _stages(status: Status, runs: int, temperatures: int) -> Stages:
    """Shows how far an evaluation of so many runs is; without temperatures, one without their quality."""
    of_text = MODELLING + MEASURING if temperatures else 0.0
    return Stages(status, runs * (READING + temperatures * (SAMPLING + MEASURING)) + of_text)


def _measured(
    run: LoadedRun, task: TextTask, benchmark: TextBenchmark | None, temperatures: Sequence[float], stages: Stages
) -> Result:
    """What is found of a run on the data of a task, and which run it is."""
    stages.begin(f"measuring {run.path}", READING)
    evaluator = task.with_settings(run.settings).evaluator(prepare(run.device))
    evaluation = evaluator.evaluate(run.weights)
    result: Result = {"run": run.path, "step": run.step, "data": task.settings.corpus.data}
    result |= run.task.labels(run.settings) | evaluation.metrics | evaluation.series
    if benchmark:
        result["test_perplexity_carried"] = evaluator.carried_perplexity(run.weights)
        result["quality"] = [
            benchmark.generated(each, partial(evaluator.samples, run.weights, benchmark.samples, each))
            for each in temperatures
        ]
    return result


def _compared(result: Result, run: LoadedRun, control_run: LoadedRun, control: Result) -> Result:
    """What is found of a control, with the gain over it."""
    # Where the data lies is no difference: that it is the same was checked when the control was opened.
    control["differs_in"] = differences(run.settings, control_run.settings, ignored=run.task.places)
    control["gain_nats_per_token"] = math.log(control["test_perplexity"] / result["test_perplexity"])
    if "quality" in result:
        control["difference"] = difference(result["quality"], control["quality"])
    return control


def _control(path: str, corpus: Corpus, tools: EvaluationTools) -> LoadedRun:
    """Open a run to hold another one against.

    Raises:
        RunError: it has other words or other data, or learned from its discriminator.
    """
    run = tools.load_run(path)
    if not isinstance(run.settings, TextSettings) or vocabulary_of(run) != corpus.words:
        raise RunError(f"--control {path} has another vocabulary: give a run on the same data")
    if run.settings.rewards.reward_control == "none" and find_method(run.settings.method).adversarial:
        raise RunError(f"--control {path} learned from its discriminator: train one with --reward-control, or by mle")
    if _task_of(run, tools).corpus.fingerprint != corpus.fingerprint:
        raise RunError(f"--control {path} has other data, or other rows of it: give a run on the same")
    return run


def result_lines(result: Result) -> list[str]:
    """What `rlgan evaluate` prints of a text run beside its numbers: tables of the quality at each temperature."""
    if "quality" not in result:
        return []
    lines = [f"{name}: {text}" for name, text in result["quality_protocol"].items()]
    lines.append("Good is what is close to real text in all of them: each by itself can be had cheaply.")
    controls = result.get("controls", [])
    for entry in (result, *controls):
        title = f"{entry['run']}, step {entry['step']}{_perplexities(entry)}" if "step" in entry else entry["policy"]
        lines += _table(title, [*entry["quality"], result["quality_floor"]])
    for entry in controls:
        lines += _table(f"{result['run']} less {entry['run']}", entry["difference"])
    return lines


def _perplexities(entry: Result) -> str:
    """The perplexities that a table is of: the generator's, and that of softmax(f) where the discriminator has one."""
    implied = entry.get("implied_test_perplexity")
    said = "" if implied is None else f", D's implied {implied:.4g}"
    return f": test perplexity {entry['test_perplexity']:.4g}{said}"


def _table(title: str, columns: list[dict[str, float]]) -> list[str]:
    """Measures as rows; a column without a temperature is of real text."""
    heads = [f"T = {column['temperature']:g}" if "temperature" in column else "real text" for column in columns]
    lines = ["", title, f"{'':28}" + "".join(f"{head:>11}" for head in heads)]
    # A dict in place of a set keeps the measures in their order; columns do not all have the same ones.
    for name in dict.fromkeys(name for column in columns for name in column if name != "temperature"):
        cells = (f"{column[name]:.4g}" if name in column else "-" for column in columns)
        lines.append(f"  {name:26}" + "".join(f"{cell:>11}" for cell in cells))
    return lines
