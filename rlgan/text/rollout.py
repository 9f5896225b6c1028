"""Rollouts: the generator writes in the text environment while the discriminator scores.

This is the one way in which text is generated, for training and for samples.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from envs import Pages, Readings
from rlgan.device import capture, naming_what_is_too_large
from rlgan.learning.weights import load, sample_noise
from rlgan.rng import Purpose, stream
from rlgan.settings import resolve
from rlgan.text.categorical import sample
from rlgan.text.controls.control import find_control
from rlgan.text.given_scorer import GivenScorer
from rlgan.text.losses import expected_under
from rlgan.text.models.core import State, TextNetworks
from rlgan.text.models.discriminator import random_discriminator
from rlgan.text.models.generator import TextGenerator
from rlgan.text.returns import RETURNS
from rlgan.text.rewards.rule import find_reward_rule
from rlgan.text.scorer import DiscriminatorScorer
from rlgan.types import Float, Mask, Plan, Rollout, Tokens, Weights


@dataclass(frozen=True)
class RolloutSettings:
    """What a rollout worker must know, and no more: it needs no data."""

    networks: TextNetworks
    length: int
    stop_token: int | None
    rows: int  # sequences generated at a time
    reward: str  # a name in REWARD_RULES
    reward_control: str  # a name in CONTROLS
    returns: str  # a name in RETURNS
    discount: float
    monte_carlo_rollouts: int
    seed: int
    discriminator_rows: int  # the same where the discriminator alone learns from them
    expects: bool = False  # tell what reward the generator could expect at each place
    reward_limit: float = 0.0  # on the reward of each token, either way; 0: none
    temperature: float = 1.0  # log-probabilities are divided by it
    scorer: str | None = None  # what scores in place of the discriminator: module:object
    words: tuple[str, ...] = ()  # the vocabulary, where such a scorer is made from it


class RolloutGenerator:
    """Both networks on a device, writing `rows` sequences at a time: `envs.Pages` and `envs.Readings` on tensors there.

    Within a rollout nothing leaves the device but the finished sequences. On CUDA all places of a rollout, with policy,
    sampler, environment and discriminator, are one captured graph.
    """

    def __init__(self, settings: RolloutSettings, device: torch.device) -> None:
        s = settings
        self.settings = settings
        self.device = device
        self.generator = TextGenerator(s.networks).to(device).eval()
        self.discriminator = random_discriminator(s.networks, s.seed).to(device).eval()
        self.control = find_control(s.reward_control)
        self.returns: Callable[[Float, Mask, float], Float] = resolve(s.returns, RETURNS)
        self.scorer: DiscriminatorScorer | GivenScorer = DiscriminatorScorer(self.discriminator)
        if s.scorer is not None:
            self.scorer = GivenScorer(s.scorer, s.words)
        self._rule = find_reward_rule(s.reward, s.reward_limit)
        self._loaded: Weights | None = None
        # By whether the discriminator reads too.
        self._graphs: dict[bool, Callable[[Tensor, Tensor], Tensor]] = {}

    def generate(self, weights: Weights, rng: np.random.Generator, *, rewards: bool = True) -> Rollout:
        """Generate one sequence per row. A pure function of its arguments.

        Args:
            weights: of both networks; the rewards are by this discriminator. Arrays that are not changed afterwards.
            rng: the stream that every random number comes from.
            rewards: whether anybody reads the rewards and Q; if not, the discriminator scores nothing, they are 0, and
                all else is the same.
        """
        self._load(weights)
        noise = sample_noise(rng, self.settings.rows, self.generator.noise_size)
        too_large = naming_what_is_too_large(f"a rollout of {self.settings.rows} sequences")
        with torch.inference_mode(), self.generator.precision.on_gpu(), too_large:
            written, episode = self._write(noise, rng, rewards=rewards)
            q_values = np.zeros_like(written.rewards)
            if rewards:
                q_values = self.returns(written.rewards, written.mask, self.settings.discount)
            if rewards and episode is not None:
                self._average_continuations(q_values, written, episode, rng)
        return Rollout(
            tokens=written.tokens,
            noise=noise,
            log_probs=written.log_probs,
            rewards=written.rewards,
            q_values=q_values,
            expected=written.expected,
            mask=written.mask,
            version=weights.version,
        )

    def complete(self, weights: Weights, prefix: Tokens, rng: np.random.Generator) -> Tokens:
        """Write sequences int64 [B, T] that begin with a prefix. A pure function of its arguments.

        Args:
            weights: of the generator. Arrays that are not changed afterwards.
            prefix: int64 [P], P < T, without the stop token.
            rng: the stream that every random number comes from.
        """
        self._load(weights)
        rows = self.settings.rows
        noise = torch.from_numpy(sample_noise(rng, rows, self.generator.noise_size)).to(self.device)
        begun = torch.from_numpy(np.tile(prefix, (rows, 1))).to(self.device)
        with torch.inference_mode(), naming_what_is_too_large(f"a rollout of {rows} sequences"):
            episode = self._begin(False)
            last, state = self._start(noise)
            for token in begun.T:
                _, state = self._next(last, state)
                last = token
            episode.pages.clear(torch.ones(rows, dtype=torch.bool, device=self.device), begun)
            result = self._continue_from(last, state, self._uniforms(len(prefix), rng), episode)
        return np.asarray(result[0].cpu().numpy().astype(np.int64))

    def _load(self, weights: Weights) -> None:
        # Shards of one step come with the same weights: what is in the networks already is not copied again.
        if self._loaded is not None and weights.is_same(self._loaded):
            return
        load(self.generator, weights.generator)
        if not self.control.random_discriminator:
            load(self.discriminator, weights.discriminator)
        self._loaded = weights

    def _write(self, noise: Float, rng: np.random.Generator, *, rewards: bool) -> tuple["_Written", "_Episode | None"]:
        """Write whole sequences; and what they can be gone on with from any place, where that is asked for."""
        inputs = torch.from_numpy(noise).to(self.device), self._uniforms(0, rng)
        reads = rewards and self.control.reads_rewards
        continues = rewards and self.settings.monte_carlo_rollouts > 1
        every = np.ones((self.settings.rows, self.settings.length), np.bool_)
        # A scorer from outside computes where it wants, which is no part of a graph.
        if self.device.type == "cuda" and not continues and self.settings.scorer is None:
            if reads not in self._graphs:
                self._graphs[reads] = capture(partial(self._whole, reads=reads), inputs)
            return self._fetch(self._graphs[reads](*inputs), every, rng, rewards=rewards), None
        episode = self._begin(reads)
        result = self._continue_from(*self._start(inputs[0]), inputs[1], episode)
        return self._fetch(result, every, rng, rewards=rewards), episode if continues else None

    def _whole(self, noise: Tensor, uniforms: Tensor, *, reads: bool) -> Tensor:
        """Whole sequences as `_continue_from` returns them: a function of tensors alone, which can be captured."""
        return self._continue_from(*self._start(noise), uniforms, self._begin(reads))

    def _uniforms(self, place: int, rng: np.random.Generator) -> Tensor:
        # Drawn for all places and rows at once: what a row writes does not depend on when the others end.
        drawn = rng.random((self.settings.length - place, self.settings.rows), dtype=np.float32)
        return torch.from_numpy(drawn).to(self.device)

    def _begin(self, reads: bool) -> "_Episode":
        """Blank pages on the device, and what reads them if the discriminator reads along."""
        s = self.settings
        like = self.generator.output.weight
        # A batch has one page per row: a row that has ended waits for the others.
        pages = Pages(s.rows, s.networks.vocab_size, s.length, s.stop_token, like=like)
        return _Episode(pages, Readings(self.scorer, self._rule, s.rows, like=like) if reads else None, [])

    def _start(self, noise: Tensor) -> tuple[Tensor, State]:
        """The start mark in every row, and the generator's state before it."""
        start = torch.full((self.settings.rows,), self.settings.networks.vocab_size, device=self.device)
        return start, self.generator.initial_state(noise)

    def _continue_from(self, last: Tensor, state: State, uniforms: Tensor, episode: "_Episode") -> Tensor:
        """Go on from a place of the pages to their end.

        Args:
            last: int64 [N], the tokens before the place.
            state: the generator's, before it read them.
            uniforms: float32 [places left, N].
            episode: what is written on and read; ended pages take no token.

        Returns:
            float64 [4, N, T]: the pages, and of the tokens that were written log-probability, reward, and the reward
            that was to be expected there, 0 elsewhere.
        """
        pages, readings = episode.pages, episode.readings
        rows, length = pages.tokens.shape
        log_probs, paid, expected = torch.zeros(3, rows, length, device=self.device)
        for t in range(length - len(uniforms), length):
            # Rows that have ended are computed too: a product of fewer rows could round otherwise.
            scores, state = self._next(last, state)
            episode.states.append(state)
            last, chosen = sample(scores, uniforms[t - length])
            taking = ~pages.ended
            log_probs[:, t] = chosen * taking
            pages.write(last)
            if readings is not None:
                if self.settings.expects:
                    expected[:, t] = self._expectation(scores.log_softmax(dim=-1), readings) * taking
                self.scorer.hand_over(chosen)
                paid[:, t] = readings.read(last, taking)
            # A GPU is not asked, since it would have to be waited for. To break off moves no later draw: the numbers
            # for all places have been drawn.
            if self.device.type == "cpu" and pages.ended.all():
                break
        # One tensor, so that it takes one copy to the host; float64 holds tokens and float32 exactly.
        return torch.stack([pages.tokens.double(), log_probs.double(), paid.double(), expected.double()])

    def _expectation(self, distribution: Tensor, readings: Readings) -> Tensor:
        """What reward a token drawn from the distribution [N, V] would earn in the mean, float32 [N]."""
        # The core's output before the token stands last in the state: one product scores every token.
        scores = self.discriminator.output(readings.state[-1])
        log_odds = self.discriminator.form.log_odds(scores, distribution)
        return expected_under(distribution, self._rule(log_odds, readings.log_odds[:, None]))

    def _fetch(self, result: Tensor, counted: Mask, rng: np.random.Generator, *, rewards: bool) -> "_Written":
        """What `_continue_from` returned, on the host, with the control applied; `counted` [N, T] are the places."""
        page, *others = result.cpu().numpy()
        # `astype` copies: a captured graph writes into the same memory again.
        tokens, (log_probs, given, expected) = page.astype(np.int64), (each.astype(np.float32) for each in others)
        mask = counted & (tokens < self.settings.networks.vocab_size)
        # After the text is written: a control that draws then leaves the words as they are without it.
        if rewards:
            given = self.control.apply(given, mask, rng)
        if rewards and self.settings.expects:
            expected = self.control.apply(expected, mask, rng)
        return _Written(tokens, log_probs, given, expected, mask)

    def _next(self, last: Tensor, state: State) -> tuple[Tensor, State]:
        """The logits [N, V] of what follows the tokens [N], at the temperature, and the state."""
        logits, state = self.generator.step_logits(last, state)
        if self.settings.temperature != 1:
            logits = logits / self.settings.temperature
        return logits, state

    def _average_continuations(
        self, q_values: Float, written: "_Written", episode: "_Episode", rng: np.random.Generator
    ) -> None:
        """Put into the place of each Q the mean over several continuations, of which the sequence itself is one.

        Yala & Song, section 4.1: "in principle, we can average several rollouts".
        """
        s = self.settings
        # At the last place nothing comes after the token: its Q is its own.
        for t in range(int(written.mask.any(axis=0).sum()) - 1):
            alive, prefix = written.mask[:, t + 1], written.tokens[:, : t + 1]  # who goes on after place t, with what
            total = q_values[:, t].copy()
            for _ in range(s.monte_carlo_rollouts - 1):
                other = self._continuation(alive, prefix, episode.states[t], episode, rng)
                rewards = np.hstack([written.rewards[:, : t + 1], other.rewards[:, t + 1 :]])
                mask = np.hstack([written.mask[:, : t + 1], other.mask[:, t + 1 :]])
                total += self.returns(rewards, mask, s.discount)[:, t]
            q_values[alive, t] = total[alive] / s.monte_carlo_rollouts

    def _continuation(
        self, alive: Mask, prefix: Tokens, state: State, episode: "_Episode", rng: np.random.Generator
    ) -> "_Written":
        """Go on from a prefix, int64 [N, P], in the rows that are alive, bool [N]; the others stay as they are."""
        rows = torch.from_numpy(alive).to(self.device)
        # In rows that have ended V may stand, for which no network has a row.
        begun = torch.from_numpy(np.where(alive[:, None], prefix, 0)).to(self.device)
        episode.pages.clear(rows, begun)
        if episode.readings is not None:
            episode.readings.restart(rows, begun)
        place = prefix.shape[1]
        # With a list of its own: nobody goes on from the states of a continuation, and they would add up.
        apart = replace(episode, states=[])
        result = self._continue_from(begun[:, -1], state, self._uniforms(place, rng), apart)
        counted = alive[:, None] & (np.arange(self.settings.length) >= place)
        return self._fetch(result, counted, rng, rewards=True)


