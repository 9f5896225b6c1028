"""The package `envs`, under a name that no other package can have: `import rlgan.envs`.

It is the same module: `rlgan.envs is envs`. Its modules are imported from `envs` (`envs.masks`).
"""

import sys

import envs
from envs import *  # noqa: F403 - for type checkers and editors; at run time this module is replaced

if not hasattr(envs, "TextGenerationEnv"):
    raise ImportError(f"{envs.__file__} is another package named envs, which hides rlgan's: uninstall it (pip: envs)")

sys.modules[__name__] = envs
