"""Made by `python -m reprise.store.definitions`."""

from reprise.store.statement import Form, LargeColumn, Statement

INSERT = Statement(
    sqlite=Form(
        'INSERT INTO run_details (run_id, details_wire) VALUES (?, ?)'
    ),
)

INSERT_PART = Statement(
    sqlite=Form(
        'INSERT INTO run_details_parts (id, run_id, first_task_id, details_wire) VALUES (?, ?, ?, ?)'
    ),
)

PARTS = Statement(
    sqlite=Form(
        'SELECT run_details_parts.id, length(run_details_parts.details_wire) AS length_1 \n'
        'FROM run_details_parts \n'
        'WHERE run_details_parts.run_id = ? ORDER BY run_details_parts.first_task_id'
    ),
)

IS_PART = Statement(
    sqlite=Form(
        'SELECT run_details_parts.id \n'
        'FROM run_details_parts \n'
        'WHERE run_details_parts.id = ? AND run_details_parts.run_id = ?'
    ),
)

PART_OF = Statement(
    sqlite=Form(
        'SELECT run_details_parts.id, run_details_parts.first_task_id \n'
        'FROM run_details_parts \n'
        'WHERE run_details_parts.run_id = ? AND run_details_parts.first_task_id <= ? ORDER BY run_details_parts.first_task_id DESC\n'
        ' LIMIT ? OFFSET ?'
        , (0, 1, 2, 3), (1, 0)
    ),
)

PARTS_FROM = Statement(
    sqlite=Form(
        'SELECT run_details_parts.id, run_details_parts.first_task_id \n'
        'FROM run_details_parts \n'
        'WHERE run_details_parts.run_id = ? AND run_details_parts.first_task_id > ? ORDER BY run_details_parts.first_task_id\n'
        ' LIMIT ? OFFSET ?'
        , (0, 1, 2, 3), (2, 0)
    ),
)

WHOLE = Statement(
    sqlite=Form(
        'SELECT run_details.run_id \n'
        'FROM run_details \n'
        'WHERE run_details.run_id = ?'
    ),
)

WHOLE_WIRE = LargeColumn(table='run_details', name='details_wire')

PART_WIRE = LargeColumn(table='run_details_parts', name='details_wire')
