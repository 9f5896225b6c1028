import pickle
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from envs import (
    ActionMask,
    ActionMaskVector,
    DictObservation,
    DictObservationVector,
    OneHotObservation,
    OneHotObservationVector,
    TextGenerationEnv,
    TextGenerationVectorEnv,
)

VIEWS = {
    "one-hot": (OneHotObservation, OneHotObservationVector),
    "dict": (DictObservation, DictObservationVector),
}


def at_least_as_many(text):
    return np.arange(5) >= min(len(text), 4)


def single(view, forbidden=(), grammar=False):
    env = TextGenerationEnv(5, 4, 2, forbidden=forbidden)
    return view(ActionMask(env, at_least_as_many) if grammar else env)


def test_a_page_is_shown_one_hot_and_a_blank_as_zeros():
    env = OneHotObservation(TextGenerationEnv(3, 4))
    np.testing.assert_array_equal(env.reset()[0], np.zeros((4, 3)))
    env.step(2)
    observation = env.step(0)[0]
    np.testing.assert_array_equal(observation, [[0, 0, 1], [1, 0, 0], [0, 0, 0], [0, 0, 0]])
    assert observation.dtype == np.float32
    assert env.observation_space.contains(observation)


def test_the_mask_is_shown_beside_the_page():
    env = DictObservation(ActionMask(TextGenerationEnv(5, 4), at_least_as_many))
    env.reset()
    observation, _, _, _, info = env.step(3)
    np.testing.assert_array_equal(observation["observation"], [3, 5, 5, 5])
    np.testing.assert_array_equal(observation["action_mask"], [0, 1, 1, 1, 1])
    observation["action_mask"][:] = 0
    assert info["action_mask"].any()
    assert env.observation_space.contains(observation)


def test_without_a_mask_everything_is_allowed():
    assert DictObservation(TextGenerationEnv(5, 4)).reset()[0]["action_mask"].tolist() == [1] * 5
    assert DictObservationVector(TextGenerationVectorEnv(2, 5, 4)).reset()[0]["action_mask"].tolist() == [[1] * 5] * 2


@pytest.mark.parametrize("view", [views[0] for views in VIEWS.values()], ids=VIEWS)
def test_gymnasium_finds_no_fault_in_a_view(view):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*is different from the unwrapped version")
        check_env(single(view, forbidden=[1]), skip_render_check=True)


def same(first, second):
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if first is None:
        return second is None
    if first.dtype == object:
        return all(same(*pair) for pair in zip(first, second, strict=True))
    return first.dtype == second.dtype and np.array_equal(first, second)


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("grammar", [False, True])
@pytest.mark.parametrize("forbidden", [[], [0]])
@pytest.mark.parametrize("name", VIEWS)
def test_a_vector_view_equals_a_loop_of_single_views(name, forbidden, grammar, mode):
    view, vector_view = VIEWS[name]
    theirs = SyncVectorEnv([lambda: single(view, forbidden, grammar)] * 3, autoreset_mode=mode)
    plain = TextGenerationVectorEnv(3, 5, 4, 2, autoreset_mode=mode, forbidden=forbidden)
    ours = vector_view(ActionMaskVector(plain, at_least_as_many) if grammar else plain)
    assert ours.single_observation_space == theirs.single_observation_space
    assert ours.observation_space == theirs.observation_space
    assert same(ours.reset(seed=0)[0], theirs.reset(seed=0)[0])
    rng = np.random.default_rng(0)
    endings = 0
    for _ in range(20):
        actions = rng.integers(5, size=3)
        our, their = ours.step(actions), theirs.step(actions)
        assert same(our[0], their[0])
        assert same(our[4], their[4])
        endings += our[2].sum()
        if mode is AutoresetMode.DISABLED and our[2].any():
            resets = [env.reset(options={"reset_mask": our[2].copy(), "prefix": [1]}) for env in (ours, theirs)]
            assert same(resets[0][0], resets[1][0])
    assert endings > 5


@pytest.mark.parametrize("view", [views[0] for views in VIEWS.values()], ids=VIEWS)
def test_a_view_survives_pickling_and_its_spec_makes_it_again(view):
    env = view(gymnasium.make("envs:rlgan/TextGeneration-v0", vocab_size=5, max_length=4, forbidden=[0]))
    env.reset()
    again = pickle.loads(pickle.dumps(env))
    made = env.spec.make()
    made.reset()
    assert same(again.step(1)[0], env.step(1)[0])
    assert made.observation_space == env.observation_space


@pytest.mark.parametrize("views", VIEWS.values(), ids=VIEWS)
def test_a_view_is_of_an_environment_whose_actions_are_tokens(views):
    env = gymnasium.wrappers.TransformAction(TextGenerationEnv(5, 4), int, gymnasium.spaces.Box(0, 1))
    with pytest.raises(ValueError, match="not Discrete"):
        views[0](env)


def test_one_hot_is_a_view_of_the_page():
    with pytest.raises(ValueError, match=r"not a Box of shape \(T,\)"):
        OneHotObservation(DictObservation(TextGenerationEnv(5, 4)))


def test_gymnasiums_own_float_view_works():
    env = gymnasium.wrappers.DtypeObservation(TextGenerationEnv(5, 4), np.float32)
    env.reset()
    observation = env.step(1)[0]
    assert observation.dtype == np.float32
    np.testing.assert_array_equal(observation, [1, 5, 5, 5])
