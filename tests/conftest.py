"""Fixtures that several tests share."""

import hashlib
import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from rlgan.device import prepare
from rlgan.runs.sinks import DEFAULT_SINKS
from rlgan.settings import own_imports, updated
from rlgan.text.settings import TextSettings
from rlgan.text.task import TextTask

ROOT = Path(__file__).resolve().parent.parent
SMALL = {"preset": "paper", "length": 12, "batch_size": 16, "embedding_size": 16, "hidden_size": 16}


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Compute as every process of a run does."""
    return prepare("cpu")


@pytest.fixture(autouse=True)
def threads_of_one_test():
    """Take back a number of threads that a test has set: by it the sums of a later one would be rounded otherwise."""
    yield
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def imports_of_one_test(tmp_path_factory):
    """Forget what a test imported by a name, and modules that tests wrote: later ones write others of that name."""
    with own_imports():
        yield
    written = f"{tmp_path_factory.getbasetemp()}{os.sep}"
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(written):
            del sys.modules[name]


@pytest.fixture
def small():
    """Give a small recipe of the paper's kind, with changes."""

    def make(**changes):
        return updated(TextSettings(), SMALL | changes)

    return make


@pytest.fixture
def task(small):
    """Give the small task on the stories, with changes."""

    def make(**changes):
        return TextTask.load(small(**changes))

    return make


@pytest.fixture
def real():
    """Name a directory of real data, where it lies."""

    def named(name):
        path = Path(os.environ.get("RLGAN_DATA", "")) / name
        if "RLGAN_DATA" not in os.environ or not path.is_dir():
            pytest.skip(f"needs {name}: set RLGAN_DATA to the directory that has it")
        return path

    return named


@pytest.fixture
def treebank(real):
    """Name the directory of the Penn Treebank's three files."""
    return real("ptb")


# Without TensorBoard, whose figures take longer than all else of so small a run; see `all_sinks`.
SMALL_WORDS = "--preset paper --length 12 --batch-size 16 --embedding-size 16 --hidden-size 16 --sinks json_lines"
SMALL_WORDS += " --evaluate-every 1000"


@pytest.fixture(scope="session")
def rlgan():
    """Type `rlgan WORDS` as a person does, and wait for what comes."""

    def run(*words, environment=None, timeout=300, **options):
        typed = [sys.executable, "-m", "rlgan", *map(str, words)]
        surroundings = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
        return subprocess.run(
            typed, capture_output=True, text=True, timeout=timeout, env=surroundings | (environment or {}), **options
        )

    return run


@pytest.fixture
def typed(capsys):
    """Type `rlgan WORDS` in this process, which has torch already; for runs without workers."""
    from rlgan.cli.main import main

    def run(*words):
        capsys.readouterr()
        try:
            code = main(list(map(str, words)))
        except SystemExit as end:  # by which --help ends
            code = end.code
        said = capsys.readouterr()
        return subprocess.CompletedProcess(words, code, said.out, said.err)

    return run


@pytest.fixture(scope="session")
def small_words():
    """The small recipe as words of the command line."""
    return SMALL_WORDS.split()


@pytest.fixture(scope="session")
def all_sinks():
    """Words to follow the small ones: metrics are written wherever they are where nothing is said."""
    return ["--sinks", *DEFAULT_SINKS]


@pytest.fixture
def digest():
    """Sum up the tensors of a run's checkpoint: SHA-256 of every file but the manifest, which holds times."""

    def of(run, step):
        files = sorted((Path(run) / "checkpoints" / str(step)).glob("*.safetensors"))
        assert len(files) >= 4
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    return of


@pytest.fixture(scope="session")
def toys(tmp_path_factory):
    """A run on sentences over 13 words, whose discriminator has learned."""
    import rlgan

    rng = np.random.default_rng(0)
    who, does = ["the cat", "the dog", "a bird", "a fox"], ["saw", "chased", "found"]
    what = ["a mouse .", "the ball .", "the house ."]
    lines = [" ".join(map(rng.choice, (who, does, what))) for _ in range(2000)]
    folder = tmp_path_factory.mktemp("toys")
    (folder / "lines.txt").write_text("\n".join(lines) + "\n")
    settings = {"layout": "sentences", "length": 8, "batch_size": 32, "embedding_size": 32, "hidden_size": 32}
    # Its log-odds are of the whole text so far: agents earn by how it goes on, and not by the one word alone.
    settings |= {"discriminator_form": "plain"}
    return rlgan.train(
        "text",
        data=folder / "lines.txt",
        **settings,
        workers=0,
        steps=300,
        evaluate_every=300,
        run_dir=folder / "run",
        say=lambda _: None,
    )


@pytest.fixture
def learned_by(toys):
    """Check that an example's agent learns, by an interpreter, within three minutes of two cores.

    A page has 8 tokens with a reward of at most 1 each; random pages end early and earn some 0.8.
    """

    def run(python, example):
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        file = ROOT / "scripts" / "examples" / f"{example}.py"
        surroundings = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
        done = subprocess.run(
            [python, file, toys.path],
            capture_output=True, text=True, timeout=1800, env=surroundings | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        said = dict(re.findall(r"^(random policy|after learning): mean return (\S+)$", done.stdout, flags=re.M))
        before, after = float(said["random policy"]), float(said["after learning"])
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
        print(f"{example}: {before:.2f} -> {after:.2f}, {seconds:.0f} CPU seconds")
        assert before < 1.5
        assert after > before + 2
        assert seconds < 2 * 180

    return run


@pytest.fixture
def learn(tmp_path):
    """Train on the stories by words of the command line, in this process; gives the last line of metrics.jsonl."""
    from rlgan.cli.main import main

    def trained(*words):
        run = tmp_path / "run"
        assert main(["train", "--workers", "0", "--evaluate-every", "10000", "--run-dir", str(run), *words]) == 0
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        assert lines[0]["test_perplexity"] > 0.95 * 394  # untrained; convolutions start well above it
        assert lines[0]["unigram_perplexity"] == pytest.approx(106.7, abs=0.1)
        return lines[-1]

    return trained
