"""The command line from outside, as a person types it."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest
from refusals import assert_refused

from rlgan.cli.main import main
from rlgan.runs.checkpoints import Checkpoints
from rlgan.runs.files import fingerprint
from rlgan.text.rewards import REWARD_RULES

LOCAL = ["--workers", "0", "--steps", "4"]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """A file of 200 short lines over 12 words."""
    words = ["the", "cat", "saw", "a", "dog", "and", "then", "it", "ran", "far", "away", "home"]
    generator = np.random.default_rng(0)
    lines = [" ".join(generator.choice(words, size=generator.integers(4, 9))) for _ in range(200)]
    file = tmp_path_factory.mktemp("text") / "lines.txt"
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.fixture(scope="module")
def trained(tmp_path_factory, small_words, all_sinks):
    """A finished run of four steps on the stories."""
    path = tmp_path_factory.mktemp("trained") / "run"
    assert main(["train", *small_words, *all_sinks, *LOCAL, "--run-dir", str(path)]) == 0
    return path


@pytest.fixture
def run(trained, tmp_path, capsys):
    """A copy of it, which a test may change."""
    path = shutil.copytree(trained, tmp_path / "run")
    capsys.readouterr()
    return path


def _refused(done, code, *parts):
    assert_refused(done.returncode, done.stderr.strip(), code, *parts)


def test_help_answers_in_under_half_a_second():
    """In CPU seconds, the quickest of five: other tests run beside this one."""
    times = []
    for words in [["--help"], ["train", "--help"]] * 5:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-m", "rlgan", *words], capture_output=True, text=True, check=True)
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(now.ru_utime + now.ru_stime - before.ru_utime - before.ru_stime)
        assert "rlgan" in done.stdout
    assert min(times[::2]) < 0.5
    assert min(times[1::2]) < 0.5


def test_help_imports_nothing_heavy():
    code = (
        "import sys, rlgan.cli\ntry: rlgan.cli.main(['train', '--help'])\nexcept SystemExit: pass\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stdout.splitlines()[-1].split())
    assert "rlgan.cli" in modules
    assert not modules & {"torch", "ray", "tensorboard", "gymnasium", "numpy"}


def test_the_installed_command_is_the_same():
    command = shutil.which("rlgan", path=os.path.dirname(sys.executable))
    assert command is not None
    assert subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout.startswith(
        "rlgan "
    )


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["tarin"], ["unknown command 'tarin'", "train, evaluate, sample"]),
        (["train", "video"], ["unknown task 'video'"]),
        (["train", "--preset", "worst"], ["--preset", "'worst'", "paper", "best"]),
        (["train", "--method", "seqgan"], ["--method", "'seqgan'", "policygan"]),
        (["train", "--reward", "applause"], ["--reward", "'applause'", "probability"]),
        (["train", "--estimator", "straight-through"], ["--estimator", "'straight-through'", "all_tokens"]),
        (["train", "--reward-control", "placebo"], ["--reward-control", "'placebo'", "random_discriminator"]),
        (
            ["train", "--weighting", "forward_kl", "--reward", "log-probability"],
            ["--weighting forward_kl with --reward log_probability"],
        ),
        (["train", "--curriculum", "0", "0.1", "1", "0.9"], ["--curriculum ((0.0, 0.1), (1.0, 0.9))", "falling"]),
        (["train", "--baseline-decay", "1"], ["--baseline-decay is 1.0"]),
        (["train", "--length", "0"], ["--length is 0"]),
        (["train", "--length", "twenty"], ["--length", "twenty"]),
        (["train", "--batch-size", "-64"], ["--batch-size is -64"]),
        (["train", "--workers", "-1"], ["--workers is -1"]),
        (["train", "--shards", "5"], ["--shards 5 does not divide --batch-size"]),
        (["train", "--lambda", "1.5"], ["--lambda is 1.5: it must be from 0 to 1"]),
        (["train", "--steps", "0"], ["--steps is 0"]),
        (["train", "--resume"], ["--resume needs --run-dir"]),
        (["train", "--frobnicate"], ["--frobnicate"]),
        (["evaluate"], ["RUN"]),
        (["sample", "somewhere", "--count", "0"], ["--count is 0: it must be 1 or more"]),
        (["train", "--data", ""], ["--data is empty"]),
        (["train", "--run-dir", ""], ["--run-dir is empty"]),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line_with_code_2(refused, words, parts):
    refused(words, 2, *parts)


def _bad_data(tmp_path, text):
    empty, latin, short, directory = (tmp_path / name for name in ("empty.txt", "latin.txt", "short.txt", "ptb"))
    empty.write_text("")
    latin.write_bytes("un café noir\n".encode("latin-1") * 50)
    short.write_text("one two\n" * 5)
    directory.mkdir()
    (directory / "ptb.train.txt").write_text("a b c\n" * 100)
    return [
        (tmp_path / "nowhere", [], ["nowhere", "No such file"]),
        (empty, [], ["empty.txt has no words"]),
        (directory, [], ["ptb.test.txt", "ptb.test.txt"]),
        (latin, [], ["latin.txt is not UTF-8", "byte 6", "line 1"]),
        (short, ["--layout", "windows"], ["not one window of 20"]),
        (text, ["--vocab-size", "5000"], ["5000", "14"]),
    ]


def test_data_that_can_t_be_used_is_refused_in_one_line_with_code_1(tmp_path, text, capsys):
    for path, words, parts in _bad_data(tmp_path, text):
        target = tmp_path / "run"
        code = main(["train", "--data", str(path), *words, *LOCAL, "--run-dir", str(target)])
        out = capsys.readouterr()
        assert_refused(code, out.err, 1, *parts)
        assert not target.exists()


def test_a_missing_path_is_refused_from_a_shell_too(rlgan, tmp_path):
    _refused(rlgan("train", "--data", "nowhere.txt", "--workers", "0", cwd=tmp_path), 1, "nowhere.txt")


def test_the_stories_have_the_words_they_have(typed, tmp_path):
    words = ["train", "--vocab-size", "100", "--workers", "0", "--run-dir", tmp_path / "run"]
    _refused(typed(*words), 1, "394 words", "--vocab-size")


def test_a_directory_that_is_not_empty_is_left_as_it_is(typed, tmp_path):
    (tmp_path / "metrics.jsonl").write_text("years of work")
    _refused(typed("train", "--run-dir", tmp_path), 1, "is not empty", "--run-dir")
    _refused(typed("train", "--run-dir", tmp_path, "--resume"), 1, "holds no run")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["years of work"]


@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_said(typed, tmp_path):
    done = typed("train", "--workers", "0", "--learner-gpus", "1", "--run-dir", tmp_path / "run")
    _refused(done, 1, "cuda was asked for", "finds 0 GPUs", "--device cpu")
    assert not (tmp_path / "run").exists()


def test_a_run_directory_holds_what_the_readme_says(run):
    assert {entry.name for entry in run.iterdir()} == {
        ".lock", "checkpoints", "config.json", "events", "log.txt", "metrics.jsonl", "vocabulary.json"
    }  # fmt: skip
    recipe = json.loads((run / "config.json").read_text())["recipe"]
    assert (recipe["layout"], recipe["vocab_size"], recipe["preset"]) == ("sentences", 394, "paper")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 4]
    assert "test perplexity" in (run / "log.txt").read_text()
    assert {file.name for file in (run / "checkpoints" / "4").iterdir()} == {
        "generator.safetensors", "discriminator.safetensors", "generator_optimizer.safetensors",
        "discriminator_optimizer.safetensors", "manifest.json",
    }  # fmt: skip


def test_evaluate_prints_one_json_object_which_agrees_with_metrics_jsonl(typed, run):
    done = typed("evaluate", run, "--quick", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    line = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    for key in (
        "step", "test_perplexity", "validation_perplexity", "unigram_perplexity", "floor_perplexity",
        "discriminator_accuracy_real", "discriminator_accuracy_generated", "reward_by_position", "distinct_bigrams",
    ):  # fmt: skip
        assert result[key] == line[key]


def test_evaluate_speaks_to_people_too_and_knows_the_best(run, capsys):
    assert main(["evaluate", str(run), "--checkpoint", "best", "--quick"]) == 0
    assert "  test perplexity " in capsys.readouterr().out
    assert main(["evaluate", str(run), "--quick", "--all"]) == 0
    assert "test_perplexity" in capsys.readouterr().out


def test_evaluate_takes_another_text_in_the_runs_vocabulary(run, text, capsys):
    assert main(["evaluate", str(run), "--test-data", str(text), "--quick", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    words = set(json.loads((run / "vocabulary.json").read_text()))
    assert result["test_unknown_words"] == sum(word not in words for word in text.read_text().split())
    assert "floor_perplexity" not in result


def test_a_run_ends_with_five_samples_a_summary_and_what_to_type_next(tmp_path, small_words, capsys):
    run = tmp_path / "run"
    assert main(["train", *small_words, *LOCAL, "--run-dir", str(run)]) == 0
    said = capsys.readouterr().out.splitlines()
    (evaluated,) = [number for number, line in enumerate(said) if line.startswith("step 4: ")]
    first, header, *others = said[evaluated + 1 : evaluated + 7]
    assert header == "it also writes:"
    assert all(line.startswith("    ") for line in (first, *others))
    assert len({first, *others}) == 5
    assert re.match(
        r"4 steps; 0:\d\d of training and 0:\d\d of evaluations this time, [\d,]+ tokens a second; ", said[-4]
    )
    assert re.search(r"best checkpoint: step 4, validation perplexity \d+", said[-4])
    shown = f"tensorboard --logdir_spec {run.name}:{run}"
    for line, command in zip(said[-3:], (shown, f"rlgan sample {run}", f"rlgan evaluate {run}"), strict=True):
        assert command in line


def test_sample_prints_as_many_sentences_as_asked_the_same_for_the_same_seed(run, capsys):
    outputs = []
    for seed in ("0", "0", "1"):
        assert main(["sample", str(run), "--count", "70", "--seed", seed]) == 0
        outputs.append(capsys.readouterr().out)
    assert len(outputs[0].splitlines()) == 70
    assert outputs[0] == outputs[1] != outputs[2]
    assert set(outputs[0].split()) <= set(json.loads((run / "vocabulary.json").read_text()))


def test_sample_begins_with_a_prompt_and_prints_json_for_programs(run, capsys):
    assert main(["sample", str(run), "--count", "3", "--prompt", "in the meadow"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("in the meadow") for line in lines)
    assert main(["sample", str(run), "--count", "3", "--prompt", "in the meadow", "--format", "json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert found == [{"sample": line, "step": 4} for line in lines]


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("in the zeppelin", "zeppelin is not among the 394 words"),
        (" ", "--prompt is empty"),
        ("a <eos>", "<eos> is not among"),
        ("a " * 12, "--prompt has 12 words and the run's sequences 12: give 11 or fewer"),
    ],
)
def test_a_prompt_that_the_run_can_not_read_is_refused(run, capsys, prompt, said):
    assert main(["sample", str(run), "--prompt", prompt]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("command", ["evaluate", "sample"])
def test_what_is_no_run_is_said(typed, tmp_path, command):
    _refused(typed(command, tmp_path), 1, "holds no run")


def test_resume_goes_on_from_what_was_saved_and_rewinds_the_metrics(run, small_words, capsys, digest, tmp_path):
    straight = tmp_path / "straight"
    longer = ["--workers", "0", "--steps", "7"]
    assert main(["train", *small_words, *longer, "--run-dir", str(straight)]) == 0
    (run / "metrics.jsonl").open("a").write('{"step": 6, "test_perplexity": 1.0}\n')
    assert main(["train", "--run-dir", str(run), "--resume", "--steps", "7"]) == 0
    assert "going on from step 4" in capsys.readouterr().out
    assert digest(run, 7) == digest(straight, 7)
    assert [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()] == [0, 4, 7]


def test_a_run_can_be_resumed_again_and_again(small_words, run, capsys, digest, tmp_path):
    parts = str(tmp_path / "parts")
    words = ["train", *small_words, "--workers", "0"]
    assert main([*words, "--run-dir", parts, "--resume", "auto", "--steps", "1"]) == 0  # a first start may say so too
    for steps in ("2", "3", "4"):
        assert main(["train", "--run-dir", parts, "--resume", "--steps", steps]) == 0, capsys.readouterr().err
    assert digest(parts, 4) == digest(run, 4)


def test_going_on_on_another_kind_of_machine_is_said(rlgan, typed, run):
    words = ["train", "--run-dir", run, "--resume", "--steps"]
    assert "bit-identical" not in typed(*words, 5).stdout
    done = rlgan(*words, 6, environment={"ATEN_CPU_CAPABILITY": "default"})
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "not bit-identical" in line]
    assert re.match(r"another kind of machine \(learner now on CPU \(.* DEFAULT, .*; rollouts now on CPU", line)


def test_resume_needs_a_run_and_auto_starts_one_where_there_is_none(small_words, tmp_path, capsys):
    words = ["train", *small_words, "--workers", "0", "--run-dir", str(tmp_path / "run")]
    assert main([*words, "--steps", "1", "--resume"]) == 1
    said = capsys.readouterr().err
    assert "holds no run to go on with: give --resume auto" in said
    assert not (tmp_path / "run").exists()
    assert main([*words, "--resume=auto", "--steps", "1"]) == 0
    assert main([*words, "--resume", "auto", "--steps", "2"]) == 0
    assert "going on from step 1" in capsys.readouterr().out
    assert main([*words, "--steps", "3", "--no-resume"]) == 1
    assert "is not empty" in capsys.readouterr().err
    assert main([*words, "--resume", "--steps", "3"]) == 0
    assert "going on from step 2" in capsys.readouterr().out


def test_resume_with_nothing_left_to_do_does_nothing(run, capsys):
    before = (run / "metrics.jsonl").read_text()
    assert main(["train", "--run-dir", str(run), "--resume"]) == 0
    assert "already at step 4" in capsys.readouterr().out
    assert (run / "metrics.jsonl").read_text() == before


def test_resume_refuses_a_changed_setting_that_matters(typed, run):
    done = typed("train", "--run-dir", run, "--resume", "--steps", "9", "--lambda", "0.5", "--seed", "3")
    _refused(done, 2, "--resume can't change", "--lambda 0.9 -> 0.5", "--seed 0 -> 3")


def test_what_was_typed_can_be_typed_again_where_the_text_decides_it(tmp_path, small_words, capsys):
    """The stories have nothing to split: what is held out is told apart from what is trained on."""
    words = ["train", *small_words, *LOCAL, "--split", "shuffle", "--run-dir", str(tmp_path / "run")]
    assert main(words) == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["recipe"]["split"] == "tail"
    capsys.readouterr()
    assert main([*words, "--steps", "5", "--resume"]) == 0
    assert "going on from step 4" in capsys.readouterr().out
    assert main([*words, "--steps", "6", "--resume", "--seed", "3"]) == 2
    assert "--resume can't change --seed 0 -> 3: leave it" in capsys.readouterr().err


def test_resume_refuses_other_data(tmp_path, text, small_words, capsys):
    data, run = tmp_path / "data.txt", str(tmp_path / "run")
    shutil.copy(text, data)
    assert main(["train", *small_words, *LOCAL, "--data", str(data), "--run-dir", run]) == 0
    data.write_text(data.read_text().replace("cat", "dog", 1))
    assert main(["train", "--run-dir", run, "--resume", "--steps", "9"]) == 1
    assert "is not the data" in capsys.readouterr().err


def test_resume_falls_back_from_a_truncated_checkpoint_and_says_so(typed, tmp_path, small_words, digest):
    run = tmp_path / "run"
    words = ["train", *small_words, "--workers", "0", "--checkpoint-every", "2", "--run-dir", run]
    assert typed(*words, "--steps", "6").returncode == 0
    due = digest(run, 6)
    file = run / "checkpoints" / "6" / "generator.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    done = typed("train", "--run-dir", run, "--resume", "--steps", "6")
    assert done.returncode == 0, done.stderr
    assert "Checkpoint 6 is damaged: generator.safetensors is not what was saved; it is now 6.unused-" in done.stdout
    assert "going on from step 4" in done.stdout
    assert digest(run, 6) == due


def test_a_checkpoint_of_another_run_is_not_taken(typed, run, tmp_path, small_words):
    other = tmp_path / "other"
    assert typed("train", *small_words, *LOCAL, "--seed", "1", "--run-dir", other).returncode == 0
    shutil.rmtree(run / "checkpoints" / "4")
    shutil.copytree(other / "checkpoints" / "4", run / "checkpoints" / "4")
    done = typed("train", "--run-dir", run, "--resume", "--steps", "5")
    assert done.returncode == 0, done.stderr
    assert "Checkpoint 4 is of another recipe or other data" in done.stdout
    assert "There is no whole checkpoint yet: the run begins at step 0" in done.stdout
    # Left for whoever put it there, and out of the way of our own.
    names = sorted(entry.name.partition(".")[0] for entry in (run / "checkpoints").iterdir())
    assert names == ["4", "5"]
    assert not (run / "checkpoints" / "4").exists()


@pytest.mark.parametrize("command", [["sample"], ["evaluate", "--quick"]])
def test_a_checkpoint_of_another_run_is_not_measured_either(run, tmp_path, small_words, capsys, command):
    other = str(tmp_path / "other")
    assert main(["train", *small_words, "--workers", "0", "--steps", "6", "--seed", "1", "--run-dir", other]) == 0
    shutil.copytree(f"{other}/checkpoints/6", run / "checkpoints" / "6")
    assert main([*command, str(run)]) == 0
    assert "Checkpoint 6 is of another recipe or other data" in capsys.readouterr().err


def test_a_damaged_best_gives_way_to_the_newest_and_then_to_a_better(run, capsys):
    assert main(["train", "--run-dir", str(run), "--resume", "--workers", "0", "--steps", "6"]) == 0
    file = run / "checkpoints" / "4" / "manifest.json"
    manifest = json.loads(file.read_text()) | {"score": 1.0}
    del manifest["sha256_of_the_rest"]
    file.write_text(json.dumps(manifest | {"sha256_of_the_rest": fingerprint(manifest)}))
    (run / "checkpoints" / "4" / "generator.safetensors").write_bytes(b"cut")
    assert main(["evaluate", str(run), "--checkpoint", "best", "--quick", "--json"]) == 0
    out = capsys.readouterr()
    assert "taking the newest" in out.err
    assert json.loads(out.out.splitlines()[-1])["step"] == 6
    assert main(["train", "--run-dir", str(run), "--resume", "--workers", "0", "--steps", "8"]) == 0
    assert Checkpoints(run / "checkpoints").best() in (6, 8)


def test_a_full_disk_leaves_the_metrics_as_they_were(run):
    metrics = run / "metrics.jsonl"
    long = json.dumps({"step": 3, "pad": "x" * 100_000})  # kept by the rewind, and too much for the disk
    metrics.write_text(metrics.read_text() + long + "\n" + json.dumps({"step": 9}) + "\n")
    before = metrics.read_text()
    typed = f"ulimit -f 40; exec {sys.executable} -m rlgan train --run-dir {run} --resume --steps 8"
    done = subprocess.run(["bash", "-c", typed], capture_output=True, text=True, timeout=120)
    _refused(done, 1, "metrics.jsonl can't be written")
    assert metrics.read_text() == before


def test_names_that_are_not_utf_8_are_shown_as_escapes(rlgan, typed, tmp_path, small_words, text):
    """TensorBoard can't write to such a directory, so a run is refused there; data may have any name."""
    data = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")
    shutil.copy(text, data)
    words = ["train", *small_words, *LOCAL, "--data", data]
    _refused(typed(*words, "--run-dir", os.fsdecode(b"run\xe9")), 2, "run\\udce9 is not UTF-8")
    done = rlgan(*words, "--run-dir", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "caf\\udce9.txt" in done.stdout
    done = typed("train", "--run-dir", tmp_path / "run", "--resume", "--steps", "5")
    assert done.returncode == 0, done.stderr


def test_who_reads_the_samples_may_leave_early(run):
    typed = f"{sys.executable} -m rlgan sample {run} --count 20000 | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", typed], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_page_that_no_memory_holds_is_said(typed, tmp_path):
    done = typed("train", "--length", "1000000000000", "--workers", "0", "--run-dir", tmp_path / "run")
    _refused(done, 1, "not enough memory")


