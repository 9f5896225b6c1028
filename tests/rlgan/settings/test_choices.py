from rlgan.settings import imported_objects, resolve


def test_only_what_a_stranger_wrote_is_sent_to_other_processes():
    for name in ("envs.rewards:limited", "rlgan.text.losses:policy_gradient", "math:sqrt"):
        resolve(name, {})
    assert "math:sqrt" in imported_objects()
    assert not [name for name in imported_objects() if name.startswith(("envs", "rlgan"))]
