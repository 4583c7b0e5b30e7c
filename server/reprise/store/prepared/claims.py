"""Made by `python -m reprise.store.definitions`."""

from reprise.store.statement import Form, Statement

FREE = Statement(
    sqlite=Form(
        'SELECT runs.id \n'
        'FROM runs \n'
        'WHERE state IN (1, 2, 3, 6) AND runs.lease_until_ns <= ? ORDER BY runs.id\n'
        ' LIMIT ? OFFSET ?'
        , (0, 1, 2), (0,)
    ),
)

IS_ANY_FREE = Statement(
    sqlite=Form(
        'SELECT runs.id \n'
        'FROM runs \n'
        'WHERE state IN (1, 2, 3, 6) AND runs.lease_until_ns <= ?\n'
        ' LIMIT ? OFFSET ?'
        , (0, 1, 2), (1, 0)
    ),
)

CLAIM = Statement(
    sqlite=Form(
        'UPDATE runs SET fence=(runs.fence + ?), owner=?, lease_until_ns=? WHERE runs.id = ?'
        , (3, 0, 1, 2), (1,)
    ),
)

GET_CLAIMED = Statement(
    sqlite=Form(
        'SELECT runs.id, runs.project, runs.location, runs.job_id, runs.display_name, runs.state, runs.pipeline_name, runs.labels, runs.spec_digest, runs.created_ns, runs.updated_ns, runs.started_ns, runs.ended_ns, runs.error_code, runs.error_message, runs.original_id, runs.original_name, runs.template_uri, runs.schedule_name, runs.fence, runs.owner, runs.warnings, run_payloads.header_wire, run_payloads.request, runs.original_records_digest \n'
        'FROM runs JOIN run_payloads ON runs.id = run_payloads.run_id \n'
        'WHERE runs.id = ?'
    ),
)

RENEW = Statement(
    sqlite=Form(
        'UPDATE runs SET lease_until_ns=? WHERE state IN (1, 2, 3, 6) AND runs.owner = ?'
    ),
)

OWNED = Statement(
    sqlite=Form(
        'SELECT runs.id, runs.state \n'
        'FROM runs \n'
        'WHERE state IN (1, 2, 3, 6) AND runs.owner = ? ORDER BY runs.id'
    ),
)

RELEASE = Statement(
    sqlite=Form(
        'UPDATE runs SET owner=?, lease_until_ns=? WHERE state IN (1, 2, 3, 6) AND runs.id = ? AND runs.fence = ?'
        , (2, 3, 0, 1), ('', 0)
    ),
)

HAS_LEASES = Statement(
    sqlite=Form(
        'SELECT runs.id \n'
        'FROM runs \n'
        'WHERE state IN (1, 2, 3, 6) AND runs.lease_until_ns > ?\n'
        ' LIMIT ? OFFSET ?'
        , (0, 1, 2), (0, 1, 0)
    ),
)

FREE_ALL = Statement(
    sqlite=Form(
        'UPDATE runs SET lease_until_ns=? WHERE state IN (1, 2, 3, 6)'
        , (0,), (0,)
    ),
)
