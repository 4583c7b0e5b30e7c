"""Made by `python -m reprise.store.definitions`."""

from reprise.store.statement import Form, Statement

LOCK = Statement(
    sqlite=Form(
        'SELECT runs.state, runs.fence, runs.event_seq, runs.started_ns, runs.error_code, runs.error_message, runs.project, runs.pipeline_name \n'
        'FROM runs \n'
        'WHERE runs.id = ?'
    ),
)

UPDATE_RUN = Statement(
    sqlite=Form(
        'UPDATE runs SET state=?, updated_ns=?, started_ns=?, error_code=?, error_message=?, event_seq=? WHERE runs.id = ? AND runs.fence = ?'
    ),
)

END_RUN = Statement(
    sqlite=Form(
        'UPDATE runs SET ended_ns=?, records_digest=?, owner=?, lease_until_ns=? WHERE runs.id = ? AND runs.fence = ?'
        , (0, 1, 4, 5, 2, 3), ('', 0)
    ),
)
