"""Made by `python -m reprise.store.definitions`."""

from reprise.store.statement import Form, Statement

INSERT_LISTING = Statement(
    sqlite=Form(
        'INSERT INTO listings (id, created_ns, arguments, run_ids) VALUES (?, ?, ?, ?)'
    ),
)

DROP_OLD = Statement(
    sqlite=Form(
        'DELETE FROM listings WHERE listings.created_ns < ? OR listings.id <= (SELECT listings_1.id \n'
        'FROM listings AS listings_1 ORDER BY listings_1.id DESC\n'
        ' LIMIT ? OFFSET ?)'
        , (0, 2, 1), (1,)
    ),
)

GET_LISTING = Statement(
    sqlite=Form(
        'SELECT listings.arguments, listings.run_ids \n'
        'FROM listings \n'
        'WHERE listings.id = ?'
    ),
)

NEWEST = Statement(
    sqlite=Form(
        'SELECT runs.created_ns, runs.id \n'
        'FROM runs \n'
        'WHERE runs.project = ? AND runs.location = ? ORDER BY runs.created_ns DESC, runs.id DESC\n'
        ' LIMIT ? OFFSET ?'
        , (0, 1, 2, 3), (0,)
    ),
)

OLDER = Statement(
    sqlite=Form(
        'SELECT runs.created_ns, runs.id \n'
        'FROM runs \n'
        'WHERE runs.project = ? AND runs.location = ? AND (runs.created_ns, runs.id) < (?, ?) ORDER BY runs.created_ns DESC, runs.id DESC\n'
        ' LIMIT ? OFFSET ?'
        , (0, 1, 2, 3, 4, 5), (0,)
    ),
)

OLDEST = Statement(
    sqlite=Form(
        'SELECT runs.created_ns, runs.id \n'
        'FROM runs \n'
        'WHERE runs.project = ? AND runs.location = ? ORDER BY runs.created_ns ASC, runs.id ASC\n'
        ' LIMIT ? OFFSET ?'
        , (0, 1, 2, 3), (0,)
    ),
)

NEWER = Statement(
    sqlite=Form(
        'SELECT runs.created_ns, runs.id \n'
        'FROM runs \n'
        'WHERE runs.project = ? AND runs.location = ? AND (runs.created_ns, runs.id) > (?, ?) ORDER BY runs.created_ns ASC, runs.id ASC\n'
        ' LIMIT ? OFFSET ?'
        , (0, 1, 2, 3, 4, 5), (0,)
    ),
)

BY_IDS = Statement(
    sqlite=Form(
        'SELECT runs.id, runs.project, runs.location, runs.job_id, runs.display_name, runs.state, runs.pipeline_name, runs.labels, runs.spec_digest, runs.created_ns, runs.updated_ns, runs.started_ns, runs.ended_ns, runs.error_code, runs.error_message, runs.original_id, runs.original_name, runs.template_uri, runs.schedule_name, runs.fence, runs.owner, runs.warnings, run_payloads.header_wire \n'
        'FROM runs JOIN run_payloads ON runs.id = run_payloads.run_id \n'
        'WHERE runs.id IN (__[POSTCOMPILE_ids])'
    ),
)
