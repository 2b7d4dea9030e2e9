"""Settings: read, checked, or refused in one sentence."""
