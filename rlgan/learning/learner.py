"""The learner: both networks, their optimisers, and one training step. It does not know which GAN it trains."""

import math
import time
from collections.abc import Sequence
from functools import cache, partial
from typing import Protocol

import numpy as np
import torch
from torch import nn

from rlgan.device import naming_what_is_too_large
from rlgan.errors import DivergenceError
from rlgan.learning.loss import Adapter, Loss
from rlgan.learning.precision import FLOAT32, Precision
from rlgan.learning.weights import clones, load, twin, unload, views
from rlgan.rng import Purpose, stream, torch_seed
from rlgan.types import Metrics, Plan, RealBatch, Rollout, State, Weights


class RealSource(Protocol):
    """Where the real batch of an update comes from.

    Example:
        >>> class Coins:
        ...     def real(self, step, update):
        ...         return RealBatch(stream(0, Purpose.REAL, step, update).integers(2, size=(64, 1)).astype(np.float32))
        >>> first, again, other = (Coins().real(*key).real for key in ((3, 0), (3, 0), (3, 1)))
        >>> np.array_equal(first, again), np.array_equal(first, other)
        (True, False)
    """

    def real(self, step: int, update: int) -> RealBatch:
        """The batch of the discriminator's update number `update` in a step: a pure function."""
        ...


