"""Made by `python -m reprise.store.definitions`."""

from reprise.store.statement import Form, Statement

GET = Statement(
    sqlite=Form(
        'SELECT runs.id, runs.project, runs.location, runs.job_id, runs.display_name, runs.state, runs.pipeline_name, runs.labels, runs.spec_digest, runs.created_ns, runs.updated_ns, runs.started_ns, runs.ended_ns, runs.error_code, runs.error_message, runs.original_id, runs.original_name, runs.template_uri, runs.schedule_name, runs.fence, runs.owner, runs.warnings, run_payloads.header_wire, runs.records_digest, runs.original_spec_digest, runs.original_records_digest, runs.original_records_name \n'
        'FROM runs JOIN run_payloads ON runs.id = run_payloads.run_id \n'
        'WHERE runs.project = ? AND runs.location = ? AND runs.job_id = ?'
    ),
)
