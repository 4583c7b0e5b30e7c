"""Made by `python -m reprise.store.definitions`."""

from reprise.store.statement import Form, Statement

LOCK = Statement(
    sqlite=Form(
        'SELECT runs.state, runs.spec_digest, runs.original_spec_digest, runs.original_records_digest, runs.records_digest \n'
        'FROM runs \n'
        'WHERE runs.id = ?'
    ),
)

DELETE = Statement(
    sqlite=Form(
        'DELETE FROM runs WHERE runs.id = ?'
    ),
)
