"""How the command line refuses."""


def assert_refused(code, errors, due, *parts):
    """Check that there is one line, with these parts, this exit code, and no traceback."""
    assert code == due, errors
    (line,) = errors.splitlines()
    assert line.startswith("rlgan: error: ")
    for part in parts:
        assert part in line
