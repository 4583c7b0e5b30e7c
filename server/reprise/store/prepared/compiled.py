"""Made by `python -m reprise.store.definitions`."""

from reprise.store.statement import Form, LargeColumn, Statement

LOCK = Statement(
    sqlite=Form(
        'SELECT runs.state, run_compiled.run_id \n'
        'FROM runs LEFT OUTER JOIN run_compiled ON run_compiled.run_id = runs.id \n'
        'WHERE runs.id = ?'
    ),
)

INSERT = Statement(
    sqlite=Form(
        'INSERT INTO run_compiled (run_id, graph, labels) VALUES (?, ?, ?)'
    ),
)

GET = Statement(
    sqlite=Form(
        'SELECT runs.id, runs.project, runs.location, runs.job_id, runs.display_name, runs.state, runs.pipeline_name, runs.labels, runs.spec_digest, runs.created_ns, runs.updated_ns, runs.started_ns, runs.ended_ns, runs.error_code, runs.error_message, runs.original_id, runs.original_name, runs.template_uri, runs.schedule_name, runs.fence, runs.owner, runs.warnings, run_payloads.header_wire, run_payloads.request, runs.records_digest, run_compiled.run_id \n'
        'FROM runs JOIN run_payloads ON runs.id = run_payloads.run_id LEFT OUTER JOIN run_compiled ON run_compiled.run_id = runs.id \n'
        'WHERE runs.id = ?'
    ),
)

IS_THERE = Statement(
    sqlite=Form(
        'SELECT run_compiled.run_id \n'
        'FROM run_compiled \n'
        'WHERE run_compiled.run_id = ?'
    ),
)

GRAPH = LargeColumn(table='run_compiled', name='graph')

LABELS = LargeColumn(table='run_compiled', name='labels')
