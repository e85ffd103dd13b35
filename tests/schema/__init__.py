"""Reading schemas, comparing them, and replaying a history to know one."""
