"""What a refusal says to type works when it is typed: the words are taken out of the message itself.

Advice for data that does not fit, for pictures and for memory is tested beside those; what needs a cluster is not here.
"""

import re

import pytest
from PIL import Image

TEXT = ["train", "--workers", "0", "--steps", "1", "--batch-size", "4", "--hidden-size", "4", "--embedding-size", "4"]
TEXT += ["--evaluate-every", "9", "--sinks", "json_lines"]
PICTURES = "train image --workers 0 --steps 1 --size 8 --batch-size 2 --sinks json_lines".split()  # noqa: SIM905
ORACLE = [*TEXT, "--data", "oracle"]
REINFORCE = [*TEXT, "--estimator", "reinforce"]
SCORED = [*TEXT, "--scorer", "my_scorer:even"]
SCORER = """from envs import PrefixScorer

even = PrefixScorer(lambda texts: (texts[:, -1] % 2).astype("float32"), context=1)
"""


def changed(words, advised):
    """The words with a flag, and the value behind it if there is one, in the place of those of the same flag."""
    flag, *values = advised.split()
    return [*left_out(words, flag), flag, *values]


def left_out(words, flag):
    """The words without a flag and its values."""
    if flag not in words:
        return words
    first = words.index(flag)
    last = next((i for i in range(first + 1, len(words)) if words[i].startswith("--")), len(words))
    return words[:first] + words[last:]


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ([*TEXT, "--negatives", "both", "--discriminator-form", "plain"], r"give (--discriminator-form structured)"),
        ([*TEXT, "--negatives", "both", "--discriminator-form", "mediator"], r"give (--negatives rollouts)"),
        ([*TEXT, "--reward", "token_ratio"], r"give (--reward density_ratio) or"),
        ([*TEXT, "--reward", "token_ratio"], r"or (--discriminator-form plain)"),
        ([*REINFORCE, "--baseline", "leave_one_out", "--batch-size", "1", "--shards", "1"], r"or (--baseline \w+)"),
        ([*TEXT, "--baseline", "expected"], r"give (--baseline leave_one_out)"),
        ([*TEXT, "--weighting", "forward_kl", "--reward", "centred"], r"or (--weighting expected)"),
        ([*TEXT, "--monte-carlo-rollouts", "2", "--lambda", "0"], r"or leave it at (1)"),
        ([*SCORED, "--estimator", "all_tokens"], r"give (--estimator reinforce)"),
        ([*SCORED, "--baseline", "expected"], r"give (--baseline leave_one_out)"),
        ([*PICTURES, "--faces", "20", "--networks", "maxout", "--mixed-precision"], r"give (--no-mixed-precision)"),
        ([*TEXT, "--run-dir", "nothing", "--resume"], r"give (--resume auto)"),
    ],
    ids=lambda value: " ".join(value[value.index("train") + 1 :]) if isinstance(value, list) else value,
)
def test_what_a_refusal_says_to_give_works(typed, words, advice, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_scorer.py").write_text(SCORER)
    refused = typed(*words)
    assert refused.returncode in (1, 2)
    (found,) = re.findall(advice, refused.stderr)
    advised = found if found.startswith("--") else f"--lambda {found}"
    if advised == "--no-mixed-precision":
        words = left_out(words, "--mixed-precision")
    done = typed(*changed(words, advised))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ([*ORACLE, "--layout", "sentences", "--vocab-size", "100"], ["--layout", "--vocab-size"]),
        ([*TEXT, "--vocab-size", "50"], ["--vocab-size"]),
        ([*TEXT, "--data", "sentences.txt", "--split", "words", "--layout", "sentences"], ["--split"]),
        ([*TEXT, "--data", "folder", "--split", "shuffle"], ["--split"]),
    ],
)
def test_what_a_refusal_says_to_leave_out_works(typed, words, flags, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    lines = "the cat sees a dog\n" * 60
    (tmp_path / "sentences.txt").write_text(lines)
    (tmp_path / "folder").mkdir()
    for split in ("train", "valid", "test"):
        (tmp_path / "folder" / f"{split}.txt").write_text(lines)
    refused = typed(*words)
    assert refused.returncode in (1, 2)
    assert re.search(r"leave .*out", refused.stderr)
    for flag in flags:
        assert flag in refused.stderr
        words = left_out(words, flag)
    done = typed(*words)
    assert done.returncode == 0, done.stderr


def test_pictures_of_one_person_are_split_as_advised(typed, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for number in range(20):
        Image.new("RGB", (8, 8), (9 * number, 0, 0)).save(tmp_path / "data" / f"Ada_{number}.png")
    words = [*PICTURES, "--data", "data", "--cache", "cache", "--split", "person"]
    (advised,) = re.findall(r"give (--split picture)", typed(*words).stderr)
    done = typed(*changed(words, advised))
    assert done.returncode == 0, done.stderr


def test_a_cache_goes_to_another_folder_as_advised(typed, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("no folder")
    words = [*PICTURES, "--faces", "20", "--cache", "file"]
    (advised,) = re.findall(r"give another folder with (--cache)", typed(*words).stderr)
    done = typed(*changed(words, f"{advised} other"))
    assert done.returncode == 0, done.stderr


def test_a_text_too_short_for_a_comparison_is_evaluated_as_advised(typed, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lines.txt").write_text("the cat sees a dog\n" * 12)
    done = typed(*TEXT, "--data", "lines.txt", "--layout", "sentences", "--run-dir", "run")
    assert done.returncode == 0, done.stderr
    (advised,) = re.findall(r"give more text, or (--quick)", typed("evaluate", "run").stderr)
    assert typed("evaluate", "run", advised).returncode == 0


def test_a_run_that_is_there_is_gone_on_with_as_advised(typed, gaussian, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    words = [*gaussian, "--steps", "1", "--run-dir", "run"]
    assert typed(*words).returncode == 0
    (advised,) = re.findall(r"or (--resume) to go on", typed(*words).stderr)
    again = typed(*words, advised)
    assert "give larger --steps, --epochs or --minutes to go on with it" in again.stdout
    assert "going on from step 1" in typed(*changed(words, "--steps 2"), advised).stdout
