"""Pure functions from a contract to what other engines read: Spark, GX, DuckDB, Markdown."""
