"""The command line: a file for each command. It knows no task by name, and imports late what is slow to import."""

from rlgan.cli.main import main

__all__ = ["main"]
