"""What every app shares and no app owns: refusals, the actor, canonical bytes, locks. No tables."""
