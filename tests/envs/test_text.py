import pickle
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from envs import TextGenerationEnv, TextGenerationVectorEnv

ID = "envs:rlgan/TextGeneration-v0"
BLANK = 5


def page(*tokens, max_length=4):
    return np.array([*tokens, *[BLANK] * (max_length - len(tokens))])


def assert_equal_infos(ours, theirs):
    assert ours.keys() == theirs.keys()
    for key in ours:
        if key == "final_obs":
            assert [row is None for row in ours[key]] == [row is None for row in theirs[key]]
            for our_row, their_row in zip(ours[key], theirs[key], strict=True):
                np.testing.assert_array_equal(our_row, their_row)
        else:
            np.testing.assert_array_equal(ours[key], theirs[key])


def run_python(code):
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("stop_token", [None, 2])
@pytest.mark.parametrize("obs_dtype", ["int64", "float32"])
def test_gymnasium_finds_no_fault(stop_token, obs_dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make(ID, vocab_size=5, max_length=4, stop_token=stop_token, obs_dtype=obs_dtype)
        check_env(env.unwrapped)
        # The passive checker of `make` watches these steps.
        env.reset()
        for _ in range(4):
            env.step(env.action_space.sample())


@pytest.mark.parametrize(("vocab_size", "max_length"), [(1, 1), (1, 4), (5, 1)])
def test_gymnasium_finds_no_fault_at_the_smallest_sizes(vocab_size, max_length):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(ID, vocab_size=vocab_size, max_length=max_length).unwrapped)


def test_a_page_fills_from_the_left_and_ends_when_full():
    env = TextGenerationEnv(vocab_size=5, max_length=3)
    observation, info = env.reset(seed=1)
    np.testing.assert_array_equal(observation, [BLANK, BLANK, BLANK])
    assert info == {}
    for token, due, last in [(3, [3, BLANK, BLANK], False), (0, [3, 0, BLANK], False), (4, [3, 0, 4], True)]:
        observation, reward, terminated, truncated, info = env.step(np.int64(token))
        np.testing.assert_array_equal(observation, due)
        assert (reward, terminated, truncated, info) == (0.0, last, False, {})


def test_the_stop_token_is_written_and_ends_the_page():
    env = TextGenerationEnv(vocab_size=5, max_length=4, stop_token=2)
    env.reset()
    assert env.step(1)[2] is False
    observation, _, terminated, truncated, _ = env.step(2)
    np.testing.assert_array_equal(observation, page(1, 2))
    assert (terminated, truncated) == (True, False)


def test_no_token_stops_a_page_without_a_stop_token():
    env = TextGenerationEnv(vocab_size=5, max_length=6)
    env.reset()
    assert [env.step(token)[2] for token in range(5)] == [False] * 5


def test_the_single_environment_gives_plain_python_values():
    env = TextGenerationEnv(vocab_size=5, max_length=1)
    env.reset()
    _, reward, terminated, truncated, _ = env.step(0)
    assert (type(reward), type(terminated), type(truncated)) == (float, bool, bool)


def test_the_spaces_are_what_other_libraries_read():
    env = TextGenerationEnv(vocab_size=5, max_length=4, obs_dtype="float32")
    assert (env.action_space.n, env.action_space.start) == (5, 0)
    assert env.observation_space.dtype == np.float32
    assert (env.observation_space.low.min(), env.observation_space.high.max()) == (0, BLANK)
    assert env.metadata["render_modes"] == ["ansi", "human"]
    assert env.render_mode is None
    assert env.reset()[0].dtype == np.float32


def test_observations_are_not_shared_between_calls():
    env = TextGenerationEnv(vocab_size=5, max_length=4)
    first, _ = env.reset()
    second = env.step(1)[0]
    second[:] = 3
    np.testing.assert_array_equal(first, page())
    np.testing.assert_array_equal(env.step(2)[0], page(1, 2))


