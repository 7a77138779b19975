"""What can be changed: services, environments, targets and what runs there."""
