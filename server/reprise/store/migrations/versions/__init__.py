"""Named v<version>_<what>.py; `down_revision` is the version before. There is no way back: restore a copy."""
