"""`rlgan serve-env` and OpenEnv's own client, in an environment of their own.

Run by `scripts/test --long serve-env`.
"""

import json
import os
import re
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

import rlgan

ROOT = Path(__file__).resolve().parents[2]
CLIENT = """
import json, sys
from openenv import GenericEnvClient

with GenericEnvClient(base_url=sys.argv[1]).sync() as one, GenericEnvClient(base_url=sys.argv[1]).sync() as other:
    told = []
    result = one.reset(seed=0)
    told.append([result.observation["text"], result.done])
    other.reset(prompt="a bird")
    for action in ({"text": "the cat saw"}, {"text": "a zeppelin", "end": True}):
        result = one.step(action)
        told.append([result.observation["text"], result.observation["rewards"], result.reward, result.done])
    state = one.state()
    told.append([state["text"], state["step_count"], state["done"]])
    result = other.step({"text": "saw a mouse .", "end": True})
    told.append([result.observation["text"], result.observation["rewards"], result.reward, result.done])
    for action in ({"text": "the"}, {"text": "<eos>"}, {"text": "the " * 9}):
        try:
            if action["text"] != "the":
                other.reset()
            other.step(action)
        except Exception as error:
            told.append(str(error))
    print(json.dumps(told))
"""


@pytest.fixture
def served(python_with, toys):
    """The address of a server of the run's discriminator, and the interpreter that has OpenEnv's client."""
    # Without our pins, some of which it has other versions of.
    python = python_with("openenv", "openenv==0.10.0", constrained=False)
    process = subprocess.Popen(
        [python, "-m", "rlgan", "serve-env", toys.path, "--port", "0", "--rule", "log_odds"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    line = process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+", line)
    assert found, (line, process.stderr.read())
    yield found[0], python
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_texts_are_written_in_turns_and_rewarded_as_in_the_environment(served, toys):
    address, python = served
    done = subprocess.run([python, "-c", CLIENT, address], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    blank, first, last, state, other, ended, mark, long = json.loads(done.stdout)
    scorer = rlgan.load_scorer(toys.path)
    due = _log_odds(scorer, "the cat saw a <unk> <eos>")
    assert blank == ["", False]
    assert first == ["the cat saw", pytest.approx(due[:3]), pytest.approx(sum(due[:3])), False]
    assert last == ["the cat saw a <unk>", pytest.approx(due[3:]), pytest.approx(sum(due[3:])), True]
    assert state == ["the cat saw a <unk>", 2, True]
    assert sum(due) == pytest.approx(scorer.score_text(["the cat saw a zeppelin"])[0], rel=1e-4)
    due = _log_odds(scorer, "a bird saw a mouse . <eos>")
    assert other == ["a bird saw a mouse .", pytest.approx(due[2:]), pytest.approx(sum(due[2:])), True]
    assert "the text has ended: call reset" in ended
    assert "<eos> is not a word: give end=true" in mark
    assert "9 words came, and the text has room for 8: give fewer" in long
    # Over plain HTTP each request is a text of its own.
    body = json.dumps({"action": {"text": "the cat saw", "end": True}}).encode()
    request = urllib.request.Request(f"{address}/step", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert json.load(answer)["reward"] == pytest.approx(sum(_log_odds(scorer, "the cat saw <eos>")))


def _log_odds(scorer, text):
    state, found = scorer.start(1), []
    for word in text.split():
        state, log_odds = scorer.score(state, np.array([scorer.vocabulary.index(word)]))
        found.append(float(log_odds[0]))
    return found
