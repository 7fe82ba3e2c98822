"""The simulated exchange: a deterministic world that writes only delivery files."""
