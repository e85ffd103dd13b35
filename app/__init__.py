"""The application: its models, and how it opens its database."""
