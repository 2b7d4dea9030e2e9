"""Faults caused for real, and what is right then: `docs/reliability.md` has the map."""
