"""What proves what became of each job: chains over its events, seals over all, and what verifies both."""
