"""What Gymnasium itself offers works with our environments: its wrappers, vectors, copies and specs."""

import copy
import functools
import json
import pickle
import subprocess
import sys

import cloudpickle
import gymnasium
import numpy as np
import pytest
from gymnasium import wrappers
from gymnasium.error import ResetNeeded
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import vector as vector_wrappers

from envs import (
    DiscriminatorReward,
    DiscriminatorRewardVector,
    Readings,
    TextGenerationEnv,
    TextGenerationVectorEnv,
)

ID = "envs:rlgan/TextGeneration-v0"


class Token:
    """The log-odds are the last token."""

    def start(self, _count):
        return ()

    def score(self, state, tokens, /):
        return state, np.asarray(tokens, np.float32)


def single(max_length=4):
    return DiscriminatorReward(TextGenerationEnv(5, max_length, stop_token=0), Token(), "log_odds")


def vector(mode="NextStep", max_length=4):
    env = TextGenerationVectorEnv(2, 5, max_length, stop_token=0, autoreset_mode=mode)
    return DiscriminatorRewardVector(env, Token(), "log_odds")


def test_statistics_of_an_episode_are_recorded():
    env = wrappers.RecordEpisodeStatistics(single())
    env.reset()
    infos = [env.step(token)[4] for token in (3, 2, 0)]
    assert "episode" not in infos[0]
    assert (infos[2]["episode"]["r"], infos[2]["episode"]["l"]) == (5, 3)


def test_statistics_of_the_episodes_of_a_vector_are_recorded():
    env = vector_wrappers.RecordEpisodeStatistics(vector())
    env.reset()
    env.step(np.array([3, 1]))
    infos = env.step(np.array([0, 1]))[4]
    assert infos["_episode"].tolist() == [True, False]
    assert (infos["episode"]["r"][0], infos["episode"]["l"][0]) == (3, 2)
    env.step(np.array([4, 1]))
    infos = env.step(np.array([4, 2]))[4]
    assert infos["_episode"].tolist() == [False, True]
    assert (infos["episode"]["r"][1], infos["episode"]["l"][1]) == (5, 4)


def test_a_time_limit_truncates():
    env = wrappers.TimeLimit(single(), 2)
    env.reset()
    assert env.step(1)[2:4] == (False, False)
    assert env.step(1)[2:4] == (False, True)


def test_a_time_limit_below_the_reward_ends_its_text():
    env = DiscriminatorReward(wrappers.TimeLimit(TextGenerationEnv(5, 4), 1), Token(), "log_odds")
    env.reset()
    assert env.step(3)[1:4] == (3, False, True)
    env.reset()
    assert env.step(4)[1] == 4


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_a_time_limit_in_a_loop_restarts_the_readings(mode):
    loop = SyncVectorEnv([lambda: wrappers.TimeLimit(TextGenerationEnv(5, 4), 2)] * 2, autoreset_mode=mode)
    env = DiscriminatorRewardVector(loop, Token(), "token_ratio")
    env.reset()
    # exp(l - l_before), and 0 before the first token of each text.
    steps = 2 + (mode is AutoresetMode.NEXT_STEP)
    rewards = np.array([env.step(np.array([1, 1]))[1] for _ in range(2 * steps)])[:, 0]
    due = [np.e, 1] + [0] * (steps - 2)
    np.testing.assert_allclose(rewards, due * 2, rtol=1e-6)


def test_rewards_are_transformed():
    env = wrappers.TransformReward(single(), lambda reward: 10 * reward)
    env.reset()
    assert env.step(3)[1] == 30
    several = vector_wrappers.TransformReward(vector(), lambda rewards: 10 * rewards)
    several.reset()
    np.testing.assert_array_equal(several.step(np.array([3, 1]))[1], [30, 10])


def test_rewards_are_normalised():
    env = wrappers.NormalizeReward(single())
    env.reset()
    assert np.isfinite([env.step(token)[1] for token in (1, 2, 3)]).all()
    several = vector_wrappers.NormalizeReward(vector())
    several.reset()
    assert np.isfinite([several.step(np.array([3, 1]))[1] for _ in range(9)]).all()


def test_the_page_is_flattened_and_stacked():
    env = wrappers.FlattenObservation(wrappers.FrameStackObservation(TextGenerationEnv(5, 3), 2))
    env.reset()
    np.testing.assert_array_equal(env.step(1)[0], [5, 5, 5, 1, 5, 5])


def test_a_step_before_the_first_reset_is_refused():
    for env in (TextGenerationEnv(5, 4), single(), gymnasium.make(ID, vocab_size=5, max_length=4)):
        with pytest.raises(ResetNeeded, match=r"reset"):
            env.step(1)
    several = vector()
    with pytest.raises(ResetNeeded, match=r"call reset\(\) before step\(\)"):
        several.step([1, 1])
    several.reset(options={"reset_mask": np.array([True, False])})
    with pytest.raises(ResetNeeded, match="pages that were never started"):
        several.step([1, 1])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"vocab_size": 2.5}, "vocab_size 2.5 is not a positive integer"),
        ({"max_length": "4"}, "max_length '4' is not a positive integer"),
        ({"vocab_size": True}, "vocab_size True is not a positive integer"),
        ({"max_length": -1}, "max_length -1 is not a positive integer: give at least 1"),
        ({"stop_token": 0.5}, "stop_token 0.5 is not a token"),
        ({"stop_token": True}, "stop_token True is not a token"),
    ],
)
def test_impossible_sizes_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        TextGenerationEnv(**({"vocab_size": 5, "max_length": 4} | wrong))
    with pytest.raises(ValueError, match=message):
        TextGenerationVectorEnv(**({"num_envs": 2, "vocab_size": 5, "max_length": 4} | wrong))


