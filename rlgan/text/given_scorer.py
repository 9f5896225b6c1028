"""`--scorer`: what gives the log-odds in place of a discriminator."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from envs import CheckError, Scorer, State, check_scorer
from rlgan.errors import RunError, UsageError
from rlgan.settings import resolve
from rlgan.text.baselines import EXPECTING_BASELINES
from rlgan.text.controls.control import find_control
from rlgan.text.estimators.estimator import make_estimator
from rlgan.text.methods.method import find_method
from rlgan.text.settings import TextSettings


def check_recipe(settings: TextSettings) -> None:
    """Check that nothing in a recipe with a scorer needs a discriminator.

    Raises:
        UsageError: something does.
    """
    scorer, baseline = settings.rewards.scorer, settings.baselines.baseline
    if scorer is None:
        return
    if not find_method(settings.method).adversarial:
        raise UsageError(f"--scorer {scorer} with --method {settings.method}, which learns from no rewards")
    if make_estimator(settings.policy, settings.rewards).scores_all_tokens:
        raise UsageError(
            f"--estimator {settings.policy.estimator} with --scorer {scorer}, which scores the tokens that were "
            "written and no others: give --estimator reinforce"
        )
    if baseline in EXPECTING_BASELINES:
        raise UsageError(
            f"--baseline {baseline} with --scorer {scorer}, which scores the tokens that were written and no others: "
            "give --baseline leave_one_out"
        )
    control = settings.rewards.reward_control
    if find_control(control).random_discriminator:
        raise UsageError(f"--reward-control {control} with --scorer {scorer}: give one of them")


class GivenScorer:
    """What `--scorer` names, for rollouts on any device: it is given numpy arrays; implements `envs.Scorer`.

    Args:
        name: `module:object`, of an `envs.Scorer`, or of a function or class that makes one from the words.
        words: the vocabulary, by token.

    Raises:
        UsageError: it is none.

    Example:
        >>> GivenScorer("math:pi", ("a", "cat"))
        Traceback (most recent call last):
            ...
        rlgan.errors.UsageError: --scorer math:pi is a float: it must be an envs.Scorer, or make one
    """

    def __init__(self, name: str, words: tuple[str, ...]) -> None:
        found = resolve(name, {})
        # A class of scorers has both methods too, but no sequence that they are of.
        if isinstance(found, type) or not hasattr(found, "start"):
            if not callable(found):
                raise UsageError(f"--scorer {name} is a {type(found).__name__}: it must be an envs.Scorer, or make one")
            found = found(words)
        if not (hasattr(found, "start") and hasattr(found, "score")):
            raise UsageError(
                f"--scorer {name} gave a {type(found).__name__}: an envs.Scorer is due, with start(count) and "
                "score(state, tokens)"
            )
        self.given: Scorer = found
        self._name = name

    def hand_over(self, log_probs: Tensor) -> None:
        """Nothing: what the policy gave a token is of no use here."""

    def start(self, count: int) -> State:
        """The state before any token: arrays with leading axis `count`."""
        with self._naming_it():
            return self.given.start(count)

    def score(self, state: State, tokens: Tensor, /) -> tuple[State, Tensor]:
        """Read the next token of every sequence, int64 [N]: log-odds float32 [N], where the tokens are.

        Raises:
            RunError: the scorer failed, or gave another shape, or what is not finite.
        """
        with self._naming_it():
            after, given = self.given.score(state, tokens.cpu().numpy())
            log_odds = torch.as_tensor(given, dtype=torch.float32)
        if log_odds.shape != tokens.shape or not log_odds.isfinite().all():
            said = f"shape {tuple(log_odds.shape)}" if log_odds.shape != tokens.shape else "numbers that are not finite"
            raise RunError(f"--scorer {self._name} gave {said}: {len(tokens)} finite log-odds are due, one a sequence")
        return after, log_odds.to(tokens.device)

    @contextmanager
    def _naming_it(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # a scorer of somebody else's may raise anything
            raise RunError(f"--scorer {self._name} failed: {type(error).__name__}: {error}") from error


def check_given_scorer(name: str, words: tuple[str, ...]) -> None:
    """Check that a scorer fits the vocabulary and what rollouts rely on: see `envs.check_scorer`.

    Raises:
        UsageError: it does not.
    """
    try:
        scorer = GivenScorer(name, words).given
        own = getattr(scorer, "vocabulary", None)
        _check_words(name, words if own is None else tuple(own), words)
        check_scorer(scorer, vocab_size=len(words))
    except UsageError:
        raise
    except CheckError as error:
        raise UsageError(f"--scorer {name}: {error}") from None
    except Exception as error:  # a scorer of somebody else's may raise anything
        raise UsageError(f"--scorer {name} failed: {type(error).__name__}: {error}") from error


def _check_words(name: str, known: tuple[str, ...], words: tuple[str, ...]) -> None:
    if known != words:
        shared = sum(word in words for word in known)
        raise UsageError(
            f"--scorer {name} has a vocabulary of {len(known)} words, of which the data's, of {len(words)} words, has "
            f"{shared}: the same words in the same order are due, so give the --data that the scorer was made for"
        )
