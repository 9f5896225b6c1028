"""Sinks by name: the built-in ones, and one that somebody else wrote."""

import inspect
import subprocess
import sys

import numpy as np
import pytest

from rlgan.errors import UsageError
from rlgan.runs import sinks
from rlgan.runs.directory import RunDirectory
from rlgan.runs.sinks import DEFAULT_SINKS, SINKS, make_sinks
from rlgan.runs.sinks.sink import Record, SinkContext
from rlgan.types import Evaluation

EVALUATION = Evaluation({"test_perplexity": 9.0}, {"reward": [0.1, 0.2]}, ["a b"], {"log_odds": np.zeros(3)})


@pytest.fixture
def context(tmp_path):
    return SinkContext(RunDirectory(tmp_path), -1, lambda *_: None)


def test_each_name_of_the_table_makes_a_sink(context):
    made = make_sinks(list(SINKS), context)
    for sink in made:
        sink.write(0, Record({"loss": 0.5}, {"epoch": 0.0}, EVALUATION, {}, {"local": 1}))
        sink.close()
    assert [type(sink).__name__ for sink in made] == ["JsonLines", "TensorBoard", "Pictures", "Prometheus"]
    assert tuple(SINKS) == DEFAULT_SINKS


CSV_SINK = """
class CsvSink:
    def __init__(self, context):
        self.file = (context.run.local / "scalars.csv").open("a")

    def write(self, step, record):
        for name, value in record.scalars().items():
            print(step, name, value, sep=",", file=self.file, flush=True)

    def close(self):
        self.file.close()
"""


def test_a_sink_from_outside_the_package_is_named_by_its_module(context, tmp_path, monkeypatch):
    (tmp_path / "csv_sink.py").write_text(CSV_SINK)
    monkeypatch.syspath_prepend(str(tmp_path))
    (sink,) = make_sinks(["csv_sink:CsvSink"], context)
    sink.write(4, Record(training={"loss": 0.5}))
    sink.write(5, Record({}, {"epoch": 0.25}, EVALUATION, {"method": "mle"}, {"local": 2}))
    sink.close()
    assert (tmp_path / "scalars.csv").read_text().splitlines() == [
        "4,training/loss,0.5", "5,evaluation/test_perplexity,9.0", "5,run/epoch,0.25", "5,run/shards_local,2",
        "5,positions/reward/01,0.1", "5,positions/reward/02,0.2",
    ]  # fmt: skip


def test_the_example_in_the_docstring_is_this_one():
    documented = inspect.getdoc(sinks)
    assert documented is not None
    assert all(line in documented for line in CSV_SINK.splitlines())


def test_a_name_that_is_no_sink_is_refused_with_the_choices(context):
    with pytest.raises(UsageError, match="'wandb' is none of json_lines, tensorboard, "):
        make_sinks(["json_lines", "wandb"], context)


def test_metrics_jsonl_is_written_first_and_no_sink_twice(context):
    made = make_sinks(["prometheus", "json_lines", "prometheus"], context)
    assert [type(sink).__name__ for sink in made] == ["JsonLines", "Prometheus"]


def test_a_sink_that_can_not_be_made_closes_those_before_it(context, tmp_path, monkeypatch):
    (tmp_path / "two_sinks.py").write_text(
        "closed = []\n"
        "class First:\n    def __init__(self, context): pass\n    def close(self): closed.append(True)\n"
        "class Second:\n    def __init__(self, context): raise OSError('no network')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(OSError, match="no network"):
        make_sinks(["two_sinks:First", "two_sinks:Second"], context)
    import two_sinks

    assert two_sinks.closed == [True]


def test_the_names_of_the_sinks_are_listed_without_importing_what_they_need():
    code = "import sys, rlgan.runs.sinks; print(*sorted({'torch', 'ray', 'numpy', 'tensorboard'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
