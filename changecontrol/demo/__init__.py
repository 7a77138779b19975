"""The story of the main job, played against the running system and told as a person would tell it."""
