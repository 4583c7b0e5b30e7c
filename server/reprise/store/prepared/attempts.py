"""Made by `python -m reprise.store.definitions`."""

from reprise.store.statement import Form, Statement

FIND = Statement(
    sqlite=Form(
        'SELECT attempts.task_id, attempts.number, attempts.state \n'
        'FROM attempts \n'
        'WHERE attempts.run_id = ? AND (attempts.path = ? OR attempts.task_id = ?) ORDER BY attempts.path = ? DESC, attempts.number DESC'
        , (0, 1, 2, 1), ()
    ),
)

LIVING = Statement(
    sqlite=Form(
        'SELECT attempts.handle \n'
        'FROM attempts JOIN runs ON attempts.run_id = runs.id \n'
        'WHERE runs.state IN (1, 2, 3, 6) AND attempts.executor = ? AND attempts.state IN (1, 2) ORDER BY runs.id'
    ),
)
