"""What is special to PostgreSQL: locks, sessions, poolers, concurrent indexes."""
