"""Sets the environment variables that Ray reads when it is imported, and imports it.

Modules take `ray` from here, before anything else of Ray (ruff's import order in pyproject.toml sees to that).
"""

import os


def set_variables() -> None:
    """Set the environment variables of Ray; what the person has set stays.

    Example:
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, {"RAY_ADDRESS": "", "RAY_USAGE_STATS_ENABLED": "1"}):
        ...     set_variables()
        ...     "RAY_ADDRESS" in os.environ, os.environ["RAY_USAGE_STATS_ENABLED"]
        (False, '1')
    """
    if os.environ.get("RAY_ADDRESS") in (None, "", "local"):
        # An empty address would make Ray look for any cluster that runs on this machine.
        os.environ.pop("RAY_ADDRESS", None)
        # A local Ray listens on all interfaces. With this variable, which is meant for other systems, it binds to
        # loopback.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # Under `uv run` Ray would pack the current directory, data and all, for workers on the same disk.
        os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    # An actor without GPUs must not see any. This is Ray's coming default; it warns until one is chosen.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")


set_variables()

import ray  # noqa: E402 - it reads the variables when it is imported

__all__ = ["ray", "set_variables"]
