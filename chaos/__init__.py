"""Fault runs: a seeded nemesis over the running system, then a check of the invariants I1 to I9."""
