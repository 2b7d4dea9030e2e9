"""The audit trail: chains, seals, and what verifies them."""
