"""SQL: text to statements, statements to operations, in the dialects of PostgreSQL, SQLite, MySQL and SQL Server."""
