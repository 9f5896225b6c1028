import pickle
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from envs import DiscriminatorReward, DiscriminatorRewardVector, TextGenerationEnv, TextGenerationVectorEnv

ID = "envs:rlgan/TextGeneration-v0"
WORDS = ["the", "cat", "sat", "."]


class TokenHalves:
    """The log-odds are half of the token, with its sign changed in every other place."""

    def start(self, count):
        return (np.ones(count, np.float32),)

    def score(self, state, tokens, /):
        return (-state[0],), (state[0] * tokens / 2).astype(np.float32)


def single(mode, vocabulary=WORDS):
    return TextGenerationEnv(4, 4, stop_token=3, vocabulary=vocabulary, render_mode=mode)


def test_the_text_so_far_is_shown_in_words():
    env = single("ansi")
    env.reset(options={"prefix": [0]})
    assert env.render() == "the"
    env.step(1)
    assert env.render() == "the cat"
    env.step(3)
    assert env.render() == "the cat ."
    env.reset()
    assert env.render() == ""


def test_without_a_vocabulary_the_tokens_are_shown():
    env = single("ansi", None)
    env.reset()
    env.step(2)
    env.step(0)
    assert env.render() == "2 0"


def test_nothing_is_shown_unless_it_is_asked_for(capsys):
    env = DiscriminatorReward(TextGenerationEnv(4, 4, vocabulary=WORDS), TokenHalves())
    env.reset()
    env.step(1)
    assert env.render() is None
    env.close()
    assert capsys.readouterr().out == ""


def test_each_reward_stands_behind_its_token():
    env = DiscriminatorReward(single("ansi"), TokenHalves(), "log_odds")
    env.reset(options={"prefix": [0]})
    env.step(1)
    env.step(2)
    assert env.render() == "the cat(-0.50) sat(+1.00)"
    env.step(3)
    env.step(1)  # after the end: it is not written
    assert env.render() == "the cat(-0.50) sat(+1.00) .(-1.50)"
    env.reset()
    env.step(2)
    assert env.render() == "sat(+1.00)"


def test_a_person_reads_along(capsys):
    env = single("human")
    env.reset(options={"prefix": [0]})
    env.step(1)
    assert capsys.readouterr().out == "the cat"
    env.step(3)
    env.step(1)
    env.reset()
    env.step(2)
    assert capsys.readouterr().out == " .\nsat"
    env.close()
    env.close()
    assert capsys.readouterr().out == "\n"
    assert env.render() is None


def test_a_person_reads_the_rewards_along(capsys):
    env = DiscriminatorReward(single("human"), TokenHalves(), "log_odds")
    env.reset(options={"prefix": [0]})
    for token in (1, 2, 3, 1):
        env.step(token)
    env.close()
    assert capsys.readouterr().out == "the cat(-0.50) sat(+1.00) .(-1.50)\n"


def test_the_texts_of_a_vector_are_shown_as_a_loop_of_singles_shows_them():
    ours = TextGenerationVectorEnv(2, 4, 4, 3, vocabulary=WORDS, render_mode="ansi")
    theirs = SyncVectorEnv([lambda: single("ansi")] * 2)
    assert ours.metadata == theirs.metadata
    for env in (ours, theirs):
        env.reset()
        env.step(np.array([1, 2]))
        env.step(np.array([3, 2]))
    assert ours.render() == theirs.render() == ("cat .", "sat sat")
    assert DiscriminatorRewardVector(ours, TokenHalves()).render() == ("cat .", "sat sat")
    assert TextGenerationVectorEnv(2, 4, 4).render() is None


@pytest.mark.parametrize("mode", AutoresetMode)
def test_a_person_reads_each_text_of_a_vector_when_it_has_ended(mode, capsys):
    env = TextGenerationVectorEnv(2, 4, 3, 3, vocabulary=WORDS, render_mode="human", autoreset_mode=mode)
    env.reset()
    printed = []
    for actions in ([1, 0], [3, 1], [2, 2]):
        env.step(actions)
        printed.append(capsys.readouterr().out)
    assert printed == ["", "cat .\n", "the cat sat\n"]


def test_gymnasium_finds_no_fault_in_what_is_shown(capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*is different from the unwrapped version")
        for mode in (None, "ansi", "human"):
            env = gymnasium.make(ID, vocab_size=4, max_length=4, vocabulary=WORDS, render_mode=mode)
            check_env(env.unwrapped)
            env.reset()
            env.step(1)
            assert env.render() == ("cat" if mode == "ansi" else None)
            env.close()
    assert capsys.readouterr().out.endswith("cat\n")


def test_vectors_are_made_by_name_with_a_render_mode():
    for kind in ("sync", "vector_entry_point"):
        env = gymnasium.make_vec(
            ID, 2, vectorization_mode=kind, vocab_size=4, max_length=4, vocabulary=WORDS, render_mode="ansi"
        )
        env.reset()
        env.step(np.array([1, 2]))
        assert env.render() == ("cat", "sat")


def test_the_spec_with_a_vocabulary_survives_json():
    env = gymnasium.make(ID, vocab_size=4, max_length=4, vocabulary=WORDS, render_mode="ansi")
    again = gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json()).make()
    again.reset()
    again.step(2)
    assert again.render() == "sat"


def test_what_is_shown_survives_pickling():
    env = DiscriminatorReward(single("ansi"), TokenHalves(), "log_odds")
    env.reset()
    env.step(1)
    assert pickle.loads(pickle.dumps(env)).render() == env.render() == "cat(+0.50)"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"render_mode": "rgb_array"}, "render_mode 'rgb_array' does not exist: give one of ansi, human, or None"),
        ({"vocabulary": WORDS[:3]}, "vocabulary has 3 words and vocab_size is 4"),
    ],
)
def test_a_bad_setting_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        TextGenerationEnv(4, 4, **wrong)
    with pytest.raises(ValueError, match=message):
        TextGenerationVectorEnv(2, 4, 4, **wrong)
