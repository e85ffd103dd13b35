"""The revision files, and the log of what ran."""
