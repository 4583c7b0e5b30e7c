"""The Rust core: a pure function of its bytes. Only reprise.plan imports it."""

def plan(request: bytes) -> bytes:
    """engine.RunRequest to engine.PlanResult. What is wrong with the request is told inside, never raised."""

def check(request: bytes, wants_digest: bool) -> bytes:
    """The same without `tasks`, and without `digest` unless wanted; reads little where a rerun changes nothing."""

def render(launch: bytes, context: bytes) -> bytes:
    """engine.Launch and engine.RenderContext to engine.Rendered; ValueError if the bytes are no such messages."""

def job_detail(records: bytes, outputs: bytes, run_name: str, run_id: int) -> bytes:
    """engine.TaskRecords and engine.Values to the fields of the public API's PipelineJobDetail.

    Errors: ValueError if the bytes are no such messages.
    """

class Run:
    """The deterministic state machine of one run."""

    def __new__(cls, request: bytes) -> Run:
        """The machine of an engine.RunRequest; ValueError if anything is wrong with it."""

    def advance(self, events: bytes) -> bytes:
        """engine.Events to engine.Decisions; the first call starts the run. Atomic; safe from any thread."""

def digest_paths(paths: list[str]) -> list[tuple[str, str] | None]:
    """Per path (file or folder): (digest, fingerprint) of its content; None where nothing is there.

    Errors: OSError.
    """

def fingerprint_paths(paths: list[str]) -> list[str | None]:
    """Per path: a mark that changes when it is written to; None where nothing is there. Errors: OSError."""
