"""What `rlgan evaluate` prints of a text run."""

import pytest

from rlgan.text.evaluation_lines import result_lines


@pytest.mark.parametrize(("implied", "said"), [({}, ""), ({"implied_test_perplexity": 11.0}, ", D's implied 11")])
def test_a_table_says_how_likely_the_test_text_is_to_the_generator_and_to_a_structured_discriminator(implied, said):
    result = {
        "run": "runs/a", "step": 3, "test_perplexity": 12.3456, "quality": [{"temperature": 1.0, "lm_score": 2.0}],
        "quality_floor": {"lm_score": 1.0}, "quality_protocol": {},
    }  # fmt: skip
    assert f"runs/a, step 3: test perplexity 12.35{said}" in result_lines(result | implied)