def test_a_full_disk_while_saving_leaves_the_last_whole_checkpoint(run):
    """A limit on the size of files stands for the full disk: the write fails in the same place."""
    before = sorted(file.read_bytes() for file in (run / "checkpoints" / "4").iterdir())
    typed = f"ulimit -f 40; exec {sys.executable} -m rlgan train --run-dir {run} --resume --steps 8"
    done = subprocess.run(["bash", "-c", typed], capture_output=True, text=True, timeout=120)
    _refused(done, 1, "Checkpoint 8 can't be saved", "the last whole checkpoint is", "checkpoints/4")
    assert sorted(file.read_bytes() for file in (run / "checkpoints" / "4").iterdir()) == before
    assert [entry.name for entry in (run / "checkpoints").iterdir()] == ["4"]


def test_a_loss_that_is_not_finite_stops_the_run_and_names_step_term_and_checkpoint(run, capsys, monkeypatch):
    """A reward rule gone wrong stands for all that can: it reaches the loss through the environment and Q."""
    monkeypatch.setitem(REWARD_RULES, "probability", lambda log_odds, _: log_odds * float("nan"))
    assert main(["train", "--run-dir", str(run), "--resume", "--workers", "0", "--steps", "9"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "loss_policy_gradient is nan in the update of the generator of step 4" in line
    assert line.endswith(f"the last whole checkpoint is {run}/checkpoints/4")


def test_weights_that_are_not_finite_are_neither_shown_nor_saved(tmp_path, small_words, capsys):
    run = tmp_path / "run"
    words = ["train", *small_words, *LOCAL, "--method", "mle", "--run-dir", str(run)]
    assert main([*words, "--generator-learning-rate", "1e38"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "no checkpoint exists yet" in line
    assert not Checkpoints(run / "checkpoints").steps()
    assert "NaN" not in (run / "metrics.jsonl").read_text()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", "[1]"), ("config.json", '{"task": "text"}'), ("vocabulary.json", "7"),
        ("config.json", '{"task": "text", "recipe": {"length": 5}, "run": {}, "recipe_id": "x"}'),
    ],
)  # fmt: skip
def test_a_damaged_run_is_said_in_one_line(run, capsys, file, content):
    (run / file).write_text(content)
    assert main(["sample", str(run)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert file in line


@pytest.mark.parametrize(
    ("method", "terms"),
    [
        ("mle", {"loss_mle"}),
        ("policygan", {"loss_policy_gradient", "loss_discriminator"}),
        ("pretraingan", {"loss_mle", "loss_policy_gradient", "loss_discriminator"}),
        ("mixedgan", {"loss_mle", "loss_policy_gradient", "loss_discriminator"}),
        ("curriculum", {"loss_mle", "loss_policy_gradient", "loss_discriminator"}),
    ],
)
def test_each_method_computes_its_own_terms_and_no_others(tmp_path, text, small_words, method, terms):
    """On 180 rows an epoch is 12 steps, so that pretraingan passes from its first phase to its second."""
    run = tmp_path / "run"
    words = ["train", *small_words, "--workers", "0", "--data", str(text), "--method", method, "--steps", "14"]
    assert main([*words, "--run-dir", str(run)]) == 0
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert {name for name in last if name.startswith("loss_")} == terms
    assert last["shards_by_worker"] == {"local": {"mle": 0, "pretraingan": 4}.get(method, 28)}


def test_names_of_several_words_are_taken_with_hyphens_too(typed, tmp_path, small_words):
    words = ["--estimator", "all-tokens", "--weighting", "forward-kl", "--reward", "density-ratio"]
    words += ["--baseline=per-position", "--reward-control", "random-discriminator"]
    run = tmp_path / "all-tokens"  # a name is left as it is
    assert typed("train", *small_words, *words, *LOCAL, "--run-dir", run).returncode == 0
    recipe = json.loads((run / "config.json").read_text())["recipe"]
    assert [recipe[name] for name in ("estimator", "reward", "reward_control", "baseline")] == [
        "all_tokens", "density_ratio", "random_discriminator", "per_position"
    ]  # fmt: skip
    line = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert (line["estimator"], line["weighting"]) == ("all_tokens", "forward_kl")


def test_a_curriculum_is_typed_as_pairs_and_gone_on_with(tmp_path, text, small_words, capsys, digest):
    straight, parts = tmp_path / "straight", tmp_path / "parts"
    words = ["train", *small_words, "--workers", "0", "--data", str(text), "--method", "curriculum"]
    words += ["--curriculum", "0", "0.75", "1", "0.25"]
    assert main([*words, "--steps", "5", "--run-dir", str(straight)]) == 0
    assert main([*words, "--steps", "3", "--run-dir", str(parts)]) == 0
    assert main(["train", "--run-dir", str(parts), "--resume", "--steps", "5"]) == 0, capsys.readouterr().err
    assert digest(parts, 5) == digest(straight, 5)


def test_a_collapse_is_told_shown_and_stops_the_run_where_that_is_asked(tmp_path, small_words, capsys):
    run = tmp_path / "run"
    words = ["train", *small_words, "--workers", "0", "--steps", "80", "--run-dir", str(run)]
    words += ["--generator-learning-rate", "0.5"]  # too large: all is soon one word
    assert main([*words, "--on-collapse", "stop"]) == 1
    out, (error,) = (lines.splitlines() for lines in capsys.readouterr())
    (alarm,) = (line for line in out if line.startswith("ALARM: The generator collapsed at step"))
    step = int(alarm.split("step ")[1].split(":")[0])
    assert 10 <= step < 80
    assert f"The generator collapsed at step {step}" in error
    assert "--on-collapse" in error
    assert Checkpoints(run / "checkpoints").steps() == [step]
    assert json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])["collapse_alarm"] > 0
    # Asked for no more than a warning, it goes on.
    assert main(["train", "--run-dir", str(run), "--resume", "--steps", str(step + 12), "--on-collapse", "warn"]) == 0
    assert "ALARM: The generator collapsed at step" in capsys.readouterr().out


def test_the_oracles_words_are_its_own(typed, tmp_path):
    words = ["train", "--data", "oracle", "--vocab-size", "100", "--workers", "0", "--run-dir", tmp_path / "run"]
    done = typed(*words)
    _refused(done, 1, "the oracle writes windows of 5000 words")


@pytest.mark.slow
def test_a_step_on_the_oracle_tells_its_nll_beside_what_the_generator_has(typed, tmp_path, text):
    run = tmp_path / "run"
    words = ["--preset", "paper", "--embedding-size", "8", "--hidden-size", "8", "--run-dir", run]
    assert typed("train", "--data", "oracle", *LOCAL, *words).returncode == 0
    line = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert 5.8 < np.log(line["floor_perplexity"]) < 6.1
    assert np.log(line["test_perplexity"]) == pytest.approx(np.log(5000), rel=0.02)
    assert 10 < line["true_nll"] < 12  # NLL_oracle of text that is nearly uniform
    assert line["grammatical"] == 1
    done = typed("evaluate", run, "--quick", "--test-data", text)
    # Before it may come lines that say how far it is.
    assert done.returncode == 1
    assert "vocabulary has no <eos>; the oracle's has numbers, which no text has" in done.stderr.splitlines()[-1]


def test_an_epoch_and_a_minute_bound_a_run(tmp_path, text, small_words):
    epoch, minute = tmp_path / "epoch", tmp_path / "minute"
    words = ["train", *small_words, "--workers", "0", "--data", str(text)]
    assert main([*words, "--epochs", "2", "--run-dir", str(epoch)]) == 0
    last = json.loads((epoch / "metrics.jsonl").read_text().splitlines()[-1])
    assert 2 <= last["epoch"] < 2 + 16 / 90
    assert main([*words, "--minutes", "0.02", "--run-dir", str(minute)]) == 0
    last = json.loads((minute / "metrics.jsonl").read_text().splitlines()[-1])
    assert 1.2 <= last["seconds"] < 30


def test_the_two_layouts_and_a_file_of_ones_own(tmp_path, text, small_words):
    for layout in ("windows", "sentences"):
        run = tmp_path / layout
        words = ["train", *small_words, *LOCAL, "--data", str(text), "--layout", layout, "--run-dir", str(run)]
        assert main(words) == 0
        line = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
        assert "floor_perplexity" not in line
        assert line["length"] == 12 if layout == "windows" else line["length"] < 12


def test_a_step_on_the_penn_treebank(tmp_path, treebank):
    words = ["train", "--data", str(treebank), "--preset", "paper", "--workers", "0", "--steps", "1", "--length", "20"]
    # The whole vocabulary, but small networks: what is under test is the way there.
    words += ["--embedding-size", "8", "--hidden-size", "8", "--run-dir", str(tmp_path / "run")]
    assert main(words) == 0
    first = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[0])
    assert first["test_perplexity"] == pytest.approx(10_000, rel=0.1)
    assert first["unigram_perplexity"] == pytest.approx(639.3, rel=1e-3)
