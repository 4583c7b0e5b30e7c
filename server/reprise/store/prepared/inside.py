"""Made by `python -m reprise.store.definitions`."""

from reprise.store.statement import Form, Statement

GET_ENDED = Statement(
    sqlite=Form(
        'SELECT runs.id, CASE WHEN (length(blob_bytes.bytes) <= 65536) THEN blob_bytes.bytes ELSE NULL END AS anon_1, CASE WHEN (length(run_details.details_wire) <= 65536) THEN run_details.details_wire ELSE NULL END AS anon_2 \n'
        'FROM runs JOIN run_details ON run_details.run_id = runs.id JOIN blobs ON blobs.digest = runs.spec_digest JOIN blob_bytes ON blob_bytes.id = blobs.id \n'
        'WHERE runs.project = ? AND runs.location = ? AND runs.job_id = ?'
    ),
)

GET = Statement(
    sqlite=Form(
        'SELECT runs.id, runs.project, runs.location, runs.job_id, runs.display_name, runs.state, runs.pipeline_name, runs.labels, runs.spec_digest, runs.created_ns, runs.updated_ns, runs.started_ns, runs.ended_ns, runs.error_code, runs.error_message, runs.original_id, runs.original_name, runs.template_uri, runs.schedule_name, runs.fence, runs.owner, runs.warnings, run_payloads.header_wire, CASE WHEN (length(blob_bytes.bytes) <= 65536) THEN blob_bytes.bytes ELSE NULL END AS anon_1, run_details.run_id \n'
        'FROM runs JOIN run_payloads ON runs.id = run_payloads.run_id JOIN blobs ON blobs.digest = runs.spec_digest JOIN blob_bytes ON blob_bytes.id = blobs.id LEFT OUTER JOIN run_details ON run_details.run_id = runs.id \n'
        'WHERE runs.project = ? AND runs.location = ? AND runs.job_id = ?'
    ),
)