class ShardMaker:
    """Makes the shards of training steps; what a rollout worker holds.

    Args:
        settings: of the rollouts.
        plan: what a step computes, a pure function of the step.
        device: where to compute.
    """

    def __init__(self, settings: RolloutSettings, plan: Callable[[int], Plan], device: torch.device) -> None:
        self.settings = settings
        self.plan = plan
        self.device = device

    # When the first is asked for: likelihood asks for none, and of 100,000 words the networks are 300 MiB.
    @cached_property
    def rollouts(self) -> RolloutGenerator:
        """What makes the rollouts that the generator learns from."""
        return RolloutGenerator(self.settings, self.device)

    @cached_property
    def rollouts_for_discriminator(self) -> RolloutGenerator:
        """What makes those that the discriminator alone reads."""
        few = replace(self.settings, rows=self.settings.discriminator_rows)
        return self.rollouts if few == self.settings else RolloutGenerator(few, self.device)

    def shard(self, weights: Weights, step: int, draw: int, shard: int) -> Rollout:
        """Make one shard of a training step: a pure function of (weights, seed, step, draw, shard)."""
        plan = self.plan(step)
        rng = stream(self.settings.seed, Purpose.ROLLOUT, step, draw, shard)
        # The generator learns from draw 0 alone; of the others the discriminator reads the tokens.
        if draw == 0 and plan.supervision < 1:
            return self.rollouts.generate(weights, rng, rewards=plan.rewards)
        return self.rollouts_for_discriminator.generate(weights, rng, rewards=False)


@dataclass(frozen=True)
class _Episode:
    """Pages that are being written, on the device, and what reads them."""

    pages: Pages
    readings: Readings | None  # None: the discriminator does not read along
    states: list[State]  # the generator's before each choice, its token not read yet


@dataclass(frozen=True)
class _Written:
    """What was written from a place on, on the host; the arrays have all places, 0 before it."""

    tokens: Tokens  # [B, T] the whole page
    log_probs: Float  # [B, T]
    rewards: Float  # [B, T]
    expected: Float  # [B, T]
    mask: Mask  # [B, T] true where the page has a token
