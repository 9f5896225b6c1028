from rlgan.rng import Purpose, stream


def test_the_same_key_gives_the_same_numbers():
    assert stream(3, Purpose.ROLLOUT, 1, 2).random() == stream(3, Purpose.ROLLOUT, 1, 2).random()


def test_keys_that_differ_in_anything_give_other_numbers():
    keys = [
        (0, Purpose.REAL), (0, Purpose.REAL, 0), (0, Purpose.REAL, 0, 0), (1, Purpose.REAL), (0, Purpose.ROLLOUT, 0),
        (0, Purpose.REAL, 1), (0, Purpose.REAL, 0, 1), (2**40, Purpose.REAL), (2**40, Purpose.REAL, 0),
    ]  # fmt: skip
    assert len({stream(*key).random() for key in keys}) == len(keys)
