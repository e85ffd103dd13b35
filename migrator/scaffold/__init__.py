"""A new project around the engine: `create()`, and the files it writes."""
