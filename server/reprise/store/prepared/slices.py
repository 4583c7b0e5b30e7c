"""Made by `python -m reprise.store.definitions`."""

from reprise.store.statement import Form, Statement

CHANGES_AFTER = Statement(
    sqlite=Form(
        'SELECT events.seq, events.at_ns, events.changes \n'
        'FROM events \n'
        'WHERE events.run_id = ? AND events.seq > ? ORDER BY events.seq\n'
        ' LIMIT ? OFFSET ?'
        , (0, 1, 2, 3), (0,)
    ),
)
