"""Pages of the catalogue: services, environments, targets."""
