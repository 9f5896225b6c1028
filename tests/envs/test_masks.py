import pickle
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from envs import ActionMask, ActionMaskVector, TextGenerationEnv, TextGenerationVectorEnv, check_text_env

ID = "envs:rlgan/TextGeneration-v0"


def rising(text):
    """A grammar: each token is larger than the one before; the last token may always come."""
    last = text[-1] if len(text) else -1
    return np.arange(5) >= min(last + 1, 4)


def test_there_is_no_mask_unless_it_is_asked_for():
    env = TextGenerationEnv(5, 4)
    assert env.reset()[1] == {}
    assert env.step(1)[4] == {}
    assert env.action_masks().tolist() == [True] * 5
    several = TextGenerationVectorEnv(2, 5, 4)
    assert several.reset()[1] == several.step([1, 1])[4] == {}
    assert several.action_masks().tolist() == [[True] * 5] * 2


def test_forbidden_tokens_are_in_the_mask_at_every_step():
    env = TextGenerationEnv(5, 2, forbidden=[0, 3])
    infos = [env.reset()[1], env.step(1)[4], env.step(1)[4]]
    for info in infos:
        assert info["action_mask"].tolist() == [0, 1, 1, 0, 1]
        assert info["action_mask"].dtype == np.int8
    assert env.action_masks().tolist() == [False, True, True, False, True]
    infos[0]["action_mask"][:] = 0
    assert env.action_masks().any()


def test_a_sample_with_the_mask_is_never_forbidden():
    env = TextGenerationEnv(5, 4, forbidden=[0, 3])
    env.action_space.seed(0)
    mask = env.reset()[1]["action_mask"]
    assert {int(env.action_space.sample(mask=mask)) for _ in range(100)} == {1, 2, 4}
    several = TextGenerationVectorEnv(3, 5, 4, forbidden=[0, 3])
    several.action_space.seed(0)
    masks = several.reset()[1]["action_mask"]
    drawn = np.array([several.action_space.sample(mask=tuple(masks)) for _ in range(100)])
    assert set(drawn.ravel()) == {1, 2, 4}


def test_a_mask_is_advice():
    env = TextGenerationEnv(5, 4, forbidden=[0])
    env.reset()
    assert env.step(0)[0].tolist() == [0, 5, 5, 5]


def test_a_masked_environment_is_made_by_name_and_its_spec_survives_json():
    env = gymnasium.make(ID, vocab_size=5, max_length=4, forbidden=[0])
    again = gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json()).make()
    assert again.reset()[1]["action_mask"].tolist() == [0, 1, 1, 1, 1]
    assert again.get_wrapper_attr("action_masks")().tolist() == [False, True, True, True, True]


def test_gymnasium_finds_no_fault_in_masked_environments():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*is different from the unwrapped version")
        check_env(TextGenerationEnv(5, 4, forbidden=[1]), skip_render_check=True)
        check_env(ActionMask(TextGenerationEnv(5, 4), rising), skip_render_check=True)


@pytest.mark.parametrize(
    ("forbidden", "message"),
    [
        ([5], "forbidden holds 5, which is not a token: give 0 to 4"),
        ([-1], "forbidden holds -1"),
        ([0.5], "forbidden holds 0.5"),
        ([True], "forbidden holds True"),
        (range(5), "forbidden holds all 5 tokens: leave at least one"),
    ],
)
def test_bad_forbidden_tokens_are_refused(forbidden, message):
    for make in (
        lambda: TextGenerationEnv(5, 4, forbidden=forbidden),
        lambda: TextGenerationVectorEnv(2, 5, 4, forbidden=forbidden),
    ):
        with pytest.raises(ValueError, match=message):
            make()


def test_a_grammar_masks_by_the_text_so_far():
    env = ActionMask(TextGenerationEnv(5, 3, forbidden=[0], obs_dtype="float32"), rising)
    masks = [env.reset(options={"prefix": [1]})[1]["action_mask"]]
    assert env.action_masks().tolist() == [False, False, True, True, True]
    masks.extend(env.step(token)[4]["action_mask"] for token in (3, 4))
    # The last page has ended: only the environment's own mask is left.
    np.testing.assert_array_equal(masks, [[0, 0, 1, 1, 1], [0, 0, 0, 0, 1], [0, 1, 1, 1, 1]])
    assert {mask.dtype for mask in masks} == {np.dtype(np.int8)}


