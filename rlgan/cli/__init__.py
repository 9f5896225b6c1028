"""The command line."""

from rlgan.cli.main import main

__all__ = ["main"]
