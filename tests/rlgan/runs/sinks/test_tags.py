"""Under which tags TensorBoard shows what runs measure."""

import importlib
import json
from pathlib import Path

import pytest

import rlgan.images.headlines
from rlgan.runs.sinks.tags import charts, evaluation_tags, summed_over_workers, training_tag
from rlgan.task import find_task

RUNS = Path(__file__).parents[2] / "cli" / "runs_of_ed22221"


@pytest.mark.parametrize("task", ["text", "gaussian", "image"])
def test_each_number_of_a_real_line_has_one_tag_and_there_are_about_forty(task):
    line = json.loads((RUNS / task / "metrics.jsonl").read_text().splitlines()[-1])
    names = [name for name, value in line.items() if isinstance(value, float)]
    measures = names[: next(place for place, name in enumerate(names) if name.startswith("loss_"))]
    wing = importlib.import_module(find_task(task).headlines.partition(":")[0])
    tags = evaluation_tags(measures, wing.MEASURES.references)
    assert next(iter(tags.values())).startswith("1_quality/01_")
    others = [training_tag(name) for name in names[len(measures) :]]
    every = [*tags.values(), *others]
    assert len(set(every)) == len(every)
    assert len(every) < 50
    assert {tag[0] for tag in every} <= set("123456")
    assert charts(tags, wing.MEASURES.charts)["quality"]


def test_what_no_generator_is_needed_for_stands_apart_and_the_task_says_how_it_is_called():
    names = ["rfid", "rfid_floor", "rfid_mean_picture", "rfid_pca200"]
    tags = evaluation_tags(names, rlgan.images.headlines.MEASURES.references)
    assert list(tags.values()) == [
        "1_quality/01_rfid", "6_references/rfid_floor", "6_references/rfid_mean_picture", "6_references/rfid_pca200"
    ]  # fmt: skip
    assert evaluation_tags(["error", "error_best"])["error_best"] == "1_quality/02_error_best"
    assert evaluation_tags(["error", "error_best"], ("_best",))["error_best"] == "6_references/error_best"


def test_what_each_worker_has_is_one_number():
    memory = {"memory_driver": 5.0} | {f"memory_worker_{number}": 2.0 for number in range(40)}
    assert summed_over_workers(memory, {"0": 3, "1": 4}) == {
        "memory_driver": 5.0, "memory_workers": 80.0, "shards_made": 7.0
    }  # fmt: skip