class Learner:
    """Applies the two losses of an adapter, each to the parameters of its own player.

    Args:
        adapter: holds the networks and gives the losses.
        source: of real batches.
        optimizers: by name: over the parameters of `generator`, of `discriminator` and of each of
            `adapter.auxiliary_modules` that has any.
        gradient_norm: gradients of a larger norm are scaled down to it.
        generator_ema_decay: decay per step of an exponential moving average of the generator's weights, which
            evaluations then use; 0: no average.
        seed: of the learner's own draws (noise, dropout).
        precision: of products on a GPU, also where gradients are computed.
    """

    def __init__(
        self,
        adapter: Adapter,
        source: RealSource,
        optimizers: dict[str, torch.optim.Optimizer],
        *,
        gradient_norm: float,
        generator_ema_decay: float,
        seed: int,
        precision: Precision = FLOAT32,
    ) -> None:
        self.adapter = adapter
        self.group = adapter.group
        self.source = source
        self.optimizers = optimizers
        self.networks: dict[str, nn.Module] = {"generator": adapter.generator, "discriminator": adapter.discriminator}
        self.networks |= adapter.auxiliary_modules
        # Once, here and below: to walk through the modules takes longer than a small network's step of its optimiser.
        self._parameters = {name: list(network.parameters()) for name, network in self.networks.items()}
        self.gradient_norm = gradient_norm
        self.generator_ema_decay = generator_ema_decay
        self.generator_ema = twin(adapter.generator) if generator_ema_decay else adapter.generator
        self._averaged = list(zip(self.generator_ema.parameters(), adapter.generator.parameters(), strict=True))
        self.seed = seed
        self.precision = precision
        self.version = 0

    def update(self, step: int, plan: Plan, draws: Sequence[Rollout]) -> Metrics:
        """Do training step `step`: the generator on draw 0, then the discriminator, update j on draw j.

        Without rollouts, the adapter makes the fakes of each update itself, out of that update's random numbers.

        Args:
            step: from 0; the learner's version is `step` before and `step + 1` after.
            plan: what the step computes.
            draws: `plan.draws` rollouts of a whole batch, or of this learner's rows of it.

        Raises:
            DivergenceError: a loss or a gradient is not finite; the networks are as before that update.
            RunError: a GPU, or this machine, has not enough memory.
            LearnerLostError: other learners share the batch, and one does not answer.
        """
        started = time.perf_counter()
        rows = f"{max(len(draw.tokens) for draw in draws)} sequences" if draws else "a whole batch"
        whole_batch, on_gpu = self.group.whole_batch(), self.precision.on_gpu()
        with whole_batch, on_gpu, naming_what_is_too_large(f"an update on {rows}"):
            metrics = self._update(step, plan, draws)
        return metrics | {"seconds_update": time.perf_counter() - started}

    def _update(self, step: int, plan: Plan, draws: Sequence[Rollout]) -> Metrics:
        metrics: Metrics = {}
        # Once, where both players read it.
        real_of = cache(partial(self._real, step))
        self.adapter.begin(step)
        # The generator first: its rollouts and their rewards are by the networks before this step.
        for i in range(plan.generator_steps):
            fakes = draws[0] if plan.draws and plan.supervision < 1 else None
            real = real_of(i) if plan.supervision > 0 or not plan.rollouts else None
            loss = self.adapter.generator_loss(fakes, real, plan.supervision, self._rng(step, i))
            metrics |= self._apply("generator", loss, step, plan.learning_rate)
            for name, value in loss.auxiliary_losses.items():
                auxiliary = Loss(value, {f"loss_{name}": value.detach()})
                metrics |= self._apply(name, auxiliary, step, plan.learning_rate)
        # Once a step, however many updates it has: the decay is one per step.
        if plan.generator_steps:
            self._update_ema(step)
        for j in range(plan.discriminator_steps):
            fakes = draws[j] if plan.rollouts and not plan.random_fakes else None
            # Numbered on from the generator's updates, so that no two updates of a step draw the same.
            rng = self._rng(step, plan.generator_steps + j)
            loss = self.adapter.discriminator_loss(fakes, real_of(j), rng)
            metrics |= self._apply("discriminator", loss, step, plan.learning_rate)
        self.version = step + 1
        return metrics

    def _real(self, step: int, update: int) -> RealBatch:
        return RealBatch(self.group.rows(self.source.real(step, update).real))

    def weights(self, *, on_device: bool = False, copied: bool = True) -> Weights:
        """Both networks as they are now.

        Args:
            on_device: as tensors where the networks are, for who makes rollouts in this process.
            copied: if not, the arrays share the memory of networks on the CPU, for who sends them off at once: the
                next update changes them.
        """
        take = clones if on_device else unload if copied else views
        return Weights(self.version, take(self.networks["generator"]), take(self.networks["discriminator"]))

    def evaluated_weights(self) -> Weights:
        """What evaluations and samples use: with the average of the generator's weights, where there is one."""
        raw = unload(self.networks["generator"]) if self.generator_ema_decay else {}
        return Weights(self.version, unload(self.generator_ema), unload(self.networks["discriminator"]), raw)

    def state_dict(self) -> State:
        """Everything that the next step depends on, in groups of named tensors.

        Raises:
            DivergenceError: a tensor is not finite: this must not become a checkpoint.
        """
        state: State = {name: unload(network) for name, network in self.networks.items()}
        if self.generator_ema_decay:
            # Checkpoints keep the name that the average had before it was called `generator_ema`.
            state["generator_average"] = unload(self.generator_ema)
        for name, optimizer in self.optimizers.items():
            moments = optimizer.state_dict()["state"]
            state[f"{name}_optimizer"] = {
                f"{index}.{key}": value.cpu().numpy().copy()
                for index, entries in moments.items()
                for key, value in entries.items()
            }
        for group, tensors in state.items():
            for name, tensor in tensors.items():
                if not np.isfinite(tensor).all():
                    raise DivergenceError(f"{name} of the {group} is not finite after step {self.version - 1}")
        return state

    def load_state_dict(self, state: State, version: int) -> None:
        """Take up a state that `state_dict` gave at this version."""
        for name, network in self.networks.items():
            load(network, state[name])
        if self.generator_ema_decay:
            load(self.generator_ema, state["generator_average"])
        for name, optimizer in self.optimizers.items():
            moments: dict[int, dict[str, torch.Tensor]] = {}
            for key, value in state[f"{name}_optimizer"].items():
                index, _, entry = key.partition(".")
                moments.setdefault(int(index), {})[entry] = torch.tensor(value)
            # Rates are those of the recipe: a checkpoint has none.
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.version = version

    @torch.no_grad()
    def _update_ema(self, step: int) -> None:
        if not self.generator_ema_decay:
            return
        # A young average forgets faster: else the untrained weights would count in it for long.
        decay = min(self.generator_ema_decay, (step + 1) / (step + 10))
        # Buffers too: what a normalisation has seen goes with the weights that it saw it under. Asked for anew, since a
        # core from outside may put others in their places.
        buffers = zip(self.generator_ema.buffers(), self.networks["generator"].buffers(), strict=True)
        for mean, value in (*self._averaged, *buffers):
            mean.lerp_(value, 1 - decay)

    def _rng(self, step: int, update: int) -> np.random.Generator:
        # Dropout draws from torch's own generators, which are seeded by the same key. Not by `torch.manual_seed`: where
        # CUDA is not in use, that keeps the caller's traceback, which takes longer than a small network's update.
        seed = torch_seed(self.seed, Purpose.LEARNER, step, update, 1)
        torch.default_generator.manual_seed(seed)
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.manual_seed_all(seed)
        return stream(self.seed, Purpose.LEARNER, step, update, 0)

    def _apply(self, name: str, loss: Loss, step: int, rate: float) -> Metrics:
        parameters = self._parameters[name]
        for parameter in parameters:
            # Those of the last update, which would take memory beside the new ones.
            parameter.grad = None
        # Only this player's gradients: its loss reaches the other network too. As `grad`, and not by `autograd.grad`:
        # torch lays them out as the parameters are, by whose memory fused optimisers go, and copies only for that.
        torch.autograd.backward(loss.value, inputs=parameters)
        # Before the norm is bounded, which is that of the whole batch's gradient and so the same for all learners.
        self.group.average_([parameter.grad for parameter in parameters if parameter.grad is not None])
        norm = nn.utils.get_total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])
        # All in one copy to the host: a GPU has to be waited for at each.
        *numbers, total = _to_host([*loss.metrics.values(), norm])
        metrics = self.group.metrics(dict(zip(loss.metrics, numbers, strict=True)))
        metrics[f"gradient_norm_{name}"] = total
        # Before the step is taken, so that an error leaves the networks as they were.
        for key, number in metrics.items():
            if not math.isfinite(number):
                raise DivergenceError(f"{key} is {number} in the update of the {name} of step {step}")
        # Only then, since each pass over all gradients takes time: below the bound they would be multiplied by 1.
        if total > 0.999 * self.gradient_norm:
            nn.utils.clip_grads_with_norm_(parameters, self.gradient_norm, norm)
        # Put back after the step: the optimiser's own rate belongs to the recipe, the factor to the step.
        group = self.optimizers[name].param_groups[0]
        full = group["lr"]
        group["lr"] = rate * full
        self.optimizers[name].step()
        group["lr"] = full
        return metrics


def _to_host(values: Sequence[torch.Tensor]) -> list[float]:
    """Numbers of tensors [], which are on one device or the other."""
    device = values[-1].device
    if device.type == "cpu":
        return [float(value.item()) for value in values]
    # In float64, which holds a count of tokens as well as a float32.
    numbers: list[float] = torch.stack([value.detach().to(device, torch.float64) for value in values]).tolist()
    return numbers
