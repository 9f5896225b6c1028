"""A kit that checks any text environment and any scorer against what agents and reward wrappers rely on."""

from envs.checks.environment import check_text_env
from envs.checks.expect import CheckError
from envs.checks.scorer import check_scorer

__all__ = ["CheckError", "check_scorer", "check_text_env"]
