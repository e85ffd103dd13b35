"""A run: atomic steps, the lock, kills, races, and every door that leads to it."""
