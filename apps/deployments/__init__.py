"""Orders to bring a version to a target: leases, drivers, checks, rollback."""
