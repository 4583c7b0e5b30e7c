"""What the statements of the store are, in SQLAlchemy Core: one text for every database.

    python -m reprise.store.definitions            # makes store/prepared from these modules, after any change of one
    python -m reprise.store.definitions --check    # says whether it is current, as a test does

Invariant: a server that only runs what is written here loads none of it: it runs `store.prepared`.
"""
