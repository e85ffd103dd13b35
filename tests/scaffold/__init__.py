"""The example's own models and revisions. Whoever copies the scaffold replaces these tests."""
