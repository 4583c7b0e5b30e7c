"""Made by `python -m reprise.store.definitions`."""

from reprise.store.statement import Form, LargeColumn, Statement

GET_BLOB = Statement(
    sqlite=Form(
        'SELECT blobs.id, CASE WHEN (length(blob_bytes.bytes) <= 65536) THEN blob_bytes.bytes ELSE NULL END AS anon_1 \n'
        'FROM blobs JOIN blob_bytes ON blob_bytes.id = blobs.id \n'
        'WHERE blobs.digest = ?'
    ),
)

COUNT_UP = Statement(
    sqlite=Form(
        'UPDATE blobs SET reference_count=(blobs.reference_count + ?) WHERE blobs.digest = ?'
        , (1, 0), (1,)
    ),
)

COUNT_DOWN = Statement(
    sqlite=Form(
        'UPDATE blobs SET reference_count=(blobs.reference_count - ?) WHERE blobs.digest = ?'
        , (1, 0), (1,)
    ),
)

DROP_UNREFERENCED = Statement(
    sqlite=Form(
        'DELETE FROM blobs WHERE blobs.digest = ? AND blobs.reference_count <= ? RETURNING id'
        , (0, 1), (0,)
    ),
)

DROP_BYTES = Statement(
    sqlite=Form(
        'DELETE FROM blob_bytes WHERE blob_bytes.id = ?'
    ),
)

INSERT_BLOB = Statement(
    sqlite=Form(
        'INSERT INTO blobs (digest, id, reference_count) VALUES (?, ?, ?)'
    ),
)

INSERT_BYTES = Statement(
    sqlite=Form(
        'INSERT INTO blob_bytes (id, bytes) VALUES (?, ?)'
    ),
)

INSERT_FILE = Statement(
    sqlite=Form(
        'INSERT INTO file_references (path, run_id) VALUES (?, ?)'
    ),
)

GET_FILES = Statement(
    sqlite=Form(
        'SELECT file_references.path \n'
        'FROM file_references \n'
        'WHERE file_references.run_id = ? ORDER BY file_references.path'
    ),
)

DROP_FILES = Statement(
    sqlite=Form(
        'DELETE FROM file_references WHERE file_references.run_id = ?'
    ),
)

IS_REFERENCED = Statement(
    sqlite=Form(
        'SELECT ? AS anon_1 \n'
        'WHERE EXISTS (SELECT * \n'
        'FROM file_references \n'
        'WHERE file_references.path = ?)'
        , (1, 0), (1,)
    ),
)

IS_OF_PROJECT = Statement(
    sqlite=Form(
        'SELECT file_references.run_id \n'
        'FROM file_references JOIN runs ON runs.id = file_references.run_id \n'
        'WHERE file_references.path = ? AND runs.project = ?\n'
        ' LIMIT ? OFFSET ?'
        , (0, 1, 2, 3), (1, 0)
    ),
)

IS_GARBAGE = Statement(
    sqlite=Form(
        'SELECT garbage.id \n'
        'FROM garbage \n'
        'WHERE garbage.path = ?'
    ),
)

INSERT_GARBAGE = Statement(
    sqlite=Form(
        'INSERT INTO garbage (id, path) VALUES (?, ?)'
    ),
)

GET_GARBAGE = Statement(
    sqlite=Form(
        'SELECT garbage.id, garbage.path \n'
        'FROM garbage ORDER BY garbage.id\n'
        ' LIMIT ? OFFSET ?'
        , (0, 1), (0,)
    ),
)

DROP_GARBAGE = Statement(
    sqlite=Form(
        'DELETE FROM garbage WHERE garbage.id = ?'
    ),
)

BYTES = LargeColumn(table='blob_bytes', name='bytes')
