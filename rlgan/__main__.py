"""`python -m rlgan`: the same as the command `rlgan`."""

from rlgan.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
