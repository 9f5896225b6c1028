"""Several learners that share every batch: each computes on rows of its own, and all take the same step.

Data parallelism by `torch.distributed`. Gradients are averaged, and what depends on the batch as a whole (means over
counted places, baselines, dropout, batch normalisation) is taken over all of it, so that the step is that of one
learner but for the rounding. Every learner draws the same random numbers, for the whole batch, and uses its rows of
them.
"""

import datetime
import inspect
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar, cast

import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from rlgan.errors import LearnerLostError, RunError
from rlgan.learning.losses import masked_mean
from rlgan.types import Metrics

# Seconds that a learner waits for the others, who do the same on as much: longer than the shards take to come.
TIMEOUT = 60

Rows = TypeVar("Rows", NDArray[Any], Tensor)


class Group:
    """The learners that share every batch, as one of them sees it; by default it is alone.

    Every method but `rows` is to be called by all of them, in the same order.

    Args:
        rank: of this learner, from 0.
        size: how many there are.

    Raises:
        LearnerLostError: by every method that waits: another did not answer in `TIMEOUT` seconds.

    Example:
        >>> Group(rank=1, size=2).rows(torch.arange(6))  # the second half
        tensor([3, 4, 5])
        >>> Group().masked_mean(torch.tensor([1.0, 3.0, 9.0]), torch.tensor([True, True, False]))
        tensor(2.)
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank = rank
        self.size = size

    def rows(self, whole: Rows) -> Rows:
        """This learner's rows of what belongs to a whole batch [B, ...]; B is a multiple of the size."""
        count = len(whole) // self.size
        return whole[self.rank * count : (self.rank + 1) * count]

    def gather(self, own: Tensor) -> Tensor:
        """The whole batch [B, ...] out of everyone's rows; without gradient."""
        if self.size == 1:
            return own
        # gloo has no type for bool.
        if own.dtype == torch.bool:
            return self.gather(own.byte()).bool()
        sent = own.detach().contiguous()
        if distributed.get_backend() == "gloo":
            sent = sent.cpu()  # it gathers there alone
        parts = [torch.empty_like(sent) for _ in range(self.size)]
        with _waiting():
            distributed.all_gather(parts, sent)
        return torch.cat(parts).to(own.device)

    def mean(self, own: Tensor) -> Tensor:
        """The mean over all learners; with gradient."""
        return own if self.size == 1 else cast(Tensor, _Sum.apply(own, self)) / self.size  # type: ignore[no-untyped-call]

    def masked_mean(self, values: Tensor, mask: Tensor) -> Tensor:
        """This learner's part of the mean over all counted places of the batch: the mean of the parts is that."""
        # Weighed by how many places count in these rows, since rows end at different lengths.
        mean = masked_mean(values, mask)
        if self.size == 1:
            return mean
        counted = mask.sum().to(mean.dtype)
        return mean * counted / self.mean(counted)

    def average_(self, tensors: Sequence[Tensor]) -> None:
        """Put the means over all learners in the place of tensors."""
        if self.size == 1:
            return
        # One message for all tensors: the latency of each would add up.
        flat = self.mean(torch.cat([tensor.flatten() for tensor in tensors]))
        means = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, mean in zip(tensors, means, strict=True):
            tensor.copy_(mean.view_as(tensor))

    def metrics(self, own: Metrics) -> Metrics:
        """Means over all learners."""
        if self.size == 1:
            return own
        device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        # In float64, since a count of tokens may have more digits than float32.
        # Without names: every learner has the same metrics in the same order.
        means = self.mean(torch.tensor(list(own.values()), dtype=torch.float64, device=device))
        return dict(zip(own, means.tolist(), strict=True))

    def whole_batch(self) -> AbstractContextManager[Any]:
        """Within it, networks that run on rows draw and normalise as if they ran on the whole batch."""
        return nullcontext() if self.size == 1 else _WholeBatch(self)

    def sum(self, own: Tensor) -> Tensor:
        """The sum over all learners, without gradient: the same bits for each."""
        # A copy, because the reduction writes its result into what it is given.
        total = own.detach().clone(memory_format=torch.contiguous_format)
        with _waiting():
            distributed.all_reduce(total)
        return total


ALONE = Group()


class _Sum(torch.autograd.Function):
    """The sum over the learners; each one's loss depends on it, so its gradient is the sum of theirs."""

    @staticmethod
    def forward(context: Any, own: Tensor, group: Group) -> Tensor:
        context.group = group
        return group.sum(own)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return context.group.sum(gradient), None


