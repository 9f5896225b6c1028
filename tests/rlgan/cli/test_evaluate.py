"""`rlgan evaluate` and `rlgan sample`: quality over temperatures, controls, figures, and what is refused."""

import json
import math
import re
import shutil
from dataclasses import replace

import pytest
from refusals import assert_refused

from rlgan.cli.main import main
from rlgan.cli.parsing import parse
from rlgan.cli.sample import PAGE
from rlgan.cli.tasks import kind_of_operation, options_for
from rlgan.runs.evaluation import evaluation_tools
from rlgan.runs.terminal import Terminal
from rlgan.task import NoOptions, find_task
from rlgan.text import language_model

LOCAL = ["--workers", "0", "--steps", "3"]


@pytest.fixture(scope="module")
def runs(small_words, tmp_path_factory):
    """A run on the stories and its control."""
    folder = tmp_path_factory.mktemp("runs")
    for name, words in (("run", []), ("control", ["--reward-control", "shuffled"])):
        assert main(["train", *small_words, *LOCAL, *words, "--run-dir", str(folder / name)]) == 0
    return folder


@pytest.fixture
def run(runs, capsys):
    capsys.readouterr()
    return runs / "run"


@pytest.fixture
def hasty(monkeypatch):
    """Train language models for two updates: what is under test is the way there."""
    monkeypatch.setattr(language_model, "UPDATES", 2)


