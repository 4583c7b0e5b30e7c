"""Made by `python -m reprise.store.definitions`."""

from reprise.store.statement import Form, Statement

NEXT = Statement(
    sqlite=Form(
        'UPDATE counters SET value=CASE WHEN (counters.value < ?) THEN ? ELSE counters.value + ? END WHERE counters.name = ? RETURNING value'
        , (1, 1, 2, 0), (1,)
    ),
)

RESERVE = Statement(
    sqlite=Form(
        'UPDATE counters SET value=(counters.value + ?) WHERE counters.name = ? RETURNING value'
        , (1, 0), ()
    ),
)

INSERT = Statement(
    sqlite=Form(
        'INSERT INTO counters (name, value) VALUES (?, ?)'
    ),
)
