"""The tests: real databases, real processes."""