def test_sizes_of_numpy_are_taken():
    assert TextGenerationEnv(np.int64(5), np.int32(4), np.int64(0)).observation_space.shape == (4,)


def test_an_action_too_large_for_int64_is_refused():
    env = TextGenerationEnv(5, 4)
    env.reset()
    with pytest.raises(ValueError, match="not a token"):
        env.step(np.uint64(2**64 - 1))


def test_a_scorer_that_returns_nan_is_refused_by_the_wrapper():
    class Nan(Token):
        def score(self, state, tokens, /):
            return state, tokens * np.float32("nan")

    env = DiscriminatorReward(TextGenerationEnv(5, 4), Nan())
    env.reset()
    with pytest.raises(ValueError, match="The scorer returned NaN for sequence 0"):
        env.step(1)


def test_a_scorer_has_two_methods():
    with pytest.raises(
        ValueError, match=r"scorer is a builtin_function_or_method: .* start\(count\) and score\(state, tokens\)"
    ):
        Readings(len, "log_odds", 2)


@pytest.mark.parametrize("torch_first", [False, True])
def test_environments_run_in_processes_that_are_spawned(torch_first):
    # In a process of its own, so that nothing is imported before; a fork after torch has started its threads can hang.
    code = (
        ("import torch; torch.ones(300, 300) @ torch.ones(300, 300)\n" if torch_first else "")
        + "import functools, numpy as np\n"
        "from gymnasium.vector import AsyncVectorEnv\n"
        "from envs import TextGenerationEnv\n"
        "if __name__ == '__main__':\n"
        "    make = functools.partial(TextGenerationEnv, 5, 4, forbidden=[0])\n"
        "    env = AsyncVectorEnv([make] * 2, context='spawn')\n"
        "    infos = env.reset(seed=0)[1]\n"
        "    observations = env.step(np.array([3, 1]))[0]\n"
        "    print(observations[:, 0].tolist(), infos['action_mask'].tolist())\n"
        "    env.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.stdout.strip(), done.returncode) == ("[3, 1] [[0, 1, 1, 1, 1], [0, 1, 1, 1, 1]]", 0), done.stderr


def test_rewarded_environments_equal_each_other_in_processes_and_in_a_loop():
    make = functools.partial(single, 3)
    # The processes can't import this file.
    cloudpickle.register_pickle_by_value(sys.modules[single.__module__])
    try:
        processes, loop = AsyncVectorEnv([make] * 2, context="spawn"), SyncVectorEnv([make] * 2)
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[single.__module__])
    try:
        for env in (processes, loop):
            env.reset(seed=0)
        for _ in range(6):
            for ours, theirs in zip(processes.step(np.array([3, 1]))[:4], loop.step(np.array([3, 1]))[:4], strict=True):
                np.testing.assert_array_equal(ours, theirs)
    finally:
        processes.close()


COPIES = {"pickle": lambda env: pickle.loads(pickle.dumps(env)), "deepcopy": copy.deepcopy}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize(
    "make", [single, vector, lambda: TextGenerationEnv(5, 4), lambda: TextGenerationVectorEnv(2, 5, 4)]
)
def test_a_copy_goes_on_by_itself(copied, make):
    env = make()
    env.reset(options={"prefix": [2]})
    action = 3 if env.action_space.shape == () else np.array([3, 3])
    again = copied(env)
    first = env.step(action)
    second = again.step(action)
    for ours, theirs in zip(first[:4], second[:4], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # What one of them does is nothing to the other.
    env.reset()
    np.testing.assert_array_equal(again.step(action)[0].reshape(-1, 4)[0], [2, 3, 3, 5])


def test_the_spec_goes_to_json_and_back():
    settings = {
        "vocab_size": 5, "max_length": 4, "stop_token": 0, "obs_dtype": "float32", "forbidden": [1],
        "vocabulary": ["a", "b", "c", "d", "e"],
    }  # fmt: skip
    spec = gymnasium.make(ID, **settings).spec
    assert json.loads(spec.to_json())["kwargs"] == settings
    again = gymnasium.envs.registration.EnvSpec.from_json(spec.to_json()).make()
    observation, info = again.reset(seed=1)
    assert observation.dtype == np.float32
    assert info["action_mask"].tolist() == [1, 0, 1, 1, 1]
    several = gymnasium.envs.registration.EnvSpec.from_json(
        gymnasium.make_vec(ID, 2, vectorization_mode="vector_entry_point", **settings).spec.to_json()
    )
    assert gymnasium.make_vec(several, 2).num_envs == 2
