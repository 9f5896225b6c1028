"""What a run measures reaches every sink, and is taken back where a run goes back."""

import json
import time

import numpy as np
import pytest

from rlgan.runs.directory import RunDirectory
from rlgan.runs.recorder import Recorder
from rlgan.runs.sinks import DEFAULT_SINKS
from rlgan.types import Evaluation

EVALUATION = Evaluation({"test_perplexity": 9.0}, {"reward": [0.1, 0.2]}, ["a b"], {"log_odds": np.zeros(3)})


@pytest.fixture
def run(tmp_path):
    return RunDirectory(tmp_path)


@pytest.fixture
def record(run):
    """Give a recorder of the run that was rewound to a step, with the sinks of these names."""
    opened = []

    def make(after, *names):
        opened.append(Recorder(run, names or DEFAULT_SINKS, lambda *_: None))
        opened[-1].rewind(after)
        return opened[-1]

    yield make
    for recorder in opened:
        recorder.close()


def _lines(run):
    return [json.loads(line) for line in run.metrics_file.read_text().splitlines()]


def test_a_resume_takes_back_what_was_recorded_after_its_checkpoint(run, record):
    recorder = record(-1)
    assert recorder.last_step == -1
    for step in (0, 10, 20):
        recorder.evaluation(step, EVALUATION, {"epoch": 0.1}, {"method": "mle"}, {"local": 2})
    assert recorder.last_step == 20
    recorder.close()
    with run.metrics_file.open("a") as file:
        file.write('{"step": 30, "test_per')  # killed while it wrote
    recorder = record(10)
    assert recorder.last_step == 10
    recorder.evaluation(20, EVALUATION, {}, {}, {})
    assert [line["step"] for line in _lines(run)] == [0, 10, 20]
    assert _lines(run)[0] == {
        "step": 0, "method": "mle", "test_perplexity": 9.0, "reward": [0.1, 0.2], "epoch": 0.1,
        "shards_by_worker": {"local": 2},
    }  # fmt: skip


def test_the_keys_of_a_line_are_in_the_order_step_labels_measures_series_training_shards(run, record):
    record(-1).evaluation(0, EVALUATION, {"epoch": 0.1}, {"method": "mle"}, {"local": 2})
    (line,) = run.metrics_file.read_text().splitlines()
    assert list(json.loads(line)) == ["step", "method", "test_perplexity", "reward", "epoch", "shards_by_worker"]


def test_a_recorder_goes_back_while_it_records(run, record):
    recorder = record(-1)
    for step in (0, 10, 20):
        recorder.evaluation(step, EVALUATION, {}, {}, {})
    recorder.rewind(10)
    assert recorder.last_step == 10
    recorder.evaluation(20, EVALUATION, {}, {}, {})
    assert [line["step"] for line in _lines(run)] == [0, 10, 20]


def test_a_byte_of_the_metrics_that_is_no_utf_8_does_not_stop_a_resume(run, record):
    run.metrics_file.write_bytes(b'{"step": 0, "note": "\xff"}\n{"step": 5}\n')
    assert record(0).last_step == 0


def test_only_evaluations_get_a_line_of_metrics_jsonl(run, record):
    recorder = record(-1)
    recorder.training(1, {"loss": 1.0})
    recorder.progress(1, {"epoch": 0.1})
    assert not run.metrics_file.exists()
    assert recorder.last_step == -1


def test_tensorboard_reads_scalars_histograms_and_texts_and_forgets_what_was_taken_back(run, record):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    recorder = record(-1)
    for step in (0, 10, 20):
        recorder.evaluation(step, EVALUATION, {"epoch": 0.5}, {"method": "mle"}, {"local": 3})
    recorder.close()
    time.sleep(1.1)  # TensorBoard orders files by the second, and then by a number that is no number to it: 10 before 9
    recorder = record(10)
    recorder.training(15, {"loss": 2.0})
    recorder.progress(15, {"epoch": 0.7})
    recorder.close()
    events = EventAccumulator(str(run.events))
    events.Reload()
    tags = events.Tags()
    assert tags["scalars"] == [
        "1_quality/01_test_perplexity", "4_speed/epoch", "5_cluster/shards_made", "2_losses/loss",
    ]  # fmt: skip
    assert tags["histograms"] == ["log_odds"]
    assert tags["images"] == ["by_position"]
    assert tags["tensors"] == ["samples/text_summary", "custom_scalars__config__"]
    assert [event.step for event in events.Scalars("1_quality/01_test_perplexity")] == [0, 10]
    # What comes between evaluations, for whoever watches, is no point of a curve.
    assert [event.step for event in events.Scalars("4_speed/epoch")] == [0, 10]


def test_pictures_become_files_named_by_the_epoch_and_the_step(run, record):
    from PIL import Image

    picture = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    drawn = Evaluation({}, {}, [], {}, {"samples": picture})
    record(-1).evaluation(3, drawn, {"epoch": 1.5}, {}, {})
    file = run.pictures / "samples-epoch-001.50-step-00000003.png"
    np.testing.assert_array_equal(np.asarray(Image.open(file)), picture)


def test_a_run_without_pictures_has_no_folder_for_them(run, record):
    record(-1).evaluation(3, EVALUATION, {"epoch": 1.5}, {}, {})
    assert not run.pictures.exists()


def test_monitoring_is_given_what_is_recorded_of_the_run_and_its_step(run):
    exported = []
    recorder = Recorder(run, ["prometheus"], lambda *arguments: exported.append(arguments))
    recorder.rewind(-1)
    recorder.training(1, {"loss": 1.0})
    recorder.progress(2, {"epoch": 0.1})
    recorder.evaluation(3, EVALUATION, {"epoch": 0.2}, {}, {"local": 1})
    recorder.close()
    name = run.path.name
    assert exported == [(name, {"epoch": 0.1, "step": 2.0}), (name, {"epoch": 0.2, "step": 3.0})]


SINKS_OF_A_STRANGER = """
class Fails:
    def __init__(self, context):
        pass

    def write(self, step, record):
        raise OSError(28, "No space left on device")

    def close(self):
        raise OSError(28, "No space left on device")
"""


def test_a_sink_that_fails_is_left_out_with_a_line_and_the_evaluation_is_in_metrics_jsonl(run, tmp_path, monkeypatch):
    (tmp_path / "failing_sinks.py").write_text(SINKS_OF_A_STRANGER)
    monkeypatch.syspath_prepend(str(tmp_path))
    said = []
    recorder = Recorder(run, ["failing_sinks:Fails", "json_lines"], lambda *_: None, said.append)
    recorder.rewind(-1)
    for step in (7, 8):
        recorder.evaluation(step, EVALUATION, {}, {}, {})
    assert [line["step"] for line in _lines(run)] == [7, 8]
    (line,) = said
    assert line.startswith("Fails can't write the metrics of step 7 ([Errno 28] No space left on device)")
    recorder.close()
