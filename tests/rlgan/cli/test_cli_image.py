"""`rlgan train image` and what goes with it, from outside, as a person types it."""

import json
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from rlgan.cli.main import main
from rlgan.images.settings import FEATURES

SMALL = [
    "train", "image", "--size", "16", "--faces", "120", "--batch", "16", "--width", "4", "--threads", "1",
    "--evaluate-every", "6",
]  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    """A cache for all tests here, and not that of the person who runs them."""
    with pytest.MonkeyPatch.context() as surroundings:
        surroundings.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run of 12 steps, two epochs."""
    path = tmp_path_factory.mktemp("trained") / "run"
    assert main([*SMALL, "--steps", "12", "--run-dir", str(path)]) == 0
    return path


@pytest.fixture
def run(trained, tmp_path, capsys):
    """A copy of it, which a test may change."""
    path = shutil.copytree(trained, tmp_path / "run")
    capsys.readouterr()
    return path


def _noise(path, height, width, count=60):
    """Pictures of noise, each of a colour of its own."""
    path.mkdir()
    numbers = np.random.default_rng(0)
    for i in range(count):
        pixels = (numbers.random((height, width, 3)) * numbers.random(3) * 255).astype(np.uint8)
        Image.fromarray(pixels).save(path / f"picture{i}.png")
    return path


@pytest.fixture
def folder(tmp_path):
    """Sixty small pictures."""
    return _noise(tmp_path / "pictures", 20, 24)


@pytest.fixture
def large(tmp_path):
    """Twenty pictures of the size that figure 5 has."""
    return _noise(tmp_path / "pictures", 64, 66, 20)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["train", "image", "--size", "60"], ["--size is 60", "power of 2"]),
        (["train", "image", "--crop", "32"], ["--crop is 32", "--size (64)"]),
        (["train", "image", "--faces", "11"], ["--faces is 11", "12 or more"]),
        (["train", "image", "--data", ""], ["--data is empty"]),
        (["train", "image", "--preset", "paper", "--mixed-precision"], ["--mixed-precision", "convolutional"]),
        (["train", "image", "--networks", "maxout"], ["give --no-mixed-precision with maxout"]),
        (["train", "image", "--data", "~nobody-has-this-name/faces"], ["--data ~nobody-has-this-name/faces"]),
        (["train", "image", "--networks", "gru"], ["--networks", "maxout"]),
        (["reproduce", "figure2", "--data", "x"], ["--data is for figures of pictures"]),
        (["reproduce", "figure5", "--out", "a.jpg"], ["--out a.jpg", ".png"]),
        (["reproduce", "figure5", "--seeds", "2"], ["--seeds", "figure5 is drawn from one run"]),
        (["reproduce", "figure5", "--run-dir", "s3://bucket/run"], ["--run-dir s3://bucket/run", "directory of this"]),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line_with_code_2(refused, words, parts):
    refused(words, 2, *parts)


def test_data_that_is_not_there_is_said_in_one_line_with_code_1(typed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "bad" / name).write_text("<html>quota exceeded</html>")
    for data, part in (("nowhere", "nowhere"), ("empty", "empty"), ("bad", ".jpg")):
        done = typed(*SMALL, "--workers", 0, "--data", data, "--run-dir", f"run-{data}")
        assert done.returncode == 1, data
        (line,) = done.stderr.splitlines()
        assert line.startswith("rlgan: error: ")
        assert part in line


def test_a_run_has_its_measures_and_its_pictures(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 6, 12]
    assert {"rfid", "rfid_floor", "rfid_mean_picture", "rfid_pca200", "recall", "coverage"} <= set(lines[-1])
    names = {file.name for file in (run / "pictures").iterdir()}
    first, second, third = (f"-epoch-{epoch:06.2f}-step-{6 * epoch:08}.png" for epoch in range(3))
    assert {f"samples{third}", f"samples_without_average{second}", f"real{first}", "samples.gif"} <= names
    assert {f"average_picture{first}", f"interpolations{third}"} <= names
    with Image.open(run / "pictures" / f"samples{third}") as grid:
        assert grid.size[0] >= 8 * 16
        assert len(np.unique(np.asarray(grid))) > 50
    assert "faces" in (run / "log.txt").read_text()


def test_few_pictures_and_pictures_that_are_there_twice_are_enough(tmp_path, capsys):
    data = tmp_path / "few"
    data.mkdir()
    for i in range(10):
        Image.new("RGB", (20, 20), "red").save(data / f"{i}.png")
    words = [*SMALL, "--data", str(data), "--steps", "1", "--run-dir", str(tmp_path / "run")]
    assert main(words) == 0
    (data / "9.png").unlink()
    assert main([*words[:-1], str(tmp_path / "other")]) == 1
    assert "few has 8 to learn from and 1 held out: 2 of each are needed" in capsys.readouterr().err


def test_pictures_of_celeba_come_with_its_split_and_crop(real, tmp_path, capsys):
    words = ["--data", str(real("celeba_sample")), "--size", "64", "--steps", "1", "--run-dir", str(tmp_path / "run")]
    assert main([*SMALL, *words]) == 0
    said = capsys.readouterr().out
    assert "split by CelebA's partition" in said
    assert "the centre 108 x 108 pixels" in said


def test_terminated_while_pictures_are_drawn_it_says_so_and_leaves_nothing(tmp_path):
    typed = [sys.executable, "-m", "rlgan", "train", "image", "--faces", "100000", "--cache", str(tmp_path / "cache")]
    process = subprocess.Popen(
        [*typed, "--run-dir", str(tmp_path / "run")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert any("making the pictures" in line for line in process.stdout)
    while not (family := psutil.Process(process.pid).children(recursive=True)):
        time.sleep(0.1)
    process.terminate()
    _, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (143, "rlgan: error: terminated\n")
    assert not psutil.wait_procs(family, timeout=5)[1]
    assert not [entry for entry in (tmp_path / "cache").iterdir() if entry.name != "files"]


def test_tensorboard_has_the_pictures(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tags = EventAccumulator(str(run / "events")).Reload().Tags()
    assert {"samples", "real", "average_picture", "interpolations", "nearest_training_pictures"} <= set(tags["images"])
    assert {"2_losses/loss_generator", "1_quality/01_rfid", "1_quality/05_coverage", "6_references/rfid_floor"} <= set(
        tags["scalars"]
    )


def test_evaluate_agrees_with_metrics_jsonl_and_names_its_features(run, capsys):
    assert main(["evaluate", str(run), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    line = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    for key in ("step", "rfid", "rfid_floor", "rfid_pca200", "recall", "coverage", "collapsed"):
        assert result[key] == line[key]
    assert result["features"] == FEATURES
    assert result["count"] == result["held_out"] > 0


def test_evaluate_computes_with_the_threads_of_the_run(tmp_path, capsys):
    words = ["--threads", "2", "--steps", "6", "--run-dir", str(tmp_path / "run")]
    assert main([*SMALL, *words]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["rfid"] == json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])["rfid"]
    assert torch.get_num_threads() == 2


def test_a_run_does_not_say_where_others_write_their_cache(run, tmp_path):
    config = json.loads((run / "config.json").read_text())
    config["recipe"]["cache"] = str(tmp_path / "elsewhere")
    (run / "config.json").write_text(json.dumps(config))
    assert main(["evaluate", str(run)]) == 0
    assert main(["train", "image", "--run-dir", str(run), "--resume", "--steps", "13"]) == 0
    assert not (tmp_path / "elsewhere").exists()
    assert main(["evaluate", str(run), "--cache", str(tmp_path / "here")]) == 0
    assert (tmp_path / "here").is_dir()


def test_evaluate_refuses_what_is_for_text_and_a_file_that_holds_no_inception_weights(run, tmp_path, capsys):
    assert main(["evaluate", str(run), "--quick"]) == 2
    assert "--quick is for text" in capsys.readouterr().err
    weights = tmp_path / "weights.pth"
    weights.write_text("none")
    assert main(["evaluate", str(run), "--inception", str(weights)]) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert line.startswith("rlgan: error: ")


def test_sample_draws_a_grid_and_draws_over_nothing(run, tmp_path, capsys):
    out = tmp_path / "grid.png"
    assert main(["sample", str(run), "--count", "9", "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    first = out.read_bytes()
    with Image.open(out) as grid:
        assert grid.size[0] == grid.size[1] >= 3 * 16
    assert main(["sample", str(run), "--count", "9", "--out", str(out)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["sample", str(run), "--count", "4", "--out", str(out), "--force"]) == 0
    assert out.read_bytes() != first
    other = tmp_path / "other.png"
    assert main(["sample", str(run), "--count", "9", "--out", str(other)]) == 0
    assert other.read_bytes() == first
    assert main(["sample", str(run), "--temperature", "2", "--out", str(tmp_path / "x.png")]) == 2
    assert "--temperature is for text" in capsys.readouterr().err


def test_resume_goes_on_to_the_same_bits(run, tmp_path, digest, capsys):
    straight = tmp_path / "straight"
    assert main([*SMALL, "--steps", "18", "--run-dir", str(straight)]) == 0
    assert main(["train", "image", "--run-dir", str(run), "--resume", "--steps", "18"]) == 0
    assert "going on from step 12" in capsys.readouterr().out
    assert digest(run, 18) == digest(straight, 18)
    lines = [(path / "metrics.jsonl").read_text().splitlines()[-1] for path in (run, straight)]
    assert len({json.loads(line)["rfid"] for line in lines}) == 1


def test_what_was_typed_can_be_typed_again_where_the_pictures_decide_it(tmp_path, capsys):
    """Drawn faces are cropped nowhere, so that the run has no crop, whatever was typed."""
    words = [*SMALL, "--crop", "40", "--run-dir", str(tmp_path / "run")]
    assert main([*words, "--steps", "1"]) == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["recipe"]["crop"] is None
    assert main([*words, "--steps", "2", "--resume"]) == 0
    assert "going on from step 1" in capsys.readouterr().out
    assert main([*words, "--steps", "3", "--resume", "--batch", "8"]) == 2
    assert "can't change --batch 16 -> 8: leave it" in capsys.readouterr().err


def test_resume_refuses_other_pictures(folder, tmp_path, capsys):
    words = [*SMALL, "--data", str(folder), "--steps", "2", "--run-dir", str(tmp_path / "run")]
    assert main(words) == 0
    (folder / "picture0.png").unlink()
    assert main([*words, "--resume"]) == 1
    assert "is not the data" in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path / "run")]) == 1
    assert "is not the data" in capsys.readouterr().err


@pytest.mark.parametrize("workers", [pytest.param("1", marks=pytest.mark.slow), "2"])
def test_workers_decode_the_pictures_and_come_to_the_same_bits(rlgan, folder, tmp_path, digest, workers):
    words = [*SMALL, "--data", str(folder), "--steps", "6", "--cache"]
    assert main([*words, str(tmp_path / "one"), "--run-dir", str(tmp_path / "alone")]) == 0
    done = rlgan(
        *words, tmp_path / "other", "--workers", workers, "--run-dir", tmp_path / "ray", timeout=400
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert digest(tmp_path / "ray", 6) == digest(tmp_path / "alone", 6)


@pytest.mark.slow
def test_figure5_goes_on_where_its_run_stopped(large, tmp_path, capsys):
    run, out = tmp_path / "run", tmp_path / "out.png"
    words = ["reproduce", "figure5", "--preset", "best", "--data", str(large), "--run-dir", str(run), "--out", str(out)]
    assert main([*words, "--epochs", "1"]) == 0
    assert "after epoch 1" not in capsys.readouterr().err
    assert out.read_bytes().startswith(b"\x89PNG")
    with Image.open(out) as picture:
        narrow = picture.size
    assert main([*words, "--epochs", "2"]) == 2  # the figure is there
    assert main([*words, "--epochs", "3", "--force"]) == 0
    assert "going on from step 1" in capsys.readouterr().out
    with Image.open(out) as picture:  # epochs 2 and 3 for epoch 1
        assert (picture.size[0] > narrow[0], picture.size[1]) == (True, narrow[1])
        assert picture.info["dpi"] == pytest.approx((200, 200), abs=0.1)
    assert "`rlgan reproduce figure5 --preset best --data" in out.with_suffix(".md").read_text()
    names = sorted(file.name for file in (run / "pictures").glob("samples-epoch-*"))
    assert names == [f"samples-epoch-{epoch:06.2f}-step-{epoch:08}.png" for epoch in range(4)]
    with Image.open(run / "pictures" / "samples.gif") as animation:
        assert animation.n_frames == 4


@pytest.mark.slow
def test_figure5_is_not_drawn_of_a_run_that_was_stopped_and_goes_on_when_typed_again(rlgan, large, tmp_path):
    words = ["reproduce", "figure5", "--preset", "best", "--data", str(large), "--run-dir", "run", "--epochs"]
    process = subprocess.Popen(
        [sys.executable, "-m", "rlgan", *words, "400"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=tmp_path,
    )  # fmt: skip
    metrics, began = tmp_path / "run" / "metrics.jsonl", time.monotonic()
    while not metrics.exists() or metrics.read_text().count("\n") < 3:
        assert process.poll() is None
        assert time.monotonic() - began < 120
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "stopped by SIGINT: the run is saved in run" in err
    assert not (tmp_path / "figure5.png").exists()
    done = rlgan(*words, 4, cwd=tmp_path, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "going on from step" in done.stdout
    assert (tmp_path / "figure5.png").exists()
