"""What exists, where it came from, who may see it."""
