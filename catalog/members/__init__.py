"""Member profiles for readers: questions to a published file, evidence queries, pages."""
