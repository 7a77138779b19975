"""Orders and what became of them; what CI carries out; what nobody declared. The row is the order; Celery only wakes somebody up."""

from apps.deployments.models.orders import Attempt, ClockTimestamp, Deployment, Executor, LogChunk, Measurement, Move, Orders
from apps.deployments.models.outside import Pipeline, Report, Settled, Undeclared

__all__ = [
    "Attempt",
    "ClockTimestamp",
    "Deployment",
    "Executor",
    "LogChunk",
    "Measurement",
    "Move",
    "Orders",
    "Pipeline",
    "Report",
    "Settled",
    "Undeclared",
]
