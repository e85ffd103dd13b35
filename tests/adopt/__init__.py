"""Legacy databases: stamp, adopt, bridges and baselines."""
