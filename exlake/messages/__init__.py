"""Messages of changes: what became blocked, held, late, or recovered, told once."""
