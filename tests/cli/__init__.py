"""The command line: its commands, its answers to bad input, its fast path."""
