"""Pages of agreement: policies and what is proposed for them, absence and who stands in."""
