"""Made by `python -m reprise.store.definitions`."""

from reprise.store.statement import Form, Statement

HOLDING = Statement(
    sqlite=Form(
        'SELECT attempt_entries.attempts \n'
        'FROM attempt_entries \n'
        'WHERE attempt_entries.run_id = ? AND instr(attempt_entries.attempts, ?) > 0'
    ),
)

OF_ACTIVE_RUNS = Statement(
    sqlite=Form(
        'SELECT runs.id, attempt_entries.attempts \n'
        'FROM runs JOIN attempt_entries ON attempt_entries.run_id = runs.id \n'
        'WHERE runs.state IN (1, 2, 3, 6) ORDER BY runs.id, attempt_entries.segment, attempt_entries.number'
    ),
)
