"""What is installed, on which versions it runs, and the projects that `scaffold` makes."""