def _strict(text):
    """Read JSON as the standard has it: without NaN and Infinity."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


@pytest.mark.usefixtures("hasty")
def test_evaluate_tells_quality_by_temperature_beside_real_text(run, capsys):
    words = ["--temperatures", "1.5", "0.5", "--samples", "60", "--json"]
    assert main(["evaluate", str(run), *words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    result = _strict(out)
    assert [found["temperature"] for found in result["quality"]] == [0.5, 1.5]
    cold, hot = result["quality"]
    assert cold["generator_entropy"] < hot["generator_entropy"]
    assert cold["distinct_1"] < hot["distinct_1"]
    assert set(result["quality_floor"]) - {"true_nll"} == set(cold) - {"temperature", "generator_entropy"}
    measures = {"lm_score", "reverse_lm_score", "frechet_hashed_ngrams_64", "memorised", "grammatical", "length_std"}
    measures |= {f"{name}_{n}" for name in ("bleu", "self_bleu") for n in (2, 3, 4, 5)}
    assert measures <= set(cold)
    assert (result["quality_rows"], result["quality_samples"]) == (60, 60)
    assert result["quality_floor"]["grammatical"] == 1
    assert result["test_perplexity_carried"] == pytest.approx(394, rel=0.1)
    assert len(result["discriminator_accuracy_real_by_position"]) == 12
    assert len(result["discriminator_accuracy_generated_by_position"]) == 12
    said = ("preset", "method", "reward", "reward_control", "data", "step")
    assert [result[name] for name in said] == ["paper", "policygan", "probability", "none", "stories", 3]
    assert result["estimator"] == "reinforce"
    assert "weighting" not in result  # it counts in the sum over all tokens alone


@pytest.mark.usefixtures("hasty")
def test_the_same_evaluation_gives_the_same_numbers(run, capsys):
    words = ["evaluate", str(run), "--samples", "30", "--json"]
    outputs = []
    for _ in range(2):
        assert main(words) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]


def test_data_that_runs_share_is_read_once(run, runs, small_words, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("one two three four five six seven\n" * 60)
    assert main(["train", *small_words, *LOCAL, "--data", str(text), "--run-dir", str(tmp_path / "other")]) == 0
    tools = evaluation_tools("newest", trust_imports=False, status=print)
    first, control, other = (
        tools.prepare(tools.load_run(str(path))) for path in (run, runs / "control", tmp_path / "other")
    )
    assert control.corpus is first.corpus
    assert control.settings.rewards.reward_control == "shuffled"
    assert (other.corpus.name, len(other.corpus.words)) == ("text.txt", 9)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(("words", "fewest"), [(["--temperatures", "0.7", "1"], 13), (["--quick"], 2)])
def test_an_evaluation_says_how_much_of_it_is_done(run, runs, monkeypatch, words, fewest):
    shown = []
    monkeypatch.setattr(Terminal, "status", lambda _, what, done=None: shown.append((what, done)))
    words = [*words, *([] if "--quick" in words else ["--samples", "30"])]
    assert main(["evaluate", str(run), "--control", str(runs / "control"), *words]) == 0
    stages = [(what, done) for what, done in shown if done is not None]
    assert len(stages) >= fewest
    fractions = [done for _, done in stages]
    assert fractions[0] == 0
    assert fractions == sorted(set(fractions))
    assert fractions[-1] < 1
    # The last one takes all that is left: weights of stages that come, and of no others, are counted.
    left = {"--quick": 1 / 2}.get(words[0], 2 / 23)
    assert fractions[-1] == pytest.approx(1 - left)


def test_quick_leaves_out_what_takes_long(run, capsys):
    assert main(["evaluate", str(run), "--quick", "--json"]) == 0
    result = _strict(capsys.readouterr().out)
    assert "test_perplexity" in result
    assert not {"quality", "quality_floor", "test_perplexity_carried"} & set(result)


@pytest.mark.usefixtures("hasty")
def test_people_get_a_table_a_control_its_gain_and_a_figure(run, runs, tmp_path, capsys):
    figure = tmp_path / "quality.png"
    words = ["--control", str(runs / "control"), "--samples", "30", "--temperatures", "0.7", "1"]
    assert main(["evaluate", str(run), *words, "--all", "--figure", str(figure)]) == 0
    lines = capsys.readouterr().out.splitlines()
    heads = [line.split() for line in lines if "T = " in line]
    assert heads == [["T", "=", "0.7", "T", "=", "1", "real", "text"]] * 2 + [["T", "=", "0.7", "T", "=", "1"]]
    values = [[float(value) for value in line.split()[1:]] for line in lines if line.split()[:1] == ["bleu_2"]]
    for i in range(2):
        assert values[2][i] == pytest.approx(values[0][i] - values[1][i], abs=2e-4)
    assert f"{run} less {runs / 'control'}" in lines
    assert max(map(len, lines)) < 200
    assert figure.read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("hasty")
def test_people_read_ten_numbers_with_what_is_better_and_what_to_compare_them_with(run, runs, capsys):
    words = ["--samples", "30", "--control", str(runs / "control")]
    assert main(["evaluate", str(run), *words, "--json"]) == 0
    result = _strict(capsys.readouterr().out)
    assert main(["evaluate", str(run), *words]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == f"{run}, step {result['step']}"
    measures = [line for line in lines if line.startswith("  ") and not line.startswith("  gain over")]
    assert len(measures) == 10
    (perplexity,) = [line for line in measures if "test perplexity" in line]
    assert re.search(r"\d ↓  floor [\d.]+, unigrams [\d.]+$", perplexity)
    assert f"{result['test_perplexity']:.4g} " in perplexity
    assert f"floor {result['floor_perplexity']:.4g}" in perplexity
    (bleu,) = [line for line in measures if line.startswith("  BLEU-4, T = 1 ")]
    assert f"↑  real text {result['quality_floor']['bleu_4']:.4g}" in bleu
    assert f"  gain over {runs / 'control'}: {result['controls'][0]['gain_nats_per_token']:.3f} nats" in "\n".join(
        lines
    )
    assert max(map(len, measures)) <= 80


def test_the_gain_over_a_control_is_in_nats_of_test_text(run, runs, capsys):
    assert main(["evaluate", str(run), "--control", str(runs / "control"), "--quick", "--json"]) == 0
    result = _strict(capsys.readouterr().out)
    (control,) = result["controls"]
    assert (control["run"], control["reward_control"]) == (str(runs / "control"), "shuffled")
    gain = math.log(control["test_perplexity"]) - math.log(result["test_perplexity"])
    assert control["gain_nats_per_token"] == pytest.approx(gain)
    assert gain != 0


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--temperatures", "0"], ["--temperatures is 0.0"]),
        (["--temperatures", "1", "-1"], ["--temperatures is -1.0"]),
        (["--temperatures", "nan"], ["--temperatures is nan"]),
        (["--temperatures", "inf"], ["--temperatures is inf"]),
        (["--temperatures", "warm"], ["--temperatures", "warm"]),
        (["--samples", "1"], ["--samples is 1: it must be 2 or more"]),
        (["--figure", "nowhere/quality.png"], ["there is no directory nowhere"]),
        (["--figure", "there.png"], ["--figure there.png is there already"]),
        (["--figure", "new.png", "--quick"], ["--figure", "--quick"]),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_read(tmp_path, monkeypatch, capsys, words, parts):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.png").write_text("kept")
    assert_refused(main(["evaluate", "somewhere", *words]), capsys.readouterr().err, 2, *parts)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize("temperature", ["0", "-2", "nan", "1e-9"])
def test_sample_refuses_such_temperatures_too(capsys, temperature):
    code = main(["sample", "somewhere", "--temperature", temperature])
    assert_refused(code, capsys.readouterr().err, 2, "--temperature is")


def test_a_control_must_be_of_the_same_data_and_learn_nothing(run, small_words, tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("one two three four five six seven\n" * 60)
    for name, words in (("words", ["--data", str(text)]), ("rows", ["--length", "10", "--method", "mle"])):
        path = str(tmp_path / name)
        assert main(["train", *small_words, *LOCAL, *words, "--run-dir", path]) == 0
    capsys.readouterr()
    for path, part in (
        (tmp_path / "words", "has another vocabulary"),
        (tmp_path / "rows", "has other data, or other rows"),
        (run, "learned from its discriminator"),
        (tmp_path, "holds no run"),
    ):
        code = main(["evaluate", str(run), "--quick", "--control", str(path)])
        assert_refused(code, capsys.readouterr().err, 1, str(path), part)
    # What its words tell needs none of its data.
    text.unlink()
    code = main(["evaluate", str(run), "--quick", "--control", str(tmp_path / "words")])
    assert_refused(code, capsys.readouterr().err, 1, str(tmp_path / "words"), "has another vocabulary")


@pytest.mark.usefixtures("hasty")
def test_data_that_was_moved_is_named_where_it_lies_now_and_bounds_what_is_compared(small_words, tmp_path, capsys):
    text, moved = tmp_path / "text.txt", tmp_path / "moved.txt"
    text.write_text("".join(f"{name} sat on the mat\n" for name in ("cats", "dogs", "hens") for _ in range(40)))
    for name, words in (("run", []), ("control", ["--method", "mle"])):
        words = [*LOCAL, "--layout", "sentences", *words, "--data", str(text), "--run-dir", str(tmp_path / name)]
        assert main(["train", *small_words, *words]) == 0
    text.rename(moved)
    capsys.readouterr()
    words = ["--control", str(tmp_path / "control"), "--data", str(moved), "--temperatures", "1", "--json"]
    assert main(["evaluate", str(tmp_path / "run"), *words]) == 0
    result = _strict(capsys.readouterr().out)
    assert [each["data"] for each in (result, *result["controls"])] == [str(moved)] * 2
    # As many as there are: of 120 lines a few are held out.
    rows = json.loads((tmp_path / "run" / "config.json").read_text())["data"]["rows"]
    assert result["quality_samples"] == rows["train"]
    assert result["quality_rows"] == min(rows["validation"], rows["test"]) < rows["train"]


def test_a_text_of_too_few_rows_can_be_evaluated_quickly_alone(small_words, tmp_path, capsys):
    text, path = tmp_path / "text.txt", str(tmp_path / "run")
    text.write_text("one two three four five six seven eight nine ten eleven twelve\n" * 20)
    assert main(["train", *small_words, *LOCAL, "--data", str(text), "--run-dir", path]) == 0
    capsys.readouterr()
    assert_refused(main(["evaluate", path]), capsys.readouterr().err, 1, "a single row", "--quick")
    assert main(["evaluate", path, "--quick"]) == 0


@pytest.mark.parametrize("command", ["evaluate", "sample"])
@pytest.mark.parametrize(
    ("change", "has"),
    [
        (lambda words: words[:-1], "393 words and"),
        (lambda words: [*words[:-1], words[0]], "394 words, 393 of them different, and"),
        (lambda words: [*words, words[0]], "395 words, 394 of them different, and"),
        (lambda words: [word.replace("<eos>", "stop") for word in words], "no <eos>"),
    ],
)
def test_a_vocabulary_that_does_not_fit_the_networks_is_said(run, tmp_path, capsys, command, change, has):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    words = json.loads((copy / "vocabulary.json").read_text())
    (copy / "vocabulary.json").write_text(json.dumps(change(words)))
    parts = (f"vocabulary.json has {has}", "checkpoint 3", "know 394")
    if command == "evaluate":  # whose data tells the words
        parts = ("vocabulary.json has other words than the run's data",)
    assert_refused(main([command, str(copy)]), capsys.readouterr().err, 1, *parts)


def test_sample_takes_a_temperature(run, capsys):
    outputs = {}
    for temperature in ("0.05", "1", "3"):
        assert main(["sample", str(run), "--temperature", temperature, "--count", "30"]) == 0
        outputs[temperature] = capsys.readouterr().out
    assert main(["sample", str(run), "--count", "30"]) == 0
    assert capsys.readouterr().out == outputs["1"]
    different = [len(set(outputs[t].split())) for t in outputs]
    assert different[0] < different[1] / 2 < different[2]


def test_a_task_of_any_name_has_options_beside_those_that_all_have():
    pictures = find_task("image")
    for name in ("my-task", "common"):
        own = replace(pictures, name=name)
        options = parse(kind_of_operation("sample", NoOptions, [own]), ["--force"], PAGE)
        assert options_for(own, options, "sample").force
