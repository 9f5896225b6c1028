"""Every example of docs/extending.md, from outside of the package: files as they stand there, commands as typed."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from rlgan.cli import main
from rlgan.settings import all_settings
from rlgan.text.settings import TextSettings

TEXT = (Path(__file__).resolve().parent.parent / "docs" / "extending.md").read_text()
BLOCKS = dict(re.findall(r"```(?:python)\n# (\w+\.py)\n(.*?)```", TEXT, flags=re.S))
COMMANDS = re.findall(r"```sh\nrlgan (.*?)\n```", TEXT, flags=re.S)
SMALL = re.search(r"stands for\s*`(.*?)`", TEXT, flags=re.S)[1]


def _words(command):
    return command.replace("$SMALL", SMALL).replace("--steps 4", "").split()


def _file_of(command):
    return f"{re.search(r'(my_[a-z]+):', command)[1]}.py"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory with all files of the document, as the current one, and nothing of them imported yet."""
    for name, text in BLOCKS.items():
        (tmp_path / name).write_text(text)
        monkeypatch.delitem(sys.modules, name.removesuffix(".py"), raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_file_has_its_command():
    # An agent is a program of its own, and a model of a library is in `scripts/test --long transformers`.
    assert {_file_of(command) for command in COMMANDS} == set(BLOCKS) - {"my_player.py", "my_gpt2.py"}
    assert len(BLOCKS) >= 10


@pytest.mark.parametrize("command", COMMANDS, ids=_file_of)
def test_it_trains_and_goes_on_to_the_same_bits(here, digest, capsys, command):
    words = [*_words(command), "--workers", "0"]
    assert main([*words[:1], *words[1:], "--steps", "4", "--run-dir", "straight"]) == 0, capsys.readouterr().err
    assert main([*words, "--steps", "2", "--run-dir", "parts"]) == 0
    task = [word for word in words[1:2] if not word.startswith("-")]
    resumed = ["train", *task, "--run-dir", "parts", "--resume", "--steps", "4"]
    if not task:  # a task is typed again, and so trusted; else the names come from the run's config
        assert main(resumed) == 1
        assert "--trust-imports" in capsys.readouterr().err
    assert main([*resumed, "--trust-imports"]) == 0, capsys.readouterr().err
    assert digest(here / "parts", 4) == digest(here / "straight", 4)


def _all_that_go_together():
    """One command with all the parts that a run of text can have at once; the others by themselves."""
    alone = [command for command in COMMANDS if re.search("my_(task|scorer|loss)", command)]
    flags = [command.partition("$SMALL")[2] for command in COMMANDS if command not in alone]
    return ["train $SMALL" + "".join(flags), *alone]


@pytest.mark.slow
@pytest.mark.parametrize("command", _all_that_go_together(), ids=_file_of)
def test_two_workers_come_to_the_same_bits(here, rlgan, typed, digest, command):
    words = _words(command)
    assert typed(*words, "--steps", 4, "--workers", 0, "--run-dir", "alone").returncode == 0
    done = rlgan(*words, "--steps", 4, "--workers", 2, "--run-dir", "ray", cwd=here, timeout=400)
    assert done.returncode == 0, done.stderr
    assert digest(here / "ray", 4) == digest(here / "alone", 4)


@pytest.mark.slow
def test_the_dropout_of_a_transformer_is_shared_by_two_learners(here, rlgan, typed):
    (command,) = (each for each in COMMANDS if "transformer" in each)
    words = [*_words(command), "--steps", 4]
    assert typed(*words, "--workers", 0, "--run-dir", "1").returncode == 0
    done = rlgan(*words, "--workers", 1, "--learners", 2, "--run-dir", "2", cwd=here, timeout=400)
    assert done.returncode == 0, done.stderr
    for player in ("generator", "discriminator"):
        one, two = (safetensors.numpy.load_file(here / f"{n}/checkpoints/4/{player}.safetensors") for n in (1, 2))
        # The loss does not depend on the keys' bias: Adam makes steps of its gradient's rounding.
        for name in one.keys() - {"core.layer.self_attn.in_proj_bias"}:
            np.testing.assert_allclose(two[name], one[name], atol=2e-5, err_msg=name)
    text = (here / "my_transformer.py").read_text().replace("self_attn.dropout = 0.0", "self_attn.dropout = 0.1")
    (here / "my_transformer.py").write_text(text)
    done = rlgan(*words, "--workers", 1, "--learners", 2, "--run-dir", "refused", cwd=here, timeout=400)
    assert done.returncode == 1
    assert "attention has a dropout of 0.1 of its own, which several learners can't share" in done.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_a_transformer_is_evaluated_on_texts_longer_than_those_of_training(typed):
    (command,) = (each for each in COMMANDS if "transformer" in each)
    assert typed(*_words(command), "--steps", 4, "--workers", 0, "--run-dir", "run").returncode == 0
    words = ["evaluate", "run", "--samples", 50, "--temperatures", 1.0, "--json", "--trust-imports"]
    done = typed(*words)
    assert done.returncode == 0, done.stderr
    # It has learned next to nothing: 394 words, all about as likely.
    assert 300 < json.loads(done.stdout)["test_perplexity_carried"] < 500


def test_an_agent_of_ones_own_learns(here):
    """At random a token is that before in a fifth of the cases; both rewards are sigmoid(2) and sigmoid(-2)."""
    done = subprocess.run([sys.executable, "my_player.py"], capture_output=True, text=True, check=True, cwd=here)
    first, last = map(float, re.findall(r"\d\.\d\d", done.stdout))
    random = 0.881 + 7 * (0.8 * 0.881 + 0.2 * 0.119)
    assert random < first < last
    assert last > 0.97 * 8 * 0.881


@pytest.mark.usefixtures("here")
def test_a_task_of_ones_own_has_help_samples_and_an_evaluation(typed):
    done = typed("train", "my_task:TASK", "--help")
    assert "--units" in done.stdout
    assert "exponential distribution" in done.stdout
    assert typed("train", "my_task:TASK", "--steps", 300, "--run-dir", "run").returncode == 0
    # TensorBoard shows what its measures are.
    assert b"Distance of the mean to that of the data." in next(Path("run/events").iterdir()).read_bytes()
    for words in (["sample", "run", "--count", 3], ["evaluate", "run", "--json"]):
        refused = typed(*words)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "give --trust-imports" in refused.stderr
        assert typed(*words, "--trust-imports").returncode == 0
    samples = typed("sample", "run", "--count", 200, "--trust-imports").stdout.split()
    assert 0.5 < sum(map(float, samples)) / 200 < 1.5


MARK = "from pathlib import Path\nPath('imported').touch()\ndef rule(log_odds, before):\n    return log_odds\n"


@pytest.mark.parametrize(
    "command", [["sample"], ["evaluate", "--quick"], ["train", "--resume", "--steps", "3", "--run-dir"]]
)
def test_a_run_from_a_stranger_imports_nothing(tmp_path, monkeypatch, small_words, capsys, command):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    assert main(["train", *small_words, "--workers", "0", "--steps", "1", "--run-dir", str(run)]) == 0
    (tmp_path / "leaves_a_mark.py").write_text(MARK)
    file = run / "config.json"
    file.write_text(file.read_text().replace('"reward": "probability"', '"reward": "leaves_a_mark:rule"'))
    capsys.readouterr()
    assert main([*command, str(run)]) == 1
    assert "leaves_a_mark:rule" in capsys.readouterr().err
    assert not (tmp_path / "imported").exists()


NAMING = [setting.name for setting in all_settings(TextSettings) if setting.choice and setting.choice.outside]


@pytest.fixture(scope="module")
def any_run(tmp_path_factory):
    """A run of text that is there."""
    run = tmp_path_factory.mktemp("stranger") / "run"
    assert main(["train", *SMALL.split(), "--workers", "0", "--steps", "1", "--run-dir", str(run)]) == 0
    return run


@pytest.mark.parametrize("name", NAMING)
def test_whatever_a_stranger_s_run_names_is_not_imported_to_be_checked(any_run, tmp_path, monkeypatch, capsys, name):
    """Beside settings that are checked against each other, which asks a method what it is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "leaves_a_mark.py").write_text(MARK)
    shutil.copytree(any_run, tmp_path / "run")
    file = tmp_path / "run" / "config.json"
    config = json.loads(file.read_text())
    config["recipe"] |= {"batch_size": 1, "shards": 1, "estimator": "reinforce", "baseline": "leave_one_out"}
    config["recipe"][name] = "leaves_a_mark:rule"
    file.write_text(json.dumps(config))
    for command in (["sample", "run"], ["train", "--resume", "--steps", "3", "--run-dir", "run"]):
        assert main(command) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "leaves_a_mark:rule" in line
        assert "--trust-imports" in line
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("recipe", ["x", ["x"], None, 3])
def test_a_config_whose_recipe_is_none_is_one_line(any_run, tmp_path, capsys, recipe):
    shutil.copytree(any_run, tmp_path / "run")
    file = tmp_path / "run" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"recipe": recipe}))
    before = file.read_bytes()
    for command in ("sample", "evaluate"):
        assert main([command, str(tmp_path / "run")]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "they must be an object, a value for each name" in line
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("flag", "name", "said"),
    [
        ("--reward", "program:rule", "can't be imported: SystemExit: 3"),
        ("--reward", "raises_inside:rule", "No module named 'leaves_a_mrak'"),
        ("--reward", "nowhere:rule", "can't be imported"),
        ("--reward", "leaves_a_mark:other", "has no other"),
        ("--reward", "leaves_a_mark:NUMBER", "--reward leaves_a_mark:NUMBER is not callable"),
        ("--reward", "leaves_a_mark:alone", "can't be called with 2 arguments, as those of the package are: too many"),
        ("--reward", "raises:rule", "can't be imported: ZeroDivisionError"),
        (
            "--reward-control",
            "leaves_a_mark:NUMBER",
            "is a int: it must be a rlgan.text.controls.",
        ),
        ("--sinks", "nowhere:Sink", "can't be imported"),
        ("--baseline", "hope", "'hope' is not a baseline. Choose one of: none, leave_one_out"),
    ],
)
def test_what_can_t_be_imported_or_called_is_refused_before_anything_is_written(
    tmp_path, typed, monkeypatch, small_words, flag, name, said
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "leaves_a_mark.py").write_text("NUMBER = 3\ndef alone(log_odds):\n    return log_odds\n")
    (tmp_path / "raises.py").write_text("1 / 0\n")
    (tmp_path / "program.py").write_text("import sys\nsys.exit(3)\n")
    (tmp_path / "raises_inside.py").write_text("import leaves_a_mrak\n")
    done = typed("train", *small_words, "--workers", 0, flag, name, "--run-dir", "run")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert said in line
    assert "Did you mean" not in line or name == "leaves_a_mark:other"
    assert not (tmp_path / "run").exists()


def test_the_directory_s_own_modules_do_not_take_the_place_of_ours(tmp_path, rlgan, small_words):
    """Many projects have a folder `envs/`; the current directory is searched last."""
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs" / "__init__.py").write_text("raise SystemExit('not ours')\n")
    shutil.copy(Path(__file__), tmp_path / "rng.py")
    done = rlgan("train", *small_words, "--workers", 0, "--steps", 1, "--run-dir", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
