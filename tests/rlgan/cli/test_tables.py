"""`rlgan reproduce table1`, as a person types it: trained, killed, gone on with, and reported."""

import json
import signal
import subprocess
import sys
import time

import pytest

from rlgan.cli.main import main
from rlgan.runs.table_folder import PlannedRow, TableFolder
from rlgan.text.settings import TextSettings

TINY = ["--batch-size", "8", "--embedding-size", "8", "--hidden-size", "8", "--length", "8"]


@pytest.fixture
def text(tmp_path):
    """A text of some 300 words."""
    for split, count in (("train", 60), ("valid", 20), ("test", 20)):
        lines = (f"the {'cat' if i % 3 else 'dog'} sat on mat {i % 7}\n" for i in range(count))
        (tmp_path / f"ptb.{split}.txt").write_text("".join(lines))
    return tmp_path


@pytest.mark.parametrize(
    ("words", "due"),
    [
        ([], "table1 needs --data"),
        (["--methods", "mlee"], "--methods 'mlee' is not a method. Did you mean mle?"),
        (["--epochs", "0"], "--epochs is 0.0: it must be more than 0"),
        (["--jobs", "0"], "--jobs is 0: it must be 1 or more"),
        (["--data", "TEXT", "--", "--method", "mle"], "--method after -- is for every run"),
        (["--data", "TEXT", "--", "--epochs", "3"], "--epochs after -- is for every run"),
        (["--data", "TEXT", "--", "--seed", "0"], "--seed after -- is not for every run of a table: give it before --"),
        (
            ["--data", "TEXT", "--", "--seeds", "1"],
            "--seeds after -- is not for every run of a table: give it before --",
        ),
        (["--data", "TEXT", "--", "--resume"], "--resume after -- is not for every run of a table: leave it out"),
        (["--data", "TEXT", "--", "--nonsense"], "there is no flag --nonsense"),
        (["--data", "nowhere"], "nowhere"),
        (["--report-only"], "holds no table"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_nothing_is_written(text, tmp_path, capsys, words, due):
    out = tmp_path / "out"
    typed = [str(text) if word == "TEXT" else word for word in words]
    assert main(["reproduce", "table1", "--out", str(out), *typed]) in (1, 2)
    error = capsys.readouterr().err
    assert due in error
    assert len(error.splitlines()) == 1
    assert not out.exists()


def test_a_table_from_a_stranger_imports_nothing(text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "marks.py").write_text("from pathlib import Path\nPath('imported').touch()\n")
    row = PlannedRow("mine", "mine", "", ("--data", "x"), TextSettings(method="marks:METHOD"), (0,))
    TableFolder(tmp_path / "table", "table1").plan({}, (row,))
    before = (tmp_path / "table" / "table.json").read_bytes()
    for words in (["--report-only"], ["--data", str(text), "--methods", "mle"]):
        assert main(["reproduce", "table1", "--out", "table", *words]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "row mine, names code from outside of rlgan (--method marks:METHOD): give --trust-imports" in line
        assert not (tmp_path / "imported").exists()
        assert (tmp_path / "table" / "table.json").read_bytes() == before


@pytest.mark.slow
def test_runs_with_code_from_outside_are_measured_and_their_table_is_made_again_where_it_is_trusted(
    rlgan, text, tmp_path
):
    (tmp_path / "my_decay.py").write_text("def half(done):\n    return 1 - done / 2\n")
    out, data = tmp_path / "out", text / "ptb.train.txt"
    words = ["reproduce", "scratch", "--out", out]
    how = ["--rows", "mle", "--epochs", 1, "--samples", 20, "--temperatures", 1.0, "--evaluations-per-epoch", 1]
    done = rlgan(*words, "--data", f"p={data}", *how, "--", *TINY, "--decay", "my_decay:half", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (evaluation,) = out.glob("*/seed-0.best.json")
    assert json.loads(evaluation.read_text())["quality"]
    again = [*words, "--report-only"]
    assert "--trust-imports" in rlgan(*again, cwd=tmp_path).stderr
    assert rlgan(*again, "--trust-imports", cwd=tmp_path).returncode == 0


def test_flags_of_figures_before_a_table_are_refused(capsys):
    assert main(["reproduce", "--seed", "1", "table1"]) == 2
    assert "table1 is a table, with flags of its own" in capsys.readouterr().err


def test_a_table_has_a_help_of_its_own(capsys):
    with pytest.raises(SystemExit):
        main(["reproduce", "table1", "--help"])
    assert "--discriminator-sizes" in capsys.readouterr().out


@pytest.mark.slow
def test_a_table_that_was_killed_is_gone_on_with_to_the_bits_of_a_single_run(rlgan, text, tmp_path, digest):
    out = tmp_path / "out"
    typed = ["reproduce", "table1", "--data", text, "--out", out, "--epochs", 40, "--methods", "mle"]
    typed += ["--evaluations-per-epoch", 1, "--", *TINY]
    process = subprocess.Popen([sys.executable, "-m", "rlgan", *map(str, typed)], stdout=subprocess.PIPE, text=True)
    (mle,) = _when(lambda: list(out.glob("mle-*/seed-0/metrics.jsonl")))
    _when(lambda: len(mle.read_text().splitlines()) > 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _when(lambda: list(mle.parent.glob("checkpoints/*/manifest.json")))
    # What has been measured by then can be seen, and says that it is no result.
    report = rlgan("reproduce", "table1", "--out", out, "--report-only")
    assert report.returncode == 0, report.stderr
    assert "mle, seed 0: epoch" in (out / "table1.md").read_text()

    done = rlgan(*typed, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == [
        f"beside the table: {out / 'table1.csv'}, {out / 'table1.png'}",
        str(out / "table1.md"),
    ]
    assert "evaluations of" in done.stdout  # the time that it takes is told first
    assert "Not measured" not in (out / "table1.md").read_text()
    assert sorted(entry.name for entry in out.iterdir() if entry.is_file()) == [
        "table.json", "table1.csv", "table1.md", "table1.png",
    ]  # fmt: skip

    alone = tmp_path / "alone"
    words = json.loads((out / "table.json").read_text())["rows"][mle.parent.parent.name]["words"]
    assert rlgan("train", *words, "--seed", 0, "--run-dir", alone).returncode == 0
    last = json.loads((alone / "metrics.jsonl").read_text().splitlines()[-1])
    assert digest(mle.parent, last["step"]) == digest(alone, last["step"])
    # A second call finds that all is there.
    again = rlgan(*typed)
    assert "0 runs to train" in again.stdout
    assert again.returncode == 0


@pytest.mark.slow
def test_a_run_that_fails_is_said_and_the_others_are_trained(rlgan, text, tmp_path):
    out = tmp_path / "out"
    # The discriminator alone has such a rate: maximum likelihood does not see it.
    words = ["--data", text, "--out", out, "--epochs", 1, "--methods", "mle", "policygan", "--controls"]
    rate = ["--discriminator-learning-rate", 1e300]
    done = rlgan("reproduce", "table1", *words, "--estimators", "reinforce", "--", *TINY, *rate)
    assert done.returncode == 1
    assert "1 of 2 runs failed (policygan-reinforce" in done.stderr
    table = (out / "table1.md").read_text()
    assert "policygan, reinforce, D 8, seed 0: failed:" in table
    assert next(line for line in table.splitlines() if line.startswith("| mle |")).split("|")[-2].strip() == "1"


@pytest.mark.slow
def test_the_table_from_scratch_measures_what_it_has_trained(rlgan, text, tmp_path):
    out = tmp_path / "out"
    words = ["--data", f"cats={text}", "--out", out, "--rows", "mle", "mediator", "--epochs", 2]
    words += ["--temperatures", 0.8, "--samples", 20, "--", *TINY, "--layout", "sentences"]
    done = rlgan("reproduce", "scratch", *words, timeout=400)
    assert done.returncode == 0, done.stderr
    found = json.loads(next(out.glob("cats-mediator-*/seed-0.best.json")).read_text())
    assert [entry["temperature"] for entry in found["quality"]] == [0.8, 1.0]
    table = (out / "scratch.md").read_text()
    (row,) = [line for line in table.splitlines() if line.startswith("| mediator (CoT) | ")][:1]
    assert row.split("|")[2].strip() == f"{found['test_perplexity']:.1f}"
    assert f"| {found['quality'][1]['bleu_2']:.2f} / {found['quality'][1]['self_bleu_2']:.2f} |" in table
    assert len((out / "scratch.csv").read_text().splitlines()) == 1 + 3 * 2  # two checkpoints of MLE, two temperatures
    assert "Not measured" not in table


def _when(condition, seconds=120):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found
