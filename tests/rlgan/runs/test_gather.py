"""The same work on several items, in processes of their own."""

import pytest
from jobs import half_of

from rlgan.errors import RunError
from rlgan.runs.gather import gather


def test_results_come_in_the_order_of_the_items_and_all_of_it_is_shown():
    shown = []
    assert gather(half_of, {"c": 6, "a": 2, "b": 4}, 2, shown.append) == [3, 1, 2]
    assert shown[-1] >= 0.5
    assert all(0 <= share <= 1 for share in shown)


def test_what_fails_is_named_with_the_reason():
    with pytest.raises(RunError, match="b: it has no half"):
        gather(half_of, {"a": 2, "b": None}, 1, lambda _: None)