@pytest.mark.parametrize("mode", AutoresetMode)
def test_what_the_vector_environment_returns_is_not_shared_between_calls(mode):
    env = TextGenerationVectorEnv(2, vocab_size=5, max_length=1, autoreset_mode=mode)
    env.reset()
    first = env.step([1, 1])
    first[0][:], first[1][:], first[2][:] = 3, 9, False
    if mode is AutoresetMode.SAME_STEP:
        assert first[4]["_final_obs"].all()
        first[4]["_final_obs"][:] = False
        first[4]["final_obs"][0][:] = 3
    env.step([2, 2])
    observations, rewards, terminations, _, infos = env.step([2, 2])
    due = {AutoresetMode.NEXT_STEP: 2, AutoresetMode.SAME_STEP: BLANK, AutoresetMode.DISABLED: 1}[mode]
    np.testing.assert_array_equal(observations, [[due], [due]])
    np.testing.assert_array_equal(rewards, [0, 0])
    assert terminations.all()
    if mode is AutoresetMode.SAME_STEP:
        assert infos["_final_obs"].all()
        np.testing.assert_array_equal(infos["final_obs"][0], [2])


@pytest.mark.parametrize("stop_token", [None, 2])
@pytest.mark.parametrize("obs_dtype", ["int64", "float32"])
@pytest.mark.parametrize("mode", AutoresetMode)
def test_the_vector_environment_equals_a_loop_of_singles(mode, stop_token, obs_dtype):
    kwargs = {"vocab_size": 5, "max_length": 4, "stop_token": stop_token, "obs_dtype": obs_dtype}
    ours = TextGenerationVectorEnv(6, **kwargs, autoreset_mode=mode)
    theirs = SyncVectorEnv([lambda: TextGenerationEnv(**kwargs)] * 6, autoreset_mode=mode)
    for name in ("single_observation_space", "single_action_space", "observation_space", "action_space"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.metadata == theirs.metadata
    np.testing.assert_array_equal(ours.reset(seed=3)[0], theirs.reset(seed=3)[0])
    # Rows start at different times, so that they also end at different times where nothing stops them early.
    staggered = {"reset_mask": np.arange(6) % 2 == 0, "prefix": [1, 3]}
    np.testing.assert_array_equal(ours.reset(options=staggered)[0], theirs.reset(options=dict(staggered))[0])
    rng = np.random.default_rng(0)
    endings = 0
    for _ in range(60):
        actions = rng.integers(5, size=6)
        our_step, their_step = ours.step(actions), theirs.step(actions)
        for our, their in zip(our_step[:4], their_step[:4], strict=True):
            np.testing.assert_array_equal(our, their)
            assert our.dtype == their.dtype
        assert_equal_infos(our_step[4], their_step[4])
        ended = our_step[2]
        endings += ended.sum()
        if mode is AutoresetMode.DISABLED and ended.any():
            again, again_infos = ours.reset(options={"reset_mask": ended})
            due, due_infos = theirs.reset(options={"reset_mask": ended})
            np.testing.assert_array_equal(again, due)
            assert_equal_infos(again_infos, due_infos)
    assert endings > 50


def test_loops_of_singles_keep_each_its_autoreset_mode():
    loops = [SyncVectorEnv([lambda: TextGenerationEnv(5, 4)], autoreset_mode=mode) for mode in AutoresetMode]
    assert [loop.metadata["autoreset_mode"] for loop in loops] == list(AutoresetMode)


def test_the_action_of_a_reset_step_is_not_read():
    env = TextGenerationVectorEnv(2, vocab_size=5, max_length=2, stop_token=2)
    env.reset()
    env.step([2, 1])
    observations, rewards, terminations, _, _ = env.step([99, 1])
    np.testing.assert_array_equal(observations, [[BLANK, BLANK], [1, 1]])
    np.testing.assert_array_equal(rewards, [0, 0])
    np.testing.assert_array_equal(terminations, [False, True])


def test_an_ended_page_takes_no_token_and_stays_terminated():
    env = TextGenerationVectorEnv(2, vocab_size=5, max_length=4, stop_token=2, autoreset_mode="Disabled")
    env.reset()
    env.step([2, 1])
    observations, rewards, terminations, truncations, _ = env.step([1, 1])
    np.testing.assert_array_equal(observations, [page(2), page(1, 1)])
    np.testing.assert_array_equal(rewards, [0, 0])
    np.testing.assert_array_equal(terminations, [True, False])
    assert not truncations.any()


def test_an_ended_single_page_takes_no_token_and_stays_terminated():
    env = TextGenerationEnv(vocab_size=5, max_length=2)
    env.reset(options={"prefix": [1]})
    env.step(3)
    for token in (0, 99):
        observation, reward, terminated, truncated, _ = env.step(token)
        np.testing.assert_array_equal(observation, [1, 3])
        assert (reward, terminated, truncated) == (0.0, True, False)


def test_a_prefix_starts_the_page_in_mid_sequence():
    env = TextGenerationEnv(vocab_size=5, max_length=4)
    np.testing.assert_array_equal(env.reset(options={"prefix": [1, 0]})[0], page(1, 0))
    np.testing.assert_array_equal(env.step(3)[0], page(1, 0, 3))
    assert env.step(3)[2] is True
    np.testing.assert_array_equal(env.reset()[0], page())


@pytest.mark.parametrize("prefix", [[], (), np.zeros(0, np.int64)])
def test_an_empty_prefix_is_a_blank_page(prefix):
    env = TextGenerationEnv(vocab_size=5, max_length=4)
    np.testing.assert_array_equal(env.reset(options={"prefix": prefix})[0], page())


def test_a_vector_prefix_is_one_for_all_or_one_for_each():
    env = TextGenerationVectorEnv(3, vocab_size=5, max_length=4)
    np.testing.assert_array_equal(env.reset(options={"prefix": [1, 0]})[0], [page(1, 0)] * 3)
    each = np.array([[1], [2], [3]])
    np.testing.assert_array_equal(env.reset(options={"prefix": each})[0], [page(1), page(2), page(3)])


def test_an_automatic_reset_knows_no_prefix():
    env = TextGenerationVectorEnv(1, vocab_size=5, max_length=2, autoreset_mode="SameStep")
    env.reset(options={"prefix": [1]})
    np.testing.assert_array_equal(env.step([3])[0], [[BLANK, BLANK]])


def test_a_masked_reset_leaves_the_other_pages_and_the_options_alone():
    env = TextGenerationVectorEnv(3, vocab_size=5, max_length=4, stop_token=2, autoreset_mode="Disabled")
    env.reset()
    env.step([2, 1, 1])
    # The last row of this prefix would be refused, were it read.
    options = {"reset_mask": np.array([True, True, False]), "prefix": np.array([[3], [4], [BLANK]])}
    observations, _ = env.reset(options=options)
    assert set(options) == {"reset_mask", "prefix"}
    np.testing.assert_array_equal(observations, [page(3), page(4), page(1)])
    np.testing.assert_array_equal(env.step([0, 0, 0])[0], [page(3, 0), page(4, 0), page(1, 0)])


@pytest.mark.parametrize(
    ("prefix", "message"),
    [
        ([0.5], "not integers"),
        ([True], "not integers"),
        (1, r"shape \(\)"),
        ([[1], [1]], r"shape \(2, 1\), not"),
        ([1, 1, 1, 1], "leave room"),
        ([5], "holds 5"),
        ([-1], "holds -1"),
        ([1, 2], "stop token 2"),
    ],
)
def test_a_bad_prefix_is_refused_and_changes_nothing(prefix, message):
    env = TextGenerationVectorEnv(3, vocab_size=5, max_length=4, stop_token=2)
    env.reset(options={"prefix": [1]})
    with pytest.raises(ValueError, match=message):
        env.reset(options={"prefix": prefix})
    np.testing.assert_array_equal(env.step([3, 3, 3])[0], [page(1, 3)] * 3)


@pytest.mark.parametrize("mask", [np.zeros(3, np.bool_), np.ones(2, np.bool_), np.ones(3, np.int64)])
def test_a_bad_reset_mask_is_refused(mask):
    env = TextGenerationVectorEnv(3, vocab_size=5, max_length=4)
    with pytest.raises(ValueError, match="reset_mask"):
        env.reset(options={"reset_mask": mask})


@pytest.mark.parametrize("action", [5, -1, 1.0, True, [1], "1"])
def test_a_bad_action_is_refused_and_writes_nothing(action):
    env = TextGenerationEnv(vocab_size=5, max_length=4)
    env.reset()
    with pytest.raises(ValueError, match="action"):
        env.step(action)
    np.testing.assert_array_equal(env.step(1)[0], page(1))


@pytest.mark.parametrize("actions", [[5, 0], [0, -1], [0.0, 1.0], [0], 0, [[0, 0]]])
def test_bad_actions_are_refused_and_write_nothing(actions):
    env = TextGenerationVectorEnv(2, vocab_size=5, max_length=4)
    env.reset()
    with pytest.raises(ValueError, match="action"):
        env.step(actions)
    np.testing.assert_array_equal(env.step([1, 1])[0], [page(1), page(1)])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"vocab_size": 0}, "vocab_size 0"),
        ({"max_length": 0}, "max_length 0"),
        ({"num_envs": 0}, "num_envs 0"),
        ({"stop_token": 5}, "stop_token 5"),
        ({"stop_token": -1}, "stop_token -1"),
        ({"obs_dtype": "word"}, "obs_dtype 'word'"),
        ({"obs_dtype": "bool"}, "obs_dtype 'bool'"),
        ({"obs_dtype": "int8", "vocab_size": 128}, "exact up to 127"),
        ({"obs_dtype": "float16", "vocab_size": 2049}, "exact up to 2048"),
        ({"autoreset_mode": "Never"}, "autoreset_mode 'Never'"),
    ],
)
def test_a_bad_argument_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        TextGenerationVectorEnv(**({"num_envs": 2, "vocab_size": 5, "max_length": 4} | wrong))


