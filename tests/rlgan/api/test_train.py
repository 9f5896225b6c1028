"""Training from a Python program."""

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

import rlgan
from rlgan.cli.main import main

QUIET = {"say": lambda _: None}


def _process():
    """What a caller may find changed of its process."""
    return (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,
        torch.backends.cudnn.allow_tf32,
        torch.backends.cuda.matmul.allow_tf32,
        torch.get_rng_state().tolist(),
        dict(os.environ),
        [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
    )


@pytest.fixture
def unlike_a_run():
    """A process that differs from that of a run in all that a run changes."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    flags = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.set_num_threads(2)
    torch.manual_seed(987)
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    fills = torch.utils.deterministic.fill_uninitialized_memory
    torch.utils.deterministic.fill_uninitialized_memory = True
    workspace = os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)
    yield
    torch.set_num_threads(before[0])
    torch.use_deterministic_algorithms(before[1])
    torch.utils.deterministic.fill_uninitialized_memory = fills
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = flags
    if workspace is not None:
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = workspace


def test_importing_the_package_is_quick_and_imports_nothing_heavy():
    code = (
        "import time; start = time.process_time(); import rlgan, sys; print(time.process_time() - start); "
        "print(*sys.modules); print(rlgan.StopTraining.__name__, sorted(set(rlgan.__all__) - set(dir(rlgan))))"
    )
    answers = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
        for _ in range(3)
    ]
    assert min(float(seconds) for seconds, _, _ in answers) < 0.05
    assert not set(answers[0][1].split()) & {"torch", "ray", "numpy", "gymnasium", "tyro"}
    assert answers[0][2] == "StopTraining []"


def test_a_name_that_the_package_does_not_have_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        rlgan.trian  # noqa: B018


def test_it_trains_to_the_same_bits_as_the_command_line(run, tmp_path, small_words, digest):
    words = [*small_words[:-2], "--evaluate-every", "3", "--workers", "0", "--steps", "6"]
    assert main(["train", *words, "--run-dir", str(tmp_path / "typed")]) == 0
    assert digest(run.path, 6) == digest(tmp_path / "typed", 6)
    typed, own = (json.loads((Path(path) / "config.json").read_text()) for path in (tmp_path / "typed", run.path))
    for config in (typed, own):
        del config["run"]["run_dir"]
    assert typed == own


def test_callbacks_get_every_step_and_every_evaluation(trained):
    run, calls = trained
    assert [step for step, _ in calls["step"]] == [1, 2, 3, 4, 5, 6]
    assert [step for step, _ in calls["evaluation"]] == [0, 3, 6]
    assert all(np.isfinite(metrics["loss_discriminator"]) for _, metrics in calls["step"])
    lines = (Path(run.path) / "metrics.jsonl").read_text().splitlines()
    recorded = [json.loads(line)["test_perplexity"] for line in lines]
    assert [metrics["test_perplexity"] for _, metrics in calls["evaluation"]] == recorded
    said = (Path(run.path) / "log.txt").read_text()
    assert any("test perplexity" in line for line in calls["lines"])
    assert all(line.strip() in said for line in calls["lines"])


@pytest.mark.parametrize("name", ["on_step", "on_evaluation"])
def test_a_callback_that_raises_stop_training_ends_the_run_with_a_checkpoint_to_go_on_from(
    small_settings, run, tmp_path, digest, name
):
    def stop(step, _):
        if step == 3:
            raise rlgan.StopTraining

    settings = small_settings | {"run_dir": str(tmp_path / "run"), "evaluate_every": 3} | QUIET
    stopped = rlgan.train(**settings, steps=6, **{name: stop})
    assert max(stopped.checkpoints) == 3
    assert stopped.metrics["step"].tolist() == ([0] if name == "on_step" else [0, 3])
    finished = rlgan.train(**settings, resume=True, on_step=lambda _, metrics: metrics.clear())
    assert max(finished.checkpoints) == 6
    assert digest(finished.path, 6) == digest(run.path, 6)
    # The evaluation that the stop left out is made up for.
    assert finished.metrics["step"].tolist() == [0, 3, 6]


def test_another_exception_of_a_callback_is_the_callers_and_gives_the_run_back(small_settings, tmp_path):
    def fail(*_):
        raise KeyError("mine")

    before = _process()
    # Its traceback keeps everything alive that the run had: what is to be given back, has to be given back by name.
    with pytest.raises(KeyError, match="mine") as caught:
        rlgan.train(**small_settings, steps=2, run_dir=tmp_path / "run", on_step=fail, **QUIET)
    assert _process() == before
    again = rlgan.train(**small_settings, steps=2, run_dir=tmp_path / "run", resume=True, **QUIET)
    assert max(again.checkpoints) == 2
    assert caught.tb is not None


@pytest.mark.usefixtures("unlike_a_run")
def test_the_process_is_left_as_it_was_and_a_second_run_is_the_same(small_settings, run, tmp_path, digest):
    before = _process()
    inside = []
    for name in ("first", "second"):
        rlgan.train(
            **small_settings,
            steps=6,
            evaluate_every=3,
            run_dir=tmp_path / name,
            on_step=lambda *_: inside.append(_process()[:2]),
            **QUIET,
        )
        assert _process() == before
        assert digest(tmp_path / name, 6) == digest(run.path, 6)
    assert set(inside) == {(1, True)}


@pytest.mark.usefixtures("unlike_a_run")
def test_it_trains_in_a_thread_without_handlers_of_signals(small_settings, run, tmp_path, digest):
    found, handlers = [], [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    def train():
        found.append(
            rlgan.train(**small_settings, steps=6, evaluate_every=3, run_dir=tmp_path / "run", on_step=look, **QUIET)
        )

    def look(*_):
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers

    before = _process()
    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert found[0].step in found[0].checkpoints
    assert digest(tmp_path / "run", 6) == digest(run.path, 6)
    assert _process() == before


def test_two_threads_train_one_after_the_other(small_settings, run, tmp_path, digest):
    order = []

    def train(name):
        settings = small_settings | {"steps": 6, "evaluate_every": 3, "run_dir": tmp_path / name}
        rlgan.train(**settings, on_step=lambda *_: order.append(name), **QUIET)

    threads = [threading.Thread(target=train, args=(name,)) for name in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [name for name, _ in itertools.groupby(order)] in (["one", "other"], ["other", "one"])
    assert digest(tmp_path / "one", 6) == digest(tmp_path / "other", 6) == digest(run.path, 6)


def test_it_trains_in_a_running_event_loop_and_into_an_address(small_settings, run):
    async def cell():
        return rlgan.train(
            **small_settings, steps=6, evaluate_every=3, run_dir="memory://bucket/of/a/loop", **QUIET
        ).sample(2)

    assert asyncio.run(cell()) == run.sample(2)
    opened = rlgan.load_run("memory://bucket/of/a/loop")
    assert opened.metrics["test_perplexity"].tolist() == run.metrics["test_perplexity"].tolist()


def test_a_callback_may_sample_from_another_run(small_settings, run, tmp_path):
    texts = []
    rlgan.train(
        **small_settings,
        steps=6,
        evaluate_every=3,
        run_dir=tmp_path / "run",
        on_step=lambda *_: texts.append(run.sample(1)),
        **QUIET,
    )
    assert texts == [run.sample(1)] * 6
    assert rlgan.load_run(tmp_path / "run").sample(3) == run.sample(3)


@pytest.mark.slow
@pytest.mark.usefixtures("unlike_a_run")
def test_with_a_worker_of_ray_the_bits_and_the_process_are_the_same(small_settings, run, tmp_path, digest):
    before = _process()
    settings = small_settings | {"workers": 1}
    for name in ("first", "second"):
        rlgan.train(**settings, steps=6, evaluate_every=3, run_dir=tmp_path / name, **QUIET)
        assert _process() == before
        assert digest(tmp_path / name, 6) == digest(run.path, 6)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"shards": 5}, ["--shards", "5"]),
        ({"length": 0}, ["--length", "0"]),
        ({"reward": "applause"}, ["--reward", "applause"]),
        ({"data": ""}, ["--data", ""]),
        ({"resume": True}, ["--resume"]),
        ({"workers": -1}, ["--workers", "-1"]),
        ({"reward": "no_such_module:rule"}, ["--reward", "no_such_module:rule"]),
        ({"data": "nowhere.txt"}, ["--data", "nowhere.txt"]),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_words_of_the_command_line(
    tmp_path, monkeypatch, capsys, settings, words
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((rlgan.UsageError, rlgan.RunError)) as refused:
        rlgan.train("text", **({"workers": 0} | settings))
    code = main(["train", *([] if "workers" in settings else ["--workers", "0"]), *words])
    assert code == (2 if isinstance(refused.value, rlgan.UsageError) else 1)
    typed = capsys.readouterr().err.strip().removeprefix("rlgan: error: ")
    assert typed == str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("task", "settings", "parts"),
    [
        ("text", {"lenght": 3}, "there is no setting 'lenght'. Did you mean length"),
        ("text", {"length": "3"}, "--length is '3', which is of a wrong type: it must be a whole number"),
        ("text", {"seed": True}, "--seed is True, which is of a wrong type"),
        ("text", {"preset": "worst"}, "--preset is 'worst'"),
        ("video", {}, "unknown task 'video'"),
    ],
)
def test_what_no_command_line_could_say_is_refused_too(task, settings, parts):
    with pytest.raises(rlgan.UsageError) as refused:
        rlgan.train(task, **settings)
    assert parts in str(refused.value)


def test_numbers_of_numpy_lists_and_paths_are_settings_too(small_settings, tmp_path):
    settings = small_settings | {"length": np.int64(12), "sinks": ["json_lines"], "discount": np.float32(0.5)}
    run = rlgan.train("text", **settings, steps=1, run_dir=tmp_path / "run", **QUIET)
    assert run.settings["discount"] == 0.5
    assert run.settings["sinks"] == ("json_lines",)
    assert run.settings["length"] == 12


def test_other_tasks_train_too(tmp_path):
    run = rlgan.train("gaussian", steps=20, batch_size=50, run_dir=tmp_path / "run", **QUIET)
    assert (run.task, max(run.checkpoints)) == ("gaussian", 20)
    assert len([float(line) for line in run.sample(5)]) == 5
    assert run.generator(torch.zeros(3, 1)).shape == (3, 1)
