"""Made by `python -m reprise.store.definitions`."""

from reprise.store.statement import Form, Statement

GET_RUN = Statement(
    sqlite=Form(
        'SELECT runs.id, runs.project, runs.location, runs.job_id, runs.display_name, runs.state, runs.pipeline_name, runs.labels, runs.spec_digest, runs.created_ns, runs.updated_ns, runs.started_ns, runs.ended_ns, runs.error_code, runs.error_message, runs.original_id, runs.original_name, runs.template_uri, runs.schedule_name, runs.fence, runs.owner, runs.warnings, run_payloads.header_wire \n'
        'FROM runs JOIN run_payloads ON runs.id = run_payloads.run_id \n'
        'WHERE runs.project = ? AND runs.location = ? AND runs.job_id = ?'
    ),
)

GET_RUN_BY_ID = Statement(
    sqlite=Form(
        'SELECT runs.id, runs.project, runs.location, runs.job_id, runs.display_name, runs.state, runs.pipeline_name, runs.labels, runs.spec_digest, runs.created_ns, runs.updated_ns, runs.started_ns, runs.ended_ns, runs.error_code, runs.error_message, runs.original_id, runs.original_name, runs.template_uri, runs.schedule_name, runs.fence, runs.owner, runs.warnings, run_payloads.header_wire \n'
        'FROM runs JOIN run_payloads ON runs.id = run_payloads.run_id \n'
        'WHERE runs.id = ?'
    ),
)

GET_ID = Statement(
    sqlite=Form(
        'SELECT runs.id \n'
        'FROM runs \n'
        'WHERE runs.project = ? AND runs.location = ? AND runs.job_id = ?'
    ),
)

GET_ORIGINAL = Statement(
    sqlite=Form(
        'SELECT runs.id, runs.project, runs.location, runs.job_id, runs.display_name, runs.state, runs.pipeline_name, runs.labels, runs.spec_digest, runs.created_ns, runs.updated_ns, runs.started_ns, runs.ended_ns, runs.error_code, runs.error_message, runs.original_id, runs.original_name, runs.template_uri, runs.schedule_name, runs.fence, runs.owner, runs.warnings, run_payloads.header_wire, run_payloads.request, coalesce(runs.records_digest, runs.original_records_digest) AS coalesce_1, CASE WHEN (runs.records_digest IS NULL) THEN runs.original_records_id ELSE ? END AS anon_1, CASE WHEN (runs.records_digest IS NULL) THEN runs.original_records_name ELSE ? END AS anon_2 \n'
        'FROM runs JOIN run_payloads ON runs.id = run_payloads.run_id \n'
        'WHERE runs.id = ?'
        , (1, 2, 0), (0, '')
    ),
)

LOCK_ORIGINAL = Statement(
    sqlite=Form(
        'SELECT runs.project, runs.location, runs.job_id, runs.state, runs.spec_digest, coalesce(runs.records_digest, runs.original_records_digest) AS coalesce_1, CASE WHEN (runs.records_digest IS NULL) THEN runs.original_records_id ELSE ? END AS anon_1, CASE WHEN (runs.records_digest IS NULL) THEN runs.original_records_name ELSE ? END AS anon_2 \n'
        'FROM runs \n'
        'WHERE runs.id = ?'
        , (1, 2, 0), (0, '')
    ),
)

LOCK_SOURCE = Statement(
    sqlite=Form(
        'SELECT runs.id \n'
        'FROM runs \n'
        'WHERE runs.id = ?'
    ),
)

GET_FINGERPRINT = Statement(
    sqlite=Form(
        'SELECT runs.fingerprint \n'
        'FROM runs \n'
        'WHERE runs.project = ? AND runs.location = ? AND runs.job_id = ?'
    ),
)

GET_REQUEST_ID = Statement(
    sqlite=Form(
        'SELECT request_ids.fingerprint, request_ids.run_id \n'
        'FROM request_ids \n'
        'WHERE request_ids.project = ? AND request_ids.location = ? AND request_ids.request_id = ?'
    ),
)

INSERT_RUN = Statement(
    sqlite=Form(
        'INSERT INTO runs (id, project, location, job_id, state, display_name, pipeline_name, labels, warnings, template_uri, schedule_name, created_ns, updated_ns, started_ns, ended_ns, error_code, error_message, spec_digest, original_id, original_name, original_spec_digest, original_records_digest, original_records_id, original_records_name, records_digest, fingerprint, fence, owner, lease_until_ns, event_seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'
    ),
)

INSERT_PAYLOAD = Statement(
    sqlite=Form(
        'INSERT INTO run_payloads (run_id, header_wire, request) VALUES (?, ?, ?)'
    ),
)

INSERT_LABEL = Statement(
    sqlite=Form(
        'INSERT INTO run_labels (run_id, "key", value, project, location, created_ns) VALUES (?, ?, ?, ?, ?, ?)'
    ),
)

INSERT_REQUEST_ID = Statement(
    sqlite=Form(
        'INSERT INTO request_ids (project, location, request_id, fingerprint, run_id, created_ns) VALUES (?, ?, ?, ?, ?, ?)'
    ),
)

INSERT_EVENT = Statement(
    sqlite=Form(
        'INSERT INTO events (run_id, seq, at_ns, changes) VALUES (?, ?, ?, ?)'
    ),
)
