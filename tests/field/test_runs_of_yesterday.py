"""Runs that an earlier version made, and data that has moved: no default of today touches them.

They were made at commit ed22221 on what `write_data` writes, and lie beside those of
`tests/rlgan/cli/test_old_runs.py`:

    rlgan train text --data lines.txt --length 8 --batch-size 4 --embedding-size 1 --hidden-size 1 --steps 4 \\
        --workers 0 --keep-checkpoints 1 --evaluate-every 1000 --run-dir lines
    rlgan train image --data persons --preset paper --size 8 --batch-size 4 --generator-units 1 --units 1 \\
        --noise-size 1 --pieces 1 --threads 1 --steps 4 --workers 0 --keep-checkpoints 1 --run-dir persons
    rlgan train image --data webp ... --run-dir webp
"""

import base64
import json
import shutil
import struct
from pathlib import Path

import pytest

from rlgan.cli import main

OLD = Path(__file__).parent.parent / "rlgan" / "cli" / "runs_of_ed22221"
DATA = {"lines": "lines.txt", "persons": "persons", "webp": "webp"}
# Pictures of 8 x 8 in one colour.
WEBP = {
    "red": "UklGRh4AAABXRUJQVlA4TBEAAAAvB8ABAAdQjyIXpf+BiOh/AAA=",
    "blue": "UklGRh4AAABXRUJQVlA4TBEAAAAvB8ABAAdQj1IUuf+BiOh/AAA=",
}


def bmp(red, green, blue, side=8):
    """A picture in one colour, byte by byte the same on every machine."""
    pixels = bytes((blue, green, red)) * (side * side)
    header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, len(pixels), 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) + header + pixels


def write_data(root):
    """What the runs were trained on: lines, 25 folders of img_0 and img_1, and .webp beside .jfif."""
    animals, verbs, others = "cat dog owl".split(), "sees likes".split(), "fox hen".split()  # noqa: SIM905
    lines = [f"the {animals[n % 3]} {verbs[n % 2]} a {others[n // 3 % 2]}\n" for n in range(120)]
    (root / "lines.txt").write_text("".join(lines))
    for folder in range(25):
        for n in range(2):
            file = root / "persons" / f"p{folder:02}" / f"img_{n}.bmp"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(bmp(10 * folder, 100 * n, 7))
    (root / "webp").mkdir()
    for name, content in WEBP.items():
        for n in range(10):
            (root / "webp" / f"{name}{n}.webp").write_bytes(base64.b64decode(content))
    for n in range(4):
        (root / "webp" / f"later{n}.jfif").write_bytes(bmp(n, n, n))


