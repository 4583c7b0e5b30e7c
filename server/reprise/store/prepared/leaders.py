"""Made by `python -m reprise.store.definitions`."""

from reprise.store.statement import Form, Statement

GET_LEADER = Statement(
    sqlite=Form(
        'SELECT cache_leaders.run_id, cache_leaders.task_id \n'
        'FROM cache_leaders JOIN runs ON runs.id = cache_leaders.run_id \n'
        'WHERE cache_leaders.project = ? AND cache_leaders.pipeline_name = ? AND cache_leaders."key" = ? AND runs.state = ? AND runs.lease_until_ns > ?'
        , (0, 1, 2, 4, 3), (3,)
    ),
)

DROP = Statement(
    sqlite=Form(
        'DELETE FROM cache_leaders WHERE cache_leaders.project = ? AND cache_leaders.pipeline_name = ? AND cache_leaders."key" = ?'
    ),
)

INSERT = Statement(
    sqlite=Form(
        'INSERT INTO cache_leaders (project, pipeline_name, key, run_id, task_id) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING'
    ),
)

RELEASE = Statement(
    sqlite=Form(
        'DELETE FROM cache_leaders WHERE cache_leaders.run_id = ? AND cache_leaders.task_id = ?'
    ),
)

RELEASE_RUN = Statement(
    sqlite=Form(
        'DELETE FROM cache_leaders WHERE cache_leaders.run_id = ?'
    ),
)
