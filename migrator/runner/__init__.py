"""One run: request, plan, guards, steps."""
