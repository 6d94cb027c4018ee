"""A real history replayed through the engine, commit by commit, and scored against labels made another way."""
