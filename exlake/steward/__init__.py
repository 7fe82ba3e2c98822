"""What stewards do: ask for decisions, approve, revoke and list them."""
