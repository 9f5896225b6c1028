"""`rlgan train gaussian` and what goes with it, from outside, as a person types it."""

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from rlgan.cli.main import main
from rlgan.gaussian.settings import PAPER

SHORT = ["train", "gaussian", "--steps", "40", "--evaluate-every", "20"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run of 40 steps."""
    path = tmp_path_factory.mktemp("trained") / "run"
    assert main([*SHORT, "--run-dir", str(path)]) == 0
    return path


@pytest.fixture
def run(trained, tmp_path, capsys):
    """A copy of it, which a test may change."""
    path = shutil.copytree(trained, tmp_path / "run")
    capsys.readouterr()
    return path


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["train", "gaussian", "--preset", "worst"], ["--preset", "'worst'"]),
        (["train", "gaussian", "--loss", "wasserstein"], ["--loss", "saturating"]),
        (["train", "gaussian", "--target", "circle"], ["--target", "'circle'", "ring"]),
        (["train", "gaussian", "--group", "7"], ["--group 7 does not divide --batch-size 200"]),
        (["train", "gaussian", "--group", "1"], ["--group is 1"]),
        (["train", "gaussian", "--width", "0"], ["--width is 0"]),
        (["train", "gaussian", "--momentum", "nan"], ["--momentum is nan"]),
        (["train", "gaussian", "--seeds", "0"], ["--seeds is 0"]),
        (["train", "gaussian", "--method", "mle"], ["--method"]),
        (["reproduce", "figure9"], ["figure9", "figure2"]),
        (["reproduce", "figure2", "--out", "a.jpg"], ["--out a.jpg", ".png"]),
        (["reproduce", "figure2", "--out", ""], ["--out '' names no file"]),
        (["reproduce", "figure2", "--out", "a.png", "--format", "pdf"], ["--out a.png", "ends in .pdf"]),
        (["reproduce", "figure2", "--minutes", "3"], ["--minutes", "figure2 trains its recipe to the end"]),
        (
            ["train", "gaussian", "--batch", "2000", "--group", "1000"],
            ["--group is 1000", "500 or less"],
        ),
        (["reproduce", "figure2", "--learning-rate", "-1"], ["--learning-rate is -1.0"]),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line_with_code_2(refused, words, parts):
    refused(words, 2, *parts)


def test_a_run_has_what_the_readme_says_and_no_vocabulary(run):
    assert {entry.name for entry in run.iterdir()} == {
        ".lock", "checkpoints", "config.json", "events", "log.txt", "metrics.jsonl", "pictures"
    }  # fmt: skip
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 20, 40]
    assert {"w1", "w1_floor", "ks", "ks_floor", "std", "std_floor", "collapsed", "discriminator_distance"} <= set(
        lines[-1]
    )
    assert lines[-1]["samples_per_second"] > 0
    assert "W1" in (run / "log.txt").read_text()


def test_steps_in_which_the_discriminator_alone_learns_are_no_failure(tmp_path):
    words = ["--pretraining", "3", "--steps", "5", "--evaluate-every", "5", "--run-dir", str(tmp_path / "run")]
    assert main(["train", "gaussian", *words]) == 0
    last = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert (last["step"], last["samples"]) == (5, 2 * PAPER.batch_size / 5)  # the mean over all five


def test_tensorboard_has_a_histogram_and_a_picture(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "events")).Reload()
    tags = events.Tags()
    assert tags["histograms"] == ["generated"]
    assert tags["images"] == ["density"]
    assert {"2_losses/loss_generator", "2_losses/loss_discriminator", "1_quality/01_w1"} <= set(tags["scalars"])


def test_evaluate_agrees_with_metrics_jsonl(run, capsys):
    assert main(["evaluate", str(run), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    line = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    for key in ("step", "w1", "w1_floor", "ks", "std", "collapsed", "discriminator_distance"):
        assert result[key] == line[key]


def test_sample_prints_numbers_the_same_for_the_same_seed(run, capsys):
    outputs = []
    for count, seed in (("70", "0"), ("7", "0"), ("70", "1")):
        assert main(["sample", str(run), "--count", count, "--seed", seed]) == 0
        outputs.append([float(line) for line in capsys.readouterr().out.splitlines()])
    assert len(outputs[0]) == 70
    assert outputs[0][:7] == outputs[1]
    assert outputs[0] != outputs[2]
    assert all(-5 <= x <= 5 for x in outputs[0])


def test_resume_goes_on_to_the_same_bits(run, tmp_path, digest, capsys):
    straight = tmp_path / "straight"
    assert main(["train", "gaussian", "--steps", "60", "--run-dir", str(straight)]) == 0
    assert main(["train", "gaussian", "--run-dir", str(run), "--resume", "--steps", "60"]) == 0
    assert "going on from step 40" in capsys.readouterr().out
    assert digest(run, 60) == digest(straight, 60)


def test_resume_refuses_another_recipe_and_another_task(run, capsys):
    assert main(["train", "gaussian", "--run-dir", str(run), "--resume", "--group", "50"]) == 2
    assert "--resume can't change --group 25 -> 50" in capsys.readouterr().err
    assert main(["train", "--run-dir", str(run), "--resume"]) == 1
    assert "one of gaussian, not of text" in capsys.readouterr().err
    assert main(["evaluate", str(run), "--test-data", "x.txt"]) == 2
    assert "is a run of gaussian, which has no test set: leave it out" in capsys.readouterr().err


@pytest.mark.slow
def test_two_workers_and_none_come_to_the_same_bits(rlgan, run, tmp_path, digest):
    done = rlgan(*SHORT, "--workers", "2", "--run-dir", tmp_path / "ray", timeout=400)
    assert done.returncode == 0, done.stderr
    assert "the workers will be idle" in done.stdout
    assert digest(tmp_path / "ray", 40) == digest(run, 40)


def _evaluated(path, capsys):
    capsys.readouterr()
    assert main(["evaluate", str(path), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_several_seeds_are_runs_of_their_own_and_are_measured_as_one(typed, run, tmp_path, digest, capsys):
    folder = tmp_path / "seeds"
    done = typed(*SHORT, "--seeds", "3", "--run-dir", folder)
    assert done.returncode == 0, done.stderr
    assert sorted(entry.name for entry in folder.iterdir()) == ["seed-0", "seed-1", "seed-2"]
    assert digest(folder / "seed-0", 40) == digest(run, 40)
    singles = [_evaluated(folder / f"seed-{i}", capsys) for i in range(3)]
    result = _evaluated(folder, capsys)
    w1 = sorted(single["w1"] for single in singles)
    assert (result["w1"], result["w1_worst"], result["seeds"]) == (w1[1], w1[2], 3)
    assert result["collapsed"] == pytest.approx(sum(single["collapsed"] for single in singles) / 3)
    assert json.loads(done.stdout.splitlines()[-1]) == {name: result[name] for name in result if name != "run"}
    assert main(["evaluate", str(folder), "--quick"]) == 0
    seen = capsys.readouterr().out
    row = rf"  w1 +{w1[1]:.4g} ↓  {w1[0]:.4g} to {w1[2]:.4g} +floor 0\.0"
    for said in (done.stdout, seen):  # medians, then which checkpoints are the best ones
        assert said.startswith(f"{folder}, 3 seeds (0, 1, 2), step 40\n") or f"\n{folder}, 3 seeds" in said
        assert re.search(row, said)
        assert re.search(rf"\n  {folder}/seed-2: step (0|20|40), \d", said)
    assert f"rlgan sample {folder} --checkpoint best\n" in done.stdout
    _sampled_is_the_best(folder, capsys)
    for one in (folder, run):
        assert main(["evaluate", str(one), "--data", "x"]) == 2
        assert "which has none: leave it out" in capsys.readouterr().err
    assert main([*SHORT, "--seeds", "3", "--run-dir", str(folder)]) == 1
    assert "is not empty" in capsys.readouterr().err


def _sampled_is_the_best(folder, capsys):
    measured = [[json.loads(line) for line in file.open()] for file in sorted(folder.glob("*/metrics.jsonl"))]
    least = [min(line["w1"] for line in lines) for lines in measured]
    best = folder / f"seed-{least.index(min(least))}"
    assert main(["sample", str(folder), "--count", "3"]) == 0
    sampled = capsys.readouterr()
    assert main(["sample", str(best), "--count", "3"]) == 0
    assert sampled.out == capsys.readouterr().out
    assert sampled.err == (
        f"{folder} holds 3 seeds: {best.name} has the best score of them, {min(least):.4g}, and is taken; "
        "to have another, give its directory\n"
    )


@pytest.mark.parametrize(
    ("words", "steps"),
    [(["--minutes", "60"], 30), (["--minutes", "60", "--steps", "40"], 40), (["--minutes", "60", "--epochs", "2"], 60)],
)
def test_minutes_let_no_run_go_on_beyond_the_iterations_of_its_recipe(tmp_path, capsys, words, steps):
    run = tmp_path / "run"
    assert main(["train", "gaussian", "--iterations", "30", *words, "--run-dir", str(run)]) == 0
    assert f"\n{steps} steps; " in capsys.readouterr().out


def test_json_is_for_several_seeds(capsys):
    assert main([*SHORT, "--json"]) == 2
    assert "--json is for several seeds" in capsys.readouterr().err


def test_sigterm_stops_and_saves_all_seeds(tmp_path):
    folder = tmp_path / "seeds"
    typed = [sys.executable, "-m", "rlgan", "train", "gaussian", "--seeds", "2", "--run-dir", str(folder)]
    process = subprocess.Popen(typed, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    started = time.monotonic()
    busy = folder / "seed-0" / "metrics.jsonl", folder / "seed-1" / "metrics.jsonl"
    while not all(file.exists() and file.read_text() for file in busy[: os.cpu_count()]):
        assert time.monotonic() - started < 300
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, "")
    assert "stopped by SIGTERM" in out
    assert list((folder / "seed-0" / "checkpoints").iterdir())


@pytest.mark.parametrize(("figure", "form"), [("figure2", "png"), ("figure3", "pdf"), ("figure4", "png")])
def test_a_figure_is_drawn_of_several_seeds_and_says_their_numbers(tmp_path, monkeypatch, capsys, figure, form):
    from rlgan.gaussian import reproduce
    from rlgan.gaussian.settings import GaussianSettings
    from rlgan.task import FigureRequest

    def one_after_the_other(work, items):
        return [work(item, told.append) for item in items.values()]

    told = []
    monkeypatch.setattr(reproduce, "PRETRAINING", (0, 5))
    recipes = [GaussianSettings(iterations=20, preset="paper"), GaussianSettings(iterations=20)]
    out = tmp_path / f"out.{form}"
    request = FigureRequest(*recipes, out, one_after_the_other, print, seeds=(3, 4))
    lines = getattr(reproduce, figure)(request)
    assert out.read_bytes().startswith(b"\x89PNG" if form == "png" else b"%PDF")
    said = capsys.readouterr().out
    assert all(said.count(f"seed {seed}: W1") == 2 for seed in (3, 4))
    assert sum("2 seeds: median W1" in line for line in lines) == 2
    assert told.count(1.0) == 4


def test_a_figure_has_its_caption_beside_it_and_neither_takes_the_place_of_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rlgan.gaussian.settings.PAPER", dataclasses.replace(PAPER, iterations=15))
    words = ["reproduce", "figure3", "--seeds", "2", "--seed", "7", "--format", "pdf"]
    (tmp_path / "figure3.md").write_text("mine")
    assert main(words) == 2
    assert "its caption would go to figure3.md" in capsys.readouterr().err
    assert main([*words, "--force"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == ["its caption: figure3.md", "figure3.pdf"]
    assert (tmp_path / "figure3.pdf").read_bytes().startswith(b"%PDF")
    caption = (tmp_path / "figure3.md").read_text()
    for part in ("`rlgan reproduce figure3 --seeds 2", "seeds: 7, 8", "iterations 15", "2 seeds: median W1"):
        assert part in caption


def test_seeds_of_several_tasks_are_not_measured_as_one(tmp_path, small_words, capsys):
    words = ["train", *small_words, "--workers", "0", "--steps", "1", "--run-dir", str(tmp_path / "seed-1")]
    assert main(words) == 0
    assert main(["train", "gaussian", "--steps", "1", "--run-dir", str(tmp_path / "seed-0")]) == 0
    assert main(["evaluate", str(tmp_path)]) == 1
    assert "holds runs of other tasks than gaussian" in capsys.readouterr().err


def test_the_alarm_is_given_where_the_samples_are_one(tmp_path, capsys):
    words = ["train", "gaussian", "--preset", "paper", "--steps", "500", "--evaluate-every", "500"]
    assert main([*words, "--run-dir", str(tmp_path / "run")]) == 0
    assert (
        "ALARM: The generator collapsed at step 500: the samples' standard deviation is 0." in capsys.readouterr().out
    )


def test_a_figure_that_is_there_is_not_drawn_over(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "figure2.png").write_text("drawn before")
    assert main(["reproduce", "figure2"]) == 2
    assert "--out figure2.png is there already" in capsys.readouterr().err
    assert main(["reproduce", "figure2", "--out", "nowhere/f.png"]) == 2
    assert "there is no directory nowhere" in capsys.readouterr().err
    assert (tmp_path / "figure2.png").read_text() == "drawn before"


RING = ["train", "gaussian", "--target", "ring", "--evaluate-every", "20"]


def test_a_ring_from_training_to_samples(tmp_path, digest, capsys):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run, straight = tmp_path / "run", tmp_path / "straight"
    assert main([*RING, "--steps", "20", "--run-dir", str(run)]) == 0
    assert "modes " in (run / "log.txt").read_text()
    assert "of 8" in (run / "log.txt").read_text()
    assert main(["train", "gaussian", "--target", "grid", "--run-dir", str(run), "--resume"]) == 2
    assert "--resume can't change --target ring -> grid" in capsys.readouterr().err
    assert main(["train", "gaussian", "--run-dir", str(run), "--resume", "--steps", "40"]) == 0
    assert main([*RING, "--steps", "40", "--run-dir", str(straight)]) == 0
    assert digest(run, 40) == digest(straight, 40)
    line = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert (line["target"], line["modes_floor"]) == ("ring", 8)
    result = _evaluated(run, capsys)
    names = ("modes", "fewest", "high_quality", "reverse_kl", "total_variation", "mode_std")
    for name in (*names, *(f"{name}_floor" for name in names), "collapsed"):
        assert result[name] == line[name]
    assert "w1" not in result
    assert EventAccumulator(str(run / "events")).Reload().Tags()["images"] == ["scatter"]
    outputs = []
    for count, seed in (("70", "0"), ("7", "0"), ("70", "1")):
        assert main(["sample", str(run), "--count", count, "--seed", seed]) == 0
        outputs.append([tuple(map(float, line.split(" "))) for line in capsys.readouterr().out.splitlines()])
    assert [len(output) for output in outputs] == [70, 7, 70]
    assert all(len(sample) == 2 for sample in outputs[0])
    assert outputs[0][:7] == outputs[1]
    assert outputs[0] != outputs[2]


def test_seeds_of_a_ring_have_the_fewest_modes_and_no_other_target_beside_them(tmp_path, capsys):
    for seed in range(3):
        words = [*RING, "--steps", "20", "--seed", str(seed), "--run-dir", str(tmp_path / f"seed-{seed}")]
        assert main(words) == 0
    singles = [_evaluated(tmp_path / f"seed-{seed}", capsys) for seed in range(3)]
    result = _evaluated(tmp_path, capsys)
    for name in ("modes", "high_quality"):
        low, middle, _ = sorted(single[name] for single in singles)
        assert (result[name], result[f"{name}_worst"]) == (middle, low)
    assert main([*SHORT, "--run-dir", str(tmp_path / "seed-3")]) == 0
    assert main(["evaluate", str(tmp_path)]) == 1
    assert "seed-3 differs from" in (said := capsys.readouterr().err)
    assert "--target ring -> normal" in said


@pytest.mark.slow
def test_seeds_that_are_gone_on_with_must_be_typed_as_before(tmp_path, capfd):
    words = ["train", "gaussian", "--run-dir", str(tmp_path / "g"), "--seeds", "2"]
    assert main([*words, "--preset", "paper", "--seed", "7", "--steps", "20"]) == 0
    before = sorted(tmp_path.rglob("*"))
    for typed, due in (
        (["--preset", "paper"], "its seed, 7, is not from 0 to 1"),
        (["--seed", "7"], "--preset paper -> best"),
    ):
        assert main([*words, *typed, "--resume", "--steps", "40"]) == 2
        assert due in capfd.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before
    assert main([*words, "--preset", "paper", "--seed", "7", "--resume", "--steps", "40"]) == 0
    assert json.loads(capfd.readouterr().out.splitlines()[-1])["seeds"] == 2
    assert (tmp_path / "g" / "seed-8" / "checkpoints" / "40").is_dir()
    assert main(["train", "gaussian", "--run-dir", str(tmp_path / "g" / "seed-7"), "--resume", "--steps", "60"]) == 0
    assert main(["evaluate", str(tmp_path / "g")]) == 0
    assert "seed-8 is at step 40" in capfd.readouterr().err


def test_a_figure_whose_training_diverges_is_said_in_one_line(tmp_path, capsys):
    out = tmp_path / "figure2.png"
    words = ["reproduce", "figure2", "--seeds", "1", "--learning-rate", "1e300", "--out", str(out)]
    assert main(words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("rlgan: error: ")
    assert not out.exists()
