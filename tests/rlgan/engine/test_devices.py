"""What computes: the device that is typed, and the GPUs that Ray deals to each actor."""

import pytest
import torch

from rlgan.device import capture, naming_what_is_too_large, prepare
from rlgan.engine.placement import with_gpus
from rlgan.engine.settings import EngineSettings
from rlgan.errors import RunError, UsageError
from rlgan.settings import check

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


def _node(cpus, gpus=0):
    return {"CPU": float(cpus)} | ({"GPU": float(gpus)} if gpus else {})


def _dealt(nodes, **settings):
    run = with_gpus({str(index): node for index, node in enumerate(nodes)}, EngineSettings(**settings), shards=8)
    return run.gpus_of_learner, run.gpus_of_worker


def test_one_gpu_is_shared_by_the_learner_and_its_workers():
    assert _dealt([_node(16, 1)], workers=2) == (0.33, 0.33)
    assert _dealt([_node(16, 1)], workers=3) == (0.25, 0.25)


def test_with_several_gpus_each_learner_has_its_own_and_the_workers_share_the_rest():
    assert _dealt([_node(16, 4)], workers=4) == (1.0, 0.75)
    assert _dealt([_node(16, 4)], workers=4, learners=2) == (1.0, 0.5)
    assert _dealt([_node(16, 8)], workers=2) == (1.0, 1.0)


def test_workers_that_do_not_fit_beside_the_gpus_are_left_on_the_cpu():
    nodes = [_node(4, 1), _node(16), _node(16)]
    assert _dealt(nodes, workers=20) == (1.0, 0.0)
    with pytest.raises(RunError, match="do not fit"):
        _dealt(nodes, workers=20, device="cuda")


def test_what_is_typed_wins_over_the_device():
    assert _dealt([_node(16, 1)], workers=2, learner_gpus=0.5) == (0.5, 0.25)
    assert _dealt([_node(16, 1)], workers=2, learner_gpus=0.0, rollout_gpus=0.5) == (0.0, 0.5)
    assert _dealt([_node(16, 1)], workers=2, device="cpu") == (0.0, 0.0)
    assert EngineSettings(workers=0, learner_gpus=1.0, device="cpu").device_of_one_process == "cuda"
    assert EngineSettings(workers=0, device="cuda:1").device_of_one_process == "cuda:1"


def test_without_gpus_auto_is_the_cpu_and_cuda_is_refused():
    assert _dealt([_node(4)], workers=2) == (0.0, 0.0)
    with pytest.raises(RunError, match=r"GPUs are needed \(2 rollout workers and a learner\) and this Ray has 0"):
        _dealt([_node(4)], workers=2, device="cuda")


def test_a_device_that_makes_no_sense_is_refused():
    with pytest.raises(UsageError, match="--device is gpu: it must be auto, cpu, cuda or cuda:N"):
        check(EngineSettings(device="gpu"))
    with pytest.raises(UsageError, match="--device cuda:1 with rollout workers, to which Ray deals the GPUs"):
        check(EngineSettings(device="cuda:1", workers=2))
    check(EngineSettings(device="cuda:1"))
    check(EngineSettings(device="cuda:1", workers=0))


@NO_GPU
def test_every_command_refuses_a_gpu_that_is_not_there_in_one_line(typed, small_words, tmp_path):
    for words in (
        ("train", *small_words, "--workers", 0, "--device", "cuda", "--run-dir", tmp_path / "run"),
        ("reproduce", "figure2", "--device", "cuda:1", "--out", tmp_path / "figure.png"),
    ):
        done = typed(*words)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert "was asked for and torch" in line
        assert "finds 0 GPUs: give --device cpu" in line
    assert list(tmp_path.iterdir()) == []


@NO_GPU
def test_auto_and_cpu_are_the_cpu():
    assert prepare("auto") == prepare("cpu") == torch.device("cpu")
    with pytest.raises(RunError, match="cuda:3 was asked for"):
        prepare("cuda:3")


def test_what_cannot_be_captured_runs_as_it_is(monkeypatch):
    def refuse(*_):
        raise RuntimeError("operation not permitted when stream is capturing\nand much more")

    monkeypatch.setattr("rlgan.device.CapturedFunction", refuse)
    with pytest.warns(UserWarning, match="step by step, slower: operation not permitted when stream is capturing$"):
        function = capture(torch.neg, [torch.ones(2)])
    assert function is torch.neg


def test_a_gpu_without_enough_memory_is_one_line_that_names_the_batch(monkeypatch):
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 70 * 2**30)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (2**30, 80 * 2**30))
    due = "has not enough memory for an update on 4096 sequences: 70.0 of its 80.0 GiB were in use at most; give"
    with pytest.raises(RunError, match=due), naming_what_is_too_large("an update on 4096 sequences"):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.05 GiB.")
