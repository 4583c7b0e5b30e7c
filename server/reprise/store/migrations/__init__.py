"""The schema's history: one file for each version, never changed once released."""
