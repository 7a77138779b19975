"""Measured claims: ratios inside interleaved rounds, because absolute times belong to one machine on one day."""
