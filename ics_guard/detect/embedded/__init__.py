"""DDL in program text and other text files."""
