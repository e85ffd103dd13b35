"""What the engine raises."""
