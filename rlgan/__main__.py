"""`python -m rlgan`: the same as the command `rlgan`."""

import contextlib
import os
import sys

if __name__ == "__main__":
    # With `-m`, Python searches the current directory first, and a folder `envs/` there, which many projects have,
    # would take the place of ours. The command `rlgan` does not; what a typed name needs is searched there last. A
    # clone that is not installed is the exception: there, the current directory is where this very package comes from.
    with contextlib.suppress(OSError):  # the current directory may be gone
        if sys.path[0] == os.getcwd() != os.path.dirname(os.path.dirname(os.path.realpath(__file__))):
            del sys.path[0]

    from rlgan.cli import main

    raise SystemExit(main())
