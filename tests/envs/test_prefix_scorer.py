import numpy as np
import pytest

from envs import DiscriminatorRewardVector, PrefixScorer, TextGenerationVectorEnv, check_scorer

WEIGHTS = np.float32([0.5, -1.0, 2.0, 3.0])


def weighted(texts):
    """The newest token counts once, the one before it half, and so on."""
    return (WEIGHTS[texts] * 0.5 ** np.arange(texts.shape[1])[::-1]).sum(axis=1)


@pytest.mark.parametrize("context", [1, 3, 20])
def test_it_is_a_scorer_and_reads_the_last_tokens(context):
    scorer = PrefixScorer(weighted, context)
    check_scorer(scorer, vocab_size=4)
    texts = np.random.default_rng(0).integers(4, size=(5, 7))
    state = scorer.start(5)
    for t in range(7):
        state, log_odds = scorer.score(state, texts[:, t])
        np.testing.assert_allclose(log_odds, weighted(texts[:, max(t + 1 - context, 0) : t + 1]), rtol=1e-6)


def test_texts_that_start_at_different_times_are_read_from_their_own_beginning():
    env = TextGenerationVectorEnv(num_envs=2, vocab_size=4, max_length=4, stop_token=0, autoreset_mode="SameStep")
    env = DiscriminatorRewardVector(env, PrefixScorer(lambda texts: texts.sum(axis=1) + 0.0, context=4), "log_odds")
    env.reset()
    rewards = [env.step(np.array(actions))[1].tolist() for actions in ([1, 0], [2, 3], [3, 0], [1, 2])]
    assert rewards == [[1, 0], [3, 3], [6, 3], [7, 2]]


@pytest.mark.parametrize("context", [0, -1, 2.5, True, None])
def test_a_context_that_is_none_is_refused(context):
    with pytest.raises(ValueError, match="is not a positive integer: give at least 1"):
        PrefixScorer(weighted, context)


def test_a_function_of_another_shape_is_refused():
    scorer = PrefixScorer(lambda texts: texts * 1.0, context=3)
    with pytest.raises(ValueError, match=r"returned shape \(2, 1\), not \(2,\): give one score for each text"):
        scorer.score(scorer.start(2), np.array([1, 2]))
