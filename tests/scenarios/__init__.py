"""Folders of revisions with the databases that they begin with: a behaviour each."""