class _WholeBatch(TorchFunctionMode):
    """Puts into the place of what looks at a batch as a whole what looks at that of all learners."""

    def __init__(self, group: Group) -> None:
        super().__init__()
        self.group = group
        self.instead: dict[Callable[..., Any], Callable[..., Any]] = {
            functional.dropout: self._dropout,
            torch.rand_like: self._rand_like,
            functional.batch_norm: self._batch_norm,
            functional.multi_head_attention_forward: _attention,
        }

    def __torch_function__(self, function: Any, _: Iterable[type], arguments: Any = (), options: Any = None) -> Any:
        # Replaced here, not in the networks: those need not know that others compute on other rows of their batch.
        return self.instead.get(function, function)(*arguments, **(options or {}))

    def _whole(self, own: Tensor) -> Tensor:
        # Laid out as the rows are, since it is filled in that order.
        order = sorted(range(own.dim()), key=own.stride, reverse=True)
        sizes = [len(own) * self.group.size, *own.shape[1:]]
        whole = own.new_empty([sizes[axis] for axis in order])
        return whole.permute([order.index(axis) for axis in range(own.dim())])

    def _dropout(self, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:  # noqa: ARG002
        if not training or not p:
            return x
        return x * self.group.rows(self._whole(x).bernoulli_(1 - p).div_(1 - p))

    def _rand_like(self, x: Tensor) -> Tensor:
        return self.group.rows(torch.rand_like(self._whole(x)))

    def _batch_norm(
        self,
        x: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if not training:
            return functional.batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps)
        places = [0, *range(2, x.dim())]
        of_channels = [1, -1, *[1] * (x.dim() - 2)]
        # In float32, also where the networks compute in bfloat16, and in two passes: E x^2 - (E x)^2 would lose digits.
        mean = self.group.mean(x.float().mean(places))
        centred = x.float() - mean.view(of_channels)
        variance = self.group.mean(centred.square().mean(places))
        # torch keeps the unbiased variance for evaluations, and normalises with the biased one.
        count = self.group.size * x.numel() // x.shape[1]
        for running, value in ((running_mean, mean), (running_var, variance * count / (count - 1))):
            if running is not None:
                running.lerp_(value.detach(), momentum)
        normed = centred * (variance + eps).rsqrt().view(of_channels)
        if weight is not None:
            normed = normed * weight.view(of_channels)
        if bias is not None:
            normed = normed + bias.view(of_channels)
        return normed.to(x.dtype)


def _attention(*arguments: Any, **options: Any) -> tuple[Tensor, Tensor | None]:
    """Attention of rows that do not meet; its own dropout is drawn in a fused call, where it can't be shared."""
    asked = inspect.signature(functional.multi_head_attention_forward).bind(*arguments, **options).arguments
    if asked["dropout_p"] and asked.get("training", True):
        raise RunError(
            f"attention has a dropout of {asked['dropout_p']:g} of its own, which several learners can't share: set it "
            "to 0, as layer.self_attn.dropout = 0.0, or give --learners 1"
        )
    attended: tuple[Tensor, Tensor | None] = functional.multi_head_attention_forward(*arguments, **options)
    return attended


@contextmanager
def _waiting() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # what both gloo and NCCL raise
        raise LearnerLostError(f"another learner did not answer: {str(error).splitlines()[0]}") from error


def reserve_port(address: str) -> tuple[socket.socket, int]:
    """Reserve a free port on an address of this machine: the socket that listens there, and the port's number."""
    # It stays open until the store takes it over: in between, another process could get the port.
    listening = socket.create_server((address, 0))
    return listening, listening.getsockname()[1]


def init_process_group(
    listening: socket.socket | None, address: str, port: int, own_address: str, rank: int, size: int, *, nccl: bool
) -> Group:
    """Join the other learners.

    Args:
        listening: in learner 0 the socket of `reserve_port`, in the others None.
        address: learner 0's.
        port: learner 0's.
        own_address: this learner's: all that it sends and receives goes through the network interface that has it.
        rank: of this learner, from 0.
        size: how many there are.
        nccl: each has a GPU of its own, and they communicate by NCCL; else by gloo.

    Raises:
        LearnerLostError: another learner did not join in `TIMEOUT` seconds.
    """
    interfaces = psutil.net_if_addrs().items()
    names = [name for name, addresses in interfaces if any(each.address == own_address for each in addresses)]
    # Otherwise gloo binds to what the host's name resolves to, which may be the loopback that no other machine reaches.
    if names:
        os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = names[0]
    timeout = datetime.timedelta(seconds=TIMEOUT)
    with _waiting():
        store = distributed.TCPStore(  # type: ignore[attr-defined]
            address,
            port,
            size,
            is_master=listening is not None,
            timeout=timeout,
            # The store closes what it is given; Python must not close the same number a second time.
            master_listen_fd=listening.detach() if listening else None,
        )
        distributed.init_process_group(
            "nccl" if nccl else "gloo", store=store, rank=rank, world_size=size, timeout=timeout
        )
    return Group(rank, size)
