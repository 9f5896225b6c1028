"""Opening a run from a Python program."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import rlgan
from rlgan.cli.main import main
from rlgan.settings import imported_objects


def test_samples_are_those_of_the_command_line_and_the_first_stay_the_first(run, capsys):
    words = ["--count", "4", "--seed", "3", "--temperature", "0.5", "--checkpoint", "best"]
    assert main(["sample", run.path, *words]) == 0
    assert run.sample(count=4, seed=3, temperature=0.5) == capsys.readouterr().out.splitlines()
    assert run.sample(2, 3, temperature=0.5) == run.sample(4, 3, temperature=0.5)[:2]
    assert run.sample(4, seed=4, temperature=0.5) != run.sample(4, seed=3, temperature=0.5)


def test_an_evaluation_is_that_of_the_command_line(run, capsys):
    assert main(["evaluate", run.path, "--quick", "--json", "--checkpoint", "best"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(run.evaluate(quick=True)))


def test_metrics_are_arrays_by_name(run):
    lines = [json.loads(line) for line in (Path(run.path) / "metrics.jsonl").read_text().splitlines()]
    metrics = run.metrics
    assert metrics["step"].dtype == np.int64
    np.testing.assert_array_equal(metrics["step"], [0, 3, 6])
    np.testing.assert_array_equal(metrics["test_nll"], [line["test_nll"] for line in lines])
    assert metrics["reward_by_position"].shape == (3, 12)
    np.testing.assert_array_equal(metrics["reward_by_position"][2], lines[2]["reward_by_position"])
    # Before the first update there is no speed.
    assert np.isnan(metrics["tokens_per_second"]).tolist() == [True, False, False]
    assert {"method", "shards_by_worker"} <= lines[0].keys()
    assert not {"method", "shards_by_worker"} & metrics.keys()


def test_the_best_checkpoint_is_the_default_and_settings_go_by_name(run):
    scores = dict(zip(run.metrics["step"].tolist(), run.metrics["validation_perplexity"].tolist(), strict=True))
    assert run.step == min(run.checkpoints, key=scores.get)
    assert rlgan.load_run(run.path, "newest").step == 6
    assert (run.settings["method"], run.settings["hidden_size"], run.settings["steps"]) == ("policygan", 16, 6)


def test_networks_have_the_weights_of_the_checkpoint_and_are_copies(run):
    folder = Path(run.path) / "checkpoints" / str(run.step)
    for name in ("generator", "discriminator"):
        network, saved = getattr(run, name), load_file(folder / f"{name}.safetensors")
        assert not network.training
        assert network.state_dict().keys() == saved.keys()
        assert all(torch.equal(tensor, saved[key]) for key, tensor in network.state_dict().items())
        with torch.no_grad():
            next(network.parameters()).zero_()
    assert run.sample(2) == rlgan.load_run(run.path).sample(2)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda run: run.sample(0), "count is 0: it must be 1 or more"),
        (lambda run: run.sample(1, -1), "seed is -1: it must be 0 or more"),
        (lambda run: run.sample(temperature=0.0), "--temperature is 0.0: it must be from 0.01 to 100"),
        (lambda run: run.sample(temprature=1.0), "there is no setting 'temprature'. Did you mean temperature"),
        (lambda run: run.evaluate(temperatures=[]), "--temperatures names none"),
        (lambda run: rlgan.load_run(run.path, "last"), "checkpoint is 'last': give newest or best"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(run, use, message):
    with pytest.raises(rlgan.UsageError) as refused:
        use(run)
    assert message in str(refused.value)


def test_a_directory_without_a_run_is_refused(tmp_path):
    with pytest.raises(rlgan.RunError, match="holds no run"):
        rlgan.load_run(tmp_path)


def test_code_that_a_run_names_is_imported_only_where_it_is_trusted(small_settings, tmp_path, monkeypatch):
    (tmp_path / "my_rule.py").write_text("def rule(log_odds, before):\n    return log_odds\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    run = rlgan.train(**small_settings, steps=1, reward="my_rule:rule", run_dir=tmp_path / "run", say=lambda _: None)
    for load in (rlgan.load_run, rlgan.load_scorer):
        with pytest.raises(rlgan.RunError, match=r"names code from outside of rlgan \(--reward my_rule:rule\)"):
            load(run.path)
    assert rlgan.load_run(run.path, trust_imports=True).sample(2) == run.sample(2)
    # What this run imported must not be sent to the workers of another one, which may not find the module.
    assert "my_rule:rule" not in imported_objects()


def test_a_damaged_checkpoint_is_not_sampled_from(run, tmp_path):
    copy = shutil.copytree(run.path, tmp_path / "copy")
    for file in copy.glob("checkpoints/*/generator.safetensors"):
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(rlgan.RunError, match="no whole checkpoint"):
        rlgan.load_run(copy)
