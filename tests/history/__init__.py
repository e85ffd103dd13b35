"""Revision files, the log, and whether the two agree with the database."""
