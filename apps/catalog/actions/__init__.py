"""The durable verbs about services, environments and targets, by what they are about."""

from apps.catalog.actions.environments import change_environment, create_environment, retire_environment
from apps.catalog.actions.service import (
    change_service,
    create_service,
    end_ownership,
    end_service_role,
    give_service_role,
    retire_service,
    start_ownership,
)
from apps.catalog.actions.targets import adopt_version, create_target, lock_target, unlock_target, write_target_settings

__all__ = [
    "adopt_version",
    "change_environment",
    "change_service",
    "create_environment",
    "create_service",
    "create_target",
    "end_ownership",
    "end_service_role",
    "give_service_role",
    "lock_target",
    "retire_environment",
    "retire_service",
    "start_ownership",
    "unlock_target",
    "write_target_settings",
]
