"""Long work, one bounded step at a time: `run_step` chooses it, does it outside any transaction, and writes back what came of it."""

from apps.deployments.runner.stepping import run_step

__all__ = ["run_step"]
