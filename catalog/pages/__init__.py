"""The pages: one for every product, an index with search, and the coverage of the standards."""
