"""Paths as a person would type them."""

import os
import shutil

from rlgan.engine.processes import installed
from rlgan.settings import pasteable


def beside_python(program: str) -> str:
    """A program that was installed with this Python, as one would type it here."""
    path = installed(program)
    if shutil.which(program) == str(path):  # as where the environment is activated
        return program
    try:
        relative = os.path.relpath(path)
    except FileNotFoundError:  # of a job Ray has taken the working directory away by now
        return pasteable(path)
    return pasteable(path if relative.startswith("..") else relative)
