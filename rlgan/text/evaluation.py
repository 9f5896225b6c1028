"""All that `rlgan evaluate` tells of a run on text."""

from rlgan.device import prepare
from rlgan.settings import new_figure
from rlgan.task import EvaluationTools, LoadedRun, Result, Stages
from rlgan.text.authors import READING, SAMPLING
from rlgan.text.benchmark import DURATION, PROTOCOL, REAL_DURATION, measure_quality
from rlgan.text.compared import open_compared
from rlgan.text.gains import over_controls
from rlgan.text.settings import EvaluateOptions


def evaluate_run(run: LoadedRun, options: EvaluateOptions, tools: EvaluationTools) -> Result:
    """Measure a run for `rlgan evaluate RUN`: as in training, and the quality of its text beside that of real text.

    Raises:
        RunError: the run's own data is not there, a text can't be read, or a control does not compare.
        UsageError: a policy from outside is no function, or can't write at the temperatures.
    """
    # First, so that a GPU which is not there is said at once; a policy from outside computes under the same rules.
    device = prepare(run.device)
    compared = open_compared(run, options, tools)
    authors, temperatures = 1 + len(options.control), options.compared_temperatures
    # A policy that chooses tokens writes at one temperature, and is done sooner.
    texts = authors * len(temperatures) * (SAMPLING + DURATION) + REAL_DURATION if temperatures else 0.0
    stages = Stages(tools.status, authors * READING + texts)
    written = [author.write(compared.samples, compared.temperatures, stages) for author in compared.authors]
    results = [each.measures for each in written]
    quality: Result = {}
    if temperatures:
        sweeps, floor = measure_quality(written, compared.corpus, compared.rows, device, stages)
        results = [found | {"quality": sweep} for found, sweep in zip(results, sweeps, strict=True)]
        quality = {"quality_floor": floor, "quality_rows": compared.rows, "quality_samples": compared.samples}
        quality["quality_protocol"] = PROTOCOL
    result = results[0] | compared.facts | quality
    if compared.controls:
        result["controls"] = over_controls(result, results[1:], run, compared.controls)
    if options.figure is not None:
        # Late: matplotlib takes long to import, and most evaluations draw nothing.
        from rlgan.text.figures import write_quality

        # What was not there before the measuring may be there now: that is no reason to lose what took minutes.
        file = new_figure("--figure", options.figure, force=True)
        write_quality(file, result, tools.command)
        result["figure"] = str(file)
    return result