def test_masks_combine():
    even = lambda _: [1, 0, 1, 0, 1]  # noqa: E731
    env = ActionMask(ActionMask(TextGenerationEnv(5, 3), rising), even)
    env.reset()
    assert env.step(0)[4]["action_mask"].tolist() == [0, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda _: np.zeros(5), r"action mask forbids every token after \[1\]: allow at least one"),
        (lambda _: np.ones(4), r"mask function returned shape \(4,\), not \(5,\)"),
        (lambda _: True, r"mask function returned shape \(\), not \(5,\)"),
        (lambda _: [1, 1, 0, 0, 0], "forbids every token"),
    ],
)
def test_a_bad_mask_is_refused(function, message):
    env = ActionMask(TextGenerationEnv(5, 4, forbidden=[0, 1]), function)
    with pytest.raises(ValueError, match=message):
        env.reset(options={"prefix": [1]})
    several = ActionMaskVector(TextGenerationVectorEnv(2, 5, 4, forbidden=[0, 1]), function)
    with pytest.raises(ValueError, match=message):
        several.reset(options={"prefix": [1]})


def test_a_mask_is_for_tokens():
    env = gymnasium.wrappers.TransformAction(TextGenerationEnv(5, 4), int, gymnasium.spaces.Box(0, 1))
    with pytest.raises(ValueError, match="not Discrete"):
        ActionMask(env, rising)


@pytest.mark.parametrize("forbidden", [[], [0, 3]])
@pytest.mark.parametrize("grammar", [False, True])
def test_single_and_vector_masks_agree_in_all_autoreset_modes(forbidden, grammar):
    def single():
        env = TextGenerationEnv(5, 4, 2, forbidden=forbidden)
        return ActionMask(env, rising) if grammar else env

    def vector(count, mode):
        env = TextGenerationVectorEnv(count, 5, 4, 2, autoreset_mode=mode, forbidden=forbidden)
        return ActionMaskVector(env, rising) if grammar else env

    check_text_env(single, vector)


@pytest.mark.parametrize("mode", AutoresetMode)
def test_a_vector_wrapper_on_a_loop_of_singles_masks_alike(mode):
    def loop():
        return SyncVectorEnv([lambda: TextGenerationEnv(5, 3, 2, forbidden=[1])] * 3, autoreset_mode=mode)

    ours = ActionMaskVector(loop(), rising)
    theirs = ActionMaskVector(TextGenerationVectorEnv(3, 5, 3, 2, autoreset_mode=mode, forbidden=[1]), rising)
    for env in (ours, theirs):
        env.reset()
    rng = np.random.default_rng(0)
    for _ in range(10):
        actions = rng.integers(5, size=3)
        first, second = ours.step(actions), theirs.step(actions)
        np.testing.assert_array_equal(first[4]["action_mask"], second[4]["action_mask"])
        np.testing.assert_array_equal(ours.action_masks(), first[4]["action_mask"].astype(bool))
        ended = first[2]
        if mode is AutoresetMode.DISABLED and ended.any():
            infos = [env.reset(options={"reset_mask": ended.copy()})[1] for env in (ours, theirs)]
            np.testing.assert_array_equal(infos[0]["action_mask"], infos[1]["action_mask"])
            np.testing.assert_array_equal(infos[0]["_action_mask"], ended)


def test_a_masked_reset_keeps_the_masks_of_the_other_rows():
    env = ActionMaskVector(TextGenerationVectorEnv(2, 5, 4, autoreset_mode="Disabled"), rising)
    env.reset()
    env.step([3, 1])
    infos = env.reset(options={"reset_mask": np.array([True, False])})[1]
    np.testing.assert_array_equal(infos["action_mask"], [[1, 1, 1, 1, 1], [0, 0, 0, 0, 0]])
    np.testing.assert_array_equal(env.action_masks(), [[1, 1, 1, 1, 1], [0, 0, 1, 1, 1]])


def test_a_masked_environment_survives_pickling():
    env = ActionMask(TextGenerationEnv(5, 4, forbidden=[0]), len_mask)
    env.reset()
    again = pickle.loads(pickle.dumps(env))
    np.testing.assert_array_equal(again.step(1)[4]["action_mask"], env.step(1)[4]["action_mask"])


def len_mask(text):
    return np.arange(5) >= len(text)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones(5), "not an array of int8"),
        (np.ones(4, np.int8), r"of shape \(5,\)"),
        (np.zeros(5, np.int8), r"holds \[0\]: 0 and 1 are due"),
        (np.full(5, 2, np.int8), r"holds \[2\]"),
        ([1, 1, 1, 1, 1], "not an array of int8"),
    ],
)
def test_the_kit_catches_a_bad_mask(mask, message):
    class BadMask(gymnasium.Wrapper):
        def step(self, action):
            return (*self.env.step(action)[:4], {"action_mask": mask})

    with pytest.raises(ValueError, match=message):
        check_text_env(lambda: BadMask(TextGenerationEnv(5, 4)))
