"""Made by `python -m reprise.store.definitions`."""

from reprise.store.statement import Form, Statement

GET = Statement(
    sqlite=Form(
        'SELECT cache_entries."key", cache_entries.run_id, cache_entries.task_id, cache_entries.record, cache_entries.created_ns, cache_entries.task, cache_entries.component \n'
        'FROM cache_entries \n'
        'WHERE cache_entries.project = ? AND cache_entries.pipeline_name = ? AND cache_entries."key" = ?'
    ),
)

GET_MARK = Statement(
    sqlite=Form(
        'SELECT cache_entries.run_id, cache_entries.task_id \n'
        'FROM cache_entries \n'
        'WHERE cache_entries.project = ? AND cache_entries.pipeline_name = ? AND cache_entries."key" = ?'
    ),
)

GET_KEYS = Statement(
    sqlite=Form(
        'SELECT cache_entries."key" \n'
        'FROM cache_entries \n'
        'WHERE cache_entries.project = ? AND cache_entries.pipeline_name = ?'
    ),
)

GET_OF_COMPONENT = Statement(
    sqlite=Form(
        'SELECT cache_entries."key", cache_entries.run_id, cache_entries.task_id, cache_entries.record, cache_entries.created_ns, cache_entries.task, cache_entries.component \n'
        'FROM cache_entries \n'
        'WHERE cache_entries.project = ? AND cache_entries.pipeline_name = ? AND cache_entries.component = ? ORDER BY cache_entries.created_ns DESC\n'
        ' LIMIT ? OFFSET ?'
        , (0, 1, 2, 3, 4), (0,)
    ),
)

DROP = Statement(
    sqlite=Form(
        'DELETE FROM cache_entries WHERE cache_entries.project = ? AND cache_entries.pipeline_name = ? AND cache_entries."key" = ?'
    ),
)

INSERT = Statement(
    sqlite=Form(
        'INSERT INTO cache_entries (project, pipeline_name, "key", run_id, task_id, created_ns, record, task, component) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)'
    ),
)

LIST_ALL = Statement(
    sqlite=Form(
        'SELECT cache_entries.pipeline_name, cache_entries."key", cache_entries.run_id, cache_entries.task_id, cache_entries.record, cache_entries.created_ns, cache_entries.task, cache_entries.component, runs.location, runs.job_id \n'
        'FROM cache_entries JOIN runs ON runs.id = cache_entries.run_id \n'
        'WHERE cache_entries.project = ? AND (cache_entries.pipeline_name, cache_entries.task, cache_entries."key") > (?, ?, ?) AND cache_entries.created_ns < ? ORDER BY cache_entries.pipeline_name, cache_entries.task, cache_entries."key"\n'
        ' LIMIT ? OFFSET ?'
        , (0, 1, 2, 3, 4, 5, 6), (0,)
    ),
)

LIST_PIPELINE = Statement(
    sqlite=Form(
        'SELECT cache_entries.pipeline_name, cache_entries."key", cache_entries.run_id, cache_entries.task_id, cache_entries.record, cache_entries.created_ns, cache_entries.task, cache_entries.component, runs.location, runs.job_id \n'
        'FROM cache_entries JOIN runs ON runs.id = cache_entries.run_id \n'
        'WHERE cache_entries.project = ? AND cache_entries.pipeline_name = ? AND (cache_entries.pipeline_name, cache_entries.task, cache_entries."key") > (?, ?, ?) AND cache_entries.created_ns < ? ORDER BY cache_entries.pipeline_name, cache_entries.task, cache_entries."key"\n'
        ' LIMIT ? OFFSET ?'
        , (0, 1, 2, 3, 4, 5, 6, 7), (0,)
    ),
)

LIST_TASK = Statement(
    sqlite=Form(
        'SELECT cache_entries.pipeline_name, cache_entries."key", cache_entries.run_id, cache_entries.task_id, cache_entries.record, cache_entries.created_ns, cache_entries.task, cache_entries.component, runs.location, runs.job_id \n'
        'FROM cache_entries JOIN runs ON runs.id = cache_entries.run_id \n'
        'WHERE cache_entries.project = ? AND cache_entries.pipeline_name = ? AND cache_entries.task = ? AND (cache_entries.pipeline_name, cache_entries.task, cache_entries."key") > (?, ?, ?) AND cache_entries.created_ns < ? ORDER BY cache_entries.pipeline_name, cache_entries.task, cache_entries."key"\n'
        ' LIMIT ? OFFSET ?'
        , (0, 1, 2, 3, 4, 5, 6, 7, 8), (0,)
    ),
)

DROP_ALL = Statement(
    sqlite=Form(
        'DELETE FROM cache_entries WHERE cache_entries.project = ? AND cache_entries.created_ns < ?'
    ),
)

DROP_PIPELINE = Statement(
    sqlite=Form(
        'DELETE FROM cache_entries WHERE cache_entries.project = ? AND cache_entries.pipeline_name = ? AND cache_entries.created_ns < ?'
    ),
)

DROP_TASK = Statement(
    sqlite=Form(
        'DELETE FROM cache_entries WHERE cache_entries.project = ? AND cache_entries.pipeline_name = ? AND cache_entries.task = ? AND cache_entries.created_ns < ?'
    ),
)
