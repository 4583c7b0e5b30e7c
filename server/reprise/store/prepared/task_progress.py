"""Made by `python -m reprise.store.definitions`."""

from reprise.store.statement import Form, Statement

GET_STATES = Statement(
    sqlite=Form(
        'SELECT tasks.task_id, tasks.state \n'
        'FROM tasks \n'
        'WHERE tasks.run_id = ? AND tasks.task_id IN (__[POSTCOMPILE_ids])'
    ),
)

GET_STATES_BETWEEN = Statement(
    sqlite=Form(
        'SELECT tasks.task_id, tasks.state \n'
        'FROM tasks \n'
        'WHERE tasks.run_id = ? AND tasks.task_id >= ? AND tasks.task_id <= ?'
    ),
)

GET_PATH = Statement(
    sqlite=Form(
        'SELECT tasks.path \n'
        'FROM tasks \n'
        'WHERE tasks.run_id = ? AND tasks.task_id = ?'
    ),
)

INSERT_TASK = Statement(
    sqlite=Form(
        'INSERT INTO tasks (run_id, task_id, path, state, record) VALUES (?, ?, ?, ?, ?)'
    ),
)

UPDATE_TASK = Statement(
    sqlite=Form(
        'UPDATE tasks SET state=?, record=? WHERE tasks.run_id = ? AND tasks.task_id = ?'
    ),
)

GET_ATTEMPTS = Statement(
    sqlite=Form(
        'SELECT attempts.task_id, attempts.number, attempts.state, attempts.fence \n'
        'FROM attempts \n'
        'WHERE attempts.run_id = ? AND attempts.task_id IN (__[POSTCOMPILE_ids])'
    ),
)

GET_ATTEMPTS_BETWEEN = Statement(
    sqlite=Form(
        'SELECT attempts.task_id, attempts.number, attempts.state, attempts.fence \n'
        'FROM attempts \n'
        'WHERE attempts.run_id = ? AND attempts.task_id >= ? AND attempts.task_id <= ?'
    ),
)

INSERT_ATTEMPT = Statement(
    sqlite=Form(
        'INSERT INTO attempts (run_id, task_id, number, state, executor, handle, started_ns, ended_ns, is_counted, exit, fence, path) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'
    ),
)

UPDATE_ATTEMPT = Statement(
    sqlite=Form(
        'UPDATE attempts SET state=?, executor=?, handle=?, started_ns=?, ended_ns=?, is_counted=?, exit=? WHERE attempts.run_id = ? AND attempts.task_id = ? AND attempts.number = ?'
    ),
)
