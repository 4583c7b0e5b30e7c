"""Made by `python -m reprise.store.definitions`."""
