"""Programs that start at once, because an interpreter with the libraries is there already."""