@pytest.fixture
def moved(tmp_path, monkeypatch):
    """A copy of an old run by name, and its data at a new place."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_data(tmp_path)

    def copied(name):
        return Path(shutil.copytree(OLD / name, tmp_path / "runs" / name)), tmp_path / DATA[name]

    return copied


def same_numbers(capsys, run):
    """Compare what was printed with the last line that the old version recorded."""
    line = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    result = json.loads(capsys.readouterr().out)
    numbers = {name: value for name, value in result.items() if isinstance(value, float)}
    assert len(numbers) > 5
    for name, value in numbers.items():
        # A PCA of a few pictures has axes that the rounding decides.
        if "pca" not in name:
            assert value == pytest.approx(line[name], rel=1e-3, abs=1e-4), name


@pytest.mark.parametrize("name", DATA)
def test_a_run_whose_data_has_moved_is_evaluated_where_that_lies_now(moved, capsys, name):
    run, data = moved(name)
    words = ["evaluate", str(run), "--json", *(["--quick"] if name == "lines" else [])]
    assert main(words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "where it has moved, give its place with --data" in line
    assert main([*words, "--data", str(data)]) == 0, capsys.readouterr().err
    same_numbers(capsys, run)


@pytest.mark.parametrize("name", DATA)
def test_an_old_run_is_resumed_on_moved_data_and_keeps_its_layout_its_split_and_its_files(moved, capsys, name):
    run, data = moved(name)
    assert main(["train", run_task(run), "--run-dir", str(run), "--resume", "--steps", "5", "--data", str(data)]) == 0
    said = capsys.readouterr().out
    assert "going on from step 4" in said
    recipe = json.loads((run / "config.json").read_text())["recipe"]
    if name == "lines":
        assert "81 / 4 / 4 windows of 8 tokens" in said
        assert (recipe["layout"], recipe["split"], recipe["tokens"]) == ("windows", "tail", "words")
    else:
        assert recipe["split"] == "names"
        assert {"persons": "40 pictures", "webp": "16 pictures"}[name] in said


def run_task(run):
    return json.loads((run / "config.json").read_text())["task"]


@pytest.mark.parametrize("name", DATA)
def test_an_old_run_is_sampled_without_its_data(moved, capsys, tmp_path, name):
    run, _ = moved(name)
    out = [] if name == "lines" else ["--out", str(tmp_path / "grid.png")]
    assert main(["sample", str(run), "--count", "2", *out]) == 0, capsys.readouterr().err


def test_a_new_run_on_the_same_lines_takes_the_defaults_of_today(moved, capsys, tmp_path):
    _, data = moved("lines")
    words = ["train", "--data", str(data), "--method", "mle", "--workers", "0", "--steps", "1", "--batch-size", "2"]
    assert main([*words, "--hidden-size", "2", "--embedding-size", "2", "--run-dir", str(tmp_path / "new")]) == 0
    assert "108 / 6 / 6 sentences" in capsys.readouterr().out


def test_other_data_ends_with_a_line_that_names_test_data_and_that_works(moved, capsys, tmp_path):
    run, data = moved("lines")
    other = tmp_path / "other.txt"
    other.write_text("the cat sees a yak\n" * 60)
    assert main(["evaluate", str(run), "--quick", "--data", str(other)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("give that with --data; --test-data takes another test set")
    other.write_text("".join(line + "\n" for line in data.read_text().splitlines()[::-1]))
    assert main(["evaluate", str(run), "--quick", "--data", str(other)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "is not the data that" in line
    assert line.endswith("--test-data takes another test set")
    other.write_text("the cat sees a yak\n" * 60)
    assert main(["evaluate", str(run), "--quick", "--json", "--data", str(data), "--test-data", str(other)]) == 0
    assert json.loads(capsys.readouterr().out)["test_unknown_words"] == 60


def test_other_pictures_end_with_a_line_that_names_test_data_and_that_works(moved, capsys, tmp_path):
    run, data = moved("persons")
    assert main(["evaluate", str(run), "--data", str(tmp_path / "webp")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "is not the data that" in line
    assert line.endswith("give that with --data, or put it back; --test-data takes another test set")
    words = ["evaluate", str(run), "--json", "--data", str(data), "--test-data"]
    assert main([*words, str(tmp_path / "webp")]) == 0
    result = json.loads(capsys.readouterr().out)
    # All 24 pictures of the other folder, which has no split of its own; the run's own has 10 held out.
    assert (result["test_data"], result["held_out"]) == (str(tmp_path / "webp"), 24)
    # Of one with train/ and test/ the held-out part alone.
    for part, names in (("train", "red"), ("test", "blue")):
        for n in range(5):
            file = tmp_path / "split" / part / f"{names}{n}.webp"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(base64.b64decode(WEBP[names]))
    assert main([*words, str(tmp_path / "split")]) == 0
    assert json.loads(capsys.readouterr().out)["held_out"] == 5


def test_a_run_without_data_takes_none(tmp_path, capsys):
    run = Path(shutil.copytree(OLD / "gaussian", tmp_path / "gaussian"))
    assert main(["evaluate", str(run), "--data", "x"]) == 2
    assert "is a run of gaussian, which has none: leave it out" in capsys.readouterr().err


def test_an_old_run_on_pictures_is_the_same_with_another_version_of_pillow(moved, capsys, monkeypatch):
    run, data = moved("persons")
    config = json.loads((run / "config.json").read_text())
    config["versions"]["pillow"] = "12.0.0"
    (run / "config.json").write_text(json.dumps(config))
    monkeypatch.setattr("PIL.__version__", "99.0")
    assert main(["evaluate", str(run), "--data", str(data)]) == 0
    assert main(["train", "image", "--run-dir", str(run), "--resume", "--steps", "5", "--data", str(data)]) == 0
    assert ", before 12.0.0: pictures that are decoded anew may have other bits" in capsys.readouterr().out
    assert json.loads((run / "config.json").read_text())["recipe_id"] == config["recipe_id"]
