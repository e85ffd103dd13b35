"""Random histories: what a database holds after each revision is what its operations mean."""
