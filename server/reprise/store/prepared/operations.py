"""Made by `python -m reprise.store.definitions`."""

from reprise.store.statement import Form, Statement

GET = Statement(
    sqlite=Form(
        'SELECT operations.id, operations.project, operations.location, operations.kind, operations.party, operations.is_done, operations.created_ns, operations.updated_ns, operations.error_code, operations.error_message \n'
        'FROM operations \n'
        'WHERE operations.id = ? AND operations.project = ? AND operations.location = ?'
    ),
)

LOCK = Statement(
    sqlite=Form(
        'SELECT operations.is_done \n'
        'FROM operations \n'
        'WHERE operations.id = ?'
    ),
)

LIST = Statement(
    sqlite=Form(
        'SELECT operations.id, operations.project, operations.location, operations.kind, operations.party, operations.is_done, operations.created_ns, operations.updated_ns, operations.error_code, operations.error_message \n'
        'FROM operations \n'
        'WHERE operations.project = ? AND operations.location = ? AND operations.id < ? ORDER BY operations.id DESC\n'
        ' LIMIT ? OFFSET ?'
        , (0, 1, 2, 3, 4), (0,)
    ),
)

GET_TARGETS = Statement(
    sqlite=Form(
        'SELECT operation_targets.name, operation_targets.run_id, operation_targets.outcome, operation_targets.state, operation_targets.snapshot \n'
        'FROM operation_targets \n'
        'WHERE operation_targets.operation_id = ? ORDER BY operation_targets.position'
    ),
)

INSERT = Statement(
    sqlite=Form(
        'INSERT INTO operations (id, project, location, kind, party, is_done, created_ns, updated_ns, error_code, error_message) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'
    ),
)

INSERT_TARGET = Statement(
    sqlite=Form(
        'INSERT INTO operation_targets (operation_id, position, name, run_id, outcome, state, snapshot) VALUES (?, ?, ?, ?, ?, ?, ?)'
    ),
)

DELETE = Statement(
    sqlite=Form(
        'DELETE FROM operations WHERE operations.id = ? AND operations.project = ? AND operations.location = ?'
    ),
)

WAITING_FOR = Statement(
    sqlite=Form(
        'SELECT DISTINCT operation_targets.operation_id \n'
        'FROM operation_targets \n'
        "WHERE operation_targets.run_id = ? AND outcome = 'pending' ORDER BY operation_targets.operation_id"
    ),
)

END_TARGET = Statement(
    sqlite=Form(
        "UPDATE operation_targets SET outcome=?, state=?, snapshot=? WHERE operation_targets.operation_id = ? AND operation_targets.run_id = ? AND outcome = 'pending'"
    ),
)

HAS_PENDING = Statement(
    sqlite=Form(
        'SELECT ? AS anon_1 \n'
        'WHERE EXISTS (SELECT * \n'
        'FROM operation_targets \n'
        "WHERE operation_targets.operation_id = ? AND outcome = 'pending')"
        , (1, 0), (1,)
    ),
)

END = Statement(
    sqlite=Form(
        'UPDATE operations SET is_done=?, updated_ns=? WHERE operations.id = ?'
        , (2, 0, 1), (1,)
    ),
)
