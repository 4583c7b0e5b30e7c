"""Made by `python -m reprise.store.definitions`."""

from reprise.store.statement import Form, Statement

OLD_OPERATIONS = Statement(
    sqlite=Form(
        'SELECT operations.id \n'
        'FROM operations \n'
        'WHERE operations.is_done = ? AND operations.updated_ns < ?\n'
        ' LIMIT ? OFFSET ?'
        , (2, 0, 1, 3), (1, 0)
    ),
)

DROP_OPERATION = Statement(
    sqlite=Form(
        'DELETE FROM operations WHERE operations.id = ?'
    ),
)

OLD_REQUESTS = Statement(
    sqlite=Form(
        'SELECT request_ids.project, request_ids.location, request_ids.request_id \n'
        'FROM request_ids \n'
        'WHERE request_ids.created_ns < ?\n'
        ' LIMIT ? OFFSET ?'
        , (0, 1, 2), (0,)
    ),
)

DROP_REQUEST = Statement(
    sqlite=Form(
        'DELETE FROM request_ids WHERE request_ids.project = ? AND request_ids.location = ? AND request_ids.request_id = ?'
    ),
)
