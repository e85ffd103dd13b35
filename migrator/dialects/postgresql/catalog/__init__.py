"""What the database keeps of its schema, read whole: each object in words that can be compared."""
