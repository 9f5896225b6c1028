"""Paths as a person would type them."""

import os
import sys
from pathlib import Path

from rlgan.settings import pasteable


def beside_python(program: str) -> str:
    """A program that was installed with this Python, as one would type it here."""
    path = Path(sys.executable).parent / program
    try:
        relative = os.path.relpath(path)
    except FileNotFoundError:  # of a job Ray has taken the working directory away by now
        return pasteable(path)
    return pasteable(path if relative.startswith("..") else relative)
