import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy import special

from envs import REWARD_RULES, limited, reward_rule
from envs.arrays import namespace

CLOSED_FORMS = {  # of the log-odds after the token and before it
    "probability": lambda x, _: 1 / (1 + math.exp(-x)),
    "log_probability": lambda x, _: -math.log1p(math.exp(-x)),
    "centred": lambda x, _: 2 / (1 + math.exp(-x)) - 1,
    "log_odds": lambda x, _: x,
    "density_ratio": lambda x, _: min(math.exp(x), math.exp(5)),
    "token_ratio": lambda x, b: min(math.exp(x) / math.exp(b), math.exp(2)),
}
SCIPY = {
    "probability": lambda x, _: special.expit(x),
    "log_probability": lambda x, _: special.log_expit(x),
    "centred": lambda x, _: 2 * special.expit(x) - 1,
    "log_odds": lambda x, _: x,
    "density_ratio": lambda x, _: np.exp(x).clip(max=np.exp(5)),
    "token_ratio": lambda x, b: np.exp(x - b).clip(max=np.exp(2)),
}
TORCH = {
    "probability": lambda x, _: torch.sigmoid(x),
    "log_probability": lambda x, _: torch.nn.functional.logsigmoid(x),
    "centred": lambda x, _: 2 * torch.sigmoid(x) - 1,
    "log_odds": lambda x, _: x,
    "density_ratio": lambda x, _: x.exp().clamp(max=math.exp(5)),
    "token_ratio": lambda x, b: (x - b).exp().clamp(max=math.exp(2)),
}
# What numpy was asked for before the rules knew other arrays: the bits have to stay.
NUMPY = {
    "probability": lambda x, _: np.exp(-np.logaddexp(0, -x)),
    "log_probability": lambda x, _: -np.logaddexp(0, -x),
    "centred": lambda x, _: np.tanh(x / 2),
    "log_odds": lambda x, _: x,
    "density_ratio": lambda x, _: np.exp(np.minimum(x, 5.0)),
    "token_ratio": lambda x, b: np.exp(np.minimum(x - b, 2.0)),
}
MAKERS = {"numpy": lambda values: np.array(values, np.float32), "torch": torch.tensor}


def drawn(*shape):
    return (np.random.default_rng(0).normal(size=shape) * 10).astype(np.float32)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("rule", REWARD_RULES)
def test_a_rule_is_its_closed_form_also_at_the_extremes(rule, make):
    points = [-100, -80, -17, -1, 0, 0.5, 4.9, 5.1, 17, 80, 100.0]
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        values = REWARD_RULES[rule](make(points), make([0.75] * len(points)))
    assert type(values) is type(make(points))
    assert values.dtype == make(points).dtype
    due = [CLOSED_FORMS[rule](x, 0.75) for x in points]
    # 1e-40: below it float32 has few digits left.
    np.testing.assert_allclose(np.asarray(values), due, rtol=2e-5, atol=1e-40)


@pytest.mark.parametrize("forms", [CLOSED_FORMS, SCIPY, TORCH, NUMPY])
def test_every_rule_has_a_definition_here(forms):
    assert forms.keys() == REWARD_RULES.keys()


@pytest.mark.parametrize("rule", REWARD_RULES)
def test_on_numpy_a_rule_is_scipys_function(rule):
    after, before = drawn(3, 4, 50), drawn(3, 4, 1)
    with np.errstate(over="ignore"):
        due = np.broadcast_to(SCIPY[rule](after, before), after.shape)
    np.testing.assert_allclose(REWARD_RULES[rule](after, before), due, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("rule", REWARD_RULES)
def test_on_torch_a_rule_is_torchs_function(rule):
    after, before = torch.from_numpy(drawn(3, 4, 50)), torch.from_numpy(drawn(3, 4, 1))
    torch.testing.assert_close(REWARD_RULES[rule](after, before), TORCH[rule](after, before), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("rule", REWARD_RULES)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (7, 20), (3, 4, 50)])
def test_on_numpy_the_bits_are_those_of_the_first_definition(rule, shape):
    after, before = np.asarray(drawn(*shape)), np.asarray(drawn(*shape)) / 2
    values = REWARD_RULES[rule](after, before)
    due = NUMPY[rule](after, before)
    assert (values.dtype, values.shape) == (due.dtype, due.shape)
    assert values.tobytes() == due.tobytes()


@pytest.mark.parametrize("rule", REWARD_RULES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_rule_keeps_the_data_type_and_the_device(rule, dtype):
    for device in ("cpu", "meta"):
        values = REWARD_RULES[rule](
            torch.zeros(2, 3, dtype=dtype, device=device), torch.zeros(2, 1, dtype=dtype, device=device)
        )
        assert (values.dtype, values.device.type, values.shape) == (dtype, device, (2, 3))


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("rule", REWARD_RULES)
def test_every_rule_rewards_what_looks_more_real(rule, make):
    points = make(np.linspace(-4, 1.9, 9).tolist())
    assert (np.diff(np.asarray(REWARD_RULES[rule](points, points * 0))) > 0).all()


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_limit_holds_on_both_sides_and_for_any_rule(make):
    after, before = make([-9.0, -5.0, 1.0, 7.0]), make([0.0, 0.0, 0.5, 0.0])
    np.testing.assert_array_equal(np.asarray(limited("log_odds", 5.0)(after, before)), [-5, -5, 1, 5])
    np.testing.assert_array_equal(
        np.asarray(limited(lambda x, b: x - b, 0.25)(after, before)), [-0.25, -0.25, 0.25, 0.25]
    )
    np.testing.assert_array_equal(np.asarray(limited(limited("log_odds", 5), 2)(after, before)), [-2, -2, 1, 2])


@pytest.mark.parametrize("limit", [0, -1, math.inf, math.nan])
def test_a_limit_is_a_positive_number(limit):
    with pytest.raises(ValueError, match=f"limit {limit} .* not a positive"):
        limited("log_odds", limit)


def test_a_limited_rule_survives_pickling():
    rule = pickle.loads(pickle.dumps(limited("centred", 0.5)))
    np.testing.assert_array_equal(rule(drawn(9), drawn(9)), np.tanh(drawn(9) / 2).clip(-0.5, 0.5))


def test_a_rule_is_found_by_its_name_and_a_function_is_taken_as_it_is():
    assert reward_rule("centred") is REWARD_RULES["centred"]
    assert reward_rule(max) is max
    with pytest.raises(ValueError, match=r"rule 'odds' does not exist. Choose one of: probability, .*density_ratio"):
        reward_rule("odds")


def test_the_table_is_one_wherever_it_is_imported_from():
    import envs.reward
    import envs.rewards

    assert envs.reward.REWARD_RULES is envs.rewards.REWARD_RULES is REWARD_RULES


def test_the_namespace_is_that_of_the_argument():
    class Standard:
        def __array_namespace__(self):
            return math

    assert namespace(np.zeros(2)) is namespace(np.float32(1)) is np
    assert namespace(torch.zeros(2)) is namespace(torch.nn.Parameter(torch.zeros(2))) is torch
    assert namespace(Standard()) is math
    with pytest.raises(TypeError, match="A list is neither a numpy array nor a torch tensor"):
        namespace([1.0])


def test_the_rules_work_without_torch():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np, envs\n"
        "print(envs.REWARD_RULES['probability'](np.zeros(1), np.zeros(1)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.returncode) == ("[0.5]", 0), done.stderr
