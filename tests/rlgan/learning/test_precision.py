"""What --precision rounds, and what it leaves float32."""

import contextlib

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from training import CPU, draws_of, train

from rlgan.learning.precision import BF16, FLOAT32, TF32, OutputLayer
from rlgan.settings import updated
from rlgan.text.task import TextTask


def _allowed():
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(("precision", "due"), [(FLOAT32, False), (TF32, True), (BF16, True)])
def test_tf32_is_allowed_within_alone_whatever_happens_there(precision, due):
    before = _allowed()
    with contextlib.suppress(KeyError), precision.on_gpu():
        assert _allowed() == (due, due)
        raise KeyError
    assert _allowed() == before


def test_an_output_layer_in_bf16_rounds_the_factors_and_the_result_and_nothing_else():
    torch.manual_seed(0)
    layer, values = OutputLayer(200, 50, BF16), torch.randn(30, 200)
    found, states, weight, bias = (each.detach() for each in (layer(values), values, layer.weight, layer.bias))
    rounded = [each.bfloat16().double() for each in (states, weight, bias)]
    exact = rounded[0] @ rounded[1].t() + rounded[2]
    # bfloat16 has 8 bits of mantissa: the result is off by half of the last at most, the sum by float32's rounding.
    assert ((found - exact).abs() <= exact.abs() * 2**-8 + 1e-5).all()
    assert (found.dtype, weight.dtype) == (torch.float32, torch.float32)
    assert not torch.equal(found, states @ weight.t() + bias)


@pytest.mark.parametrize("changes", [{}, {"estimator": "all_tokens", "discriminator_form": "structured"}])
def test_training_in_bf16_keeps_float32_states_and_its_bits_after_a_resume(task, changes):
    task = task(layout="windows", precision="bf16", lag=1, entropy_bonus=0.1, **changes)
    half, straight = train(task, 2), train(task, 4)
    resumed = task.learner(CPU)
    resumed.load_state_dict(half.state_dict(), 2)
    train(task, 4, resumed, first=2)
    for group, tensors in resumed.state_dict().items():
        for name, tensor in tensors.items():
            assert tensor.dtype == np.float32, f"{group} {name}"
            np.testing.assert_array_equal(tensor, straight.state_dict()[group][name])


class _ManyProducts(TorchDispatchMode):
    """Notes the shapes of products that are made one for each sequence."""

    def __init__(self):
        super().__init__()
        self.shapes = []

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        if function.overloadpacket is torch.ops.aten.bmm:
            self.shapes.append([tuple(each.shape) for each in arguments])
        return function(*arguments, **(options or {}))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"estimator": "all_tokens"},
        {"estimator": "all_tokens", "discriminator_form": "structured", "negatives": "both"},
    ],
)
def test_a_step_in_bf16_multiplies_with_all_words_once_and_not_for_each_sequence(task, changes):
    """Of a state that is not laid out in rows torch would copy the weights of all words for every sequence."""
    small = task(layout="windows", precision="bf16", **changes)
    learner = small.learner(CPU)
    draws = draws_of(small, learner.weights(), 0)
    with _ManyProducts() as products:
        learner.update(0, small.schedule.plan(0), draws)
    assert not [shapes for shapes in products.shapes if small.settings.corpus.vocab_size in shapes[1]], products.shapes


@pytest.mark.parametrize("core", ["gru", "cnn"])
def test_a_step_in_bf16_is_that_in_float32_but_for_some_hundredths(task, core):
    small = task(layout="windows", generator_core=core, discriminator_core=core)
    draws = draws_of(small, small.learner(CPU).weights(), 0)
    gradients = []
    for precision in ("float32", "bf16"):
        learner = TextTask(updated(small.settings, {"precision": precision}), small.corpus).learner(CPU)
        learner.update(0, small.schedule.plan(0), draws)
        parameters = [*learner.networks["generator"].parameters(), *learner.networks["discriminator"].parameters()]
        gradients.append(torch.cat([each.grad.flatten() for each in parameters]))
    difference = (gradients[1] - gradients[0]).norm() / gradients[0].norm()
    assert 0 < difference < 0.05


def test_evaluations_of_a_run_in_bf16_are_those_of_its_weights_in_float32(task):
    kinds = {name: task(layout="windows", precision=name) for name in ("float32", "bf16")}
    weights = kinds["bf16"].learner(CPU).evaluated_weights()
    found = {name: kind.evaluator(CPU).evaluate(weights).metrics for name, kind in kinds.items()}
    assert found["bf16"] == found["float32"]


def test_tf32_has_the_bits_of_float32_on_a_cpu_and_says_so(task):
    states = [train(task(layout="windows", precision=name), 2).weights() for name in ("float32", "tf32")]
    for name, tensor in states[0].generator.items():
        np.testing.assert_array_equal(tensor, states[1].generator[name])
    assert (
        "matrices are multiplied in TF32 on a GPU; on a CPU, which has none, in float32"
        in task(precision="tf32").facts.about
    )
