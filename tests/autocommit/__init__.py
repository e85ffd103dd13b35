"""What an `autocommit_block()` is said to have done, and what it has done."""
