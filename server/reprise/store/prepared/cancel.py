"""Made by `python -m reprise.store.definitions`."""

from reprise.store.statement import Form, Statement

LOCK_BY_NAME = Statement(
    sqlite=Form(
        'SELECT runs.id, runs.state, runs.event_seq \n'
        'FROM runs \n'
        'WHERE runs.project = ? AND runs.location = ? AND runs.job_id = ?'
    ),
)

START_CANCELLING = Statement(
    sqlite=Form(
        'UPDATE runs SET state=?, updated_ns=?, event_seq=(runs.event_seq + ?) WHERE runs.id = ?'
        , (2, 0, 3, 1), (6, 1)
    ),
)

END_CANCELLED = Statement(
    sqlite=Form(
        'UPDATE runs SET state=?, updated_ns=?, ended_ns=?, error_code=?, error_message=?, fence=(runs.fence + ?), owner=?, lease_until_ns=?, event_seq=(runs.event_seq + ?) WHERE runs.id = ?'
        , (2, 0, 0, 3, 4, 5, 6, 7, 8, 1), (7, 1, 'cancelled', 1, '', 0, 1)
    ),
)

INSERT_DETAILS = Statement(
    sqlite=Form(
        'INSERT INTO run_details (run_id, details_wire) VALUES (?, ?)'
    ),
)