@pytest.mark.parametrize("mode", AutoresetMode)
def test_the_autoreset_mode_comes_as_itself_or_by_value(mode):
    for given in (mode, mode.value):
        env = TextGenerationVectorEnv(2, vocab_size=5, max_length=4, autoreset_mode=given)
        assert env.metadata["autoreset_mode"] is env.autoreset_mode is mode


def test_an_environment_survives_pickling_in_mid_page():
    env = TextGenerationVectorEnv(2, vocab_size=5, max_length=4)
    env.reset(options={"prefix": [1]})
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(env)).step([3, 4])[0], [page(1, 3), page(1, 4)])


def test_the_environment_is_made_by_name_alone():
    done = run_python(
        "import gymnasium\n"
        f"env = gymnasium.make('{ID}', vocab_size=5, max_length=4, stop_token=None)\n"
        f"vector = gymnasium.make_vec('{ID}', num_envs=3, vectorization_mode='vector_entry_point',\n"
        "    vocab_size=5, max_length=4, autoreset_mode='SameStep')\n"
        f"sync = gymnasium.make_vec('{ID}', num_envs=3, vectorization_mode='sync', vocab_size=5, max_length=4)\n"
        "print(type(env.unwrapped).__name__, type(vector).__name__, type(sync).__name__)\n"
        "env.spec.make(); gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json()).make()\n"
        "import importlib, envs; importlib.reload(envs)"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["TextGenerationEnv", "TextGenerationVectorEnv", "SyncVectorEnv"]


def test_the_package_loads_neither_torch_nor_ray_nor_rlgan():
    done = run_python(
        "import sys, envs; print({'torch', 'ray', 'rlgan'} & {name.split('.')[0] for name in sys.modules})"
    )
    assert (done.stdout.strip(), done.returncode) == ("set()", 0), done.stderr
