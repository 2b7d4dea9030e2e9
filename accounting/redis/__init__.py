"""Redis: how it is found, and how this process sees it."""
