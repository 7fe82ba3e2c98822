"""Answers as files: CSV, Excel and Parquet that say where they come from, each one logged."""
