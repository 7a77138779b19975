"""Who must agree and who did: policies, rules, sign-offs, quorum."""
