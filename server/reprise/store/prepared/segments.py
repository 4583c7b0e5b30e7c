"""Made by `python -m reprise.store.definitions`."""

from reprise.store.statement import Form, Statement

GET = Statement(
    sqlite=Form(
        'SELECT task_segments.segment, task_segments.entries, task_segments.states, task_segments.attempt_states, task_segments.attempt_numbers, task_segments.attempt_fences \n'
        'FROM task_segments \n'
        'WHERE task_segments.run_id = ? AND task_segments.segment IN (__[POSTCOMPILE_ids])'
    ),
)

GET_BETWEEN = Statement(
    sqlite=Form(
        'SELECT task_segments.segment, task_segments.entries, task_segments.states, task_segments.attempt_states, task_segments.attempt_numbers, task_segments.attempt_fences \n'
        'FROM task_segments \n'
        'WHERE task_segments.run_id = ? AND task_segments.segment >= ? AND task_segments.segment <= ?'
    ),
)

GET_ALL = Statement(
    sqlite=Form(
        'SELECT task_segments.segment, task_segments.attempt_states, task_segments.attempt_numbers \n'
        'FROM task_segments \n'
        'WHERE task_segments.run_id = ? ORDER BY task_segments.segment'
    ),
)

INSERT = Statement(
    sqlite=Form(
        'INSERT INTO task_segments (run_id, segment, entries, states, attempt_states, attempt_numbers, attempt_fences) VALUES (?, ?, ?, ?, ?, ?, ?)'
    ),
)

UPDATE = Statement(
    sqlite=Form(
        'UPDATE task_segments SET entries=?, states=?, attempt_states=?, attempt_numbers=?, attempt_fences=? WHERE task_segments.run_id = ? AND task_segments.segment = ?'
    ),
)

DROP_SEGMENTS = Statement(
    sqlite=Form(
        'DELETE FROM task_segments WHERE task_segments.run_id = ?'
    ),
)

DROP_TASKS = Statement(
    sqlite=Form(
        'DELETE FROM task_entries WHERE task_entries.run_id = ?'
    ),
)
