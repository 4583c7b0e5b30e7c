"""Made by `python -m reprise.store.definitions`."""

from reprise.store.statement import Form, Statement

INSERT_TASKS = Statement(
    sqlite=Form(
        'INSERT INTO task_entries (run_id, segment, number, tasks, records) VALUES (?, ?, ?, ?, ?)'
    ),
)

INSERT_ATTEMPTS = Statement(
    sqlite=Form(
        'INSERT INTO attempt_entries (run_id, segment, number, attempts) VALUES (?, ?, ?, ?)'
    ),
)

TASKS = Statement(
    sqlite=Form(
        'SELECT task_entries.tasks, task_entries.records \n'
        'FROM task_entries \n'
        'WHERE task_entries.run_id = ? ORDER BY task_entries.segment, task_entries.number'
    ),
)

TASKS_OF_SEGMENT = Statement(
    sqlite=Form(
        'SELECT task_entries.tasks, task_entries.records \n'
        'FROM task_entries \n'
        'WHERE task_entries.run_id = ? AND task_entries.segment = ? ORDER BY task_entries.number'
    ),
)

SEGMENTS_FROM = Statement(
    sqlite=Form(
        'SELECT task_segments.segment \n'
        'FROM task_segments \n'
        'WHERE task_segments.run_id = ? AND task_segments.segment >= ? ORDER BY task_segments.segment\n'
        ' LIMIT ? OFFSET ?'
        , (0, 1, 2, 3), (0,)
    ),
)

ATTEMPTS = Statement(
    sqlite=Form(
        'SELECT attempt_entries.attempts \n'
        'FROM attempt_entries \n'
        'WHERE attempt_entries.run_id = ? ORDER BY attempt_entries.segment, attempt_entries.number'
    ),
)

ATTEMPTS_OF_SEGMENT = Statement(
    sqlite=Form(
        'SELECT attempt_entries.attempts \n'
        'FROM attempt_entries \n'
        'WHERE attempt_entries.run_id = ? AND attempt_entries.segment = ? ORDER BY attempt_entries.number'
    ),
)
