"""The object stores that this server can speak to: which scheme needs which driver, made when it is first used.

Invariant: naming a scheme imports nothing; the drivers, which take a second to import, are loaded by the first
artifact that needs them.
"""

from __future__ import annotations

import importlib.util
import json
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reprise.domain.errors import Unavailable

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

StorageOptions = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Driver:
    """`protocol` is fsspec's name of it, `package` the one that brings it ("": fsspec itself)."""

    protocol: str
    package: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    needs: str = ""  # an option without which the scheme means nothing


# A store that does not answer is to be told from one that is slow while a caller still waits.
_S3_PATIENCE = {"config_kwargs": {"connect_timeout": 5, "retries": {"max_attempts": 2}}}
_DRIVERS: Mapping[str, Driver] = {
    "s3": Driver("s3", "s3fs", _S3_PATIENCE),
    "minio": Driver("s3", "s3fs", _S3_PATIENCE, needs="endpoint_url"),
    "gs": Driver("gs", "gcsfs"),
    "abfs": Driver("abfs", "adlfs"),
    "az": Driver("az", "adlfs"),
    "memory": Driver("memory"),
}
# Compiled pipelines often name a bucket of their author's: without these it is not this server's to write to.
_GOOGLE_CREDENTIALS = ("GOOGLE_APPLICATION_CREDENTIALS", "STORAGE_EMULATOR_HOST")
_GOOGLE_CREDENTIALS_FILE = "~/.config/gcloud/application_default_credentials.json"
_LOADED_BY = {"s3fs": "s3fs", "gcsfs": "gcsfs", "adlfs": "adlfs", "": "fsspec"}
_IN_THE_EXTRA = ("s3fs", "gcsfs")


def scheme_of(uri: str) -> str:
    """ "" for a plain path."""
    scheme, separator, _ = uri.partition("://")
    return scheme.lower() if separator else ""


class FileSystems:
    """The file systems of one server, one for each scheme. For any thread."""

    def __init__(self, options: StorageOptions | None = None) -> None:
        """`options`: what the driver of a scheme is made with, beside what it takes from its own environment."""
        self._options = options or {}
        self._made: dict[str, AbstractFileSystem] = {}
        self._making = threading.Lock()

    def problem(self, uri: str) -> str:
        """Why there is no file system for the URI; "": there is one."""
        scheme = scheme_of(uri)
        driver = _DRIVERS.get(scheme)
        if driver is None:
            known = ", ".join(f"{name}://" for name in _DRIVERS)
            return f"{uri!r}: this server knows no store for {scheme}:// (it knows file://, {known})"
        if importlib.util.find_spec(_LOADED_BY[driver.package]) is None:
            extra = " (or 'reprise-pipelines[objects]')" if driver.package in _IN_THE_EXTRA else ""
            return (
                f"{uri!r}: {scheme}:// takes the package {driver.package!r}{extra}, which this server lacks"
            )
        if driver.needs and driver.needs not in self._options.get(scheme, {}):
            return f"{uri!r}: {scheme}:// takes --storage-option {scheme}.{driver.needs}=VALUE"
        if scheme == "gs" and "gs" not in self._options and not _has_google_credentials():
            return (
                f"{uri!r}: gs:// takes credentials, in GOOGLE_APPLICATION_CREDENTIALS or by --storage-option "
                "gs.token=VALUE (cloud on a machine of Google's, anon for none)"
            )
        return ""

    def of(self, uri: str) -> AbstractFileSystem:
        """Errors: Unavailable, also where the driver cannot be made with its options."""
        if problem := self.problem(uri):
            raise Unavailable(problem)
        scheme = scheme_of(uri)
        with self._making:
            if scheme not in self._made:
                self._made[scheme] = self._make(scheme, _DRIVERS[scheme])
            return self._made[scheme]

    def _make(self, scheme: str, driver: Driver) -> AbstractFileSystem:
        import fsspec

        options = {**driver.defaults, **self._options.get(scheme, {})}
        try:
            # A listing that somebody remembers would hide what has changed since.
            return fsspec.filesystem(
                driver.protocol, skip_instance_cache=True, use_listings_cache=False, **options
            )
        except Exception as error:
            raise Unavailable(f"the driver of {scheme}:// cannot be made: {_said(error)}") from error


def path_in_store(uri: str) -> str:
    """Bucket and key, as every driver takes them."""
    return uri.partition("://")[2].rstrip("/")


def unreachable(uri: str, what: str, error: BaseException) -> Unavailable:
    """What is raised for any fault of a store but that nothing is there."""
    return Unavailable(f"{uri} {what}: {_said(error)}")


def parse_storage_options(assignments: Iterable[str]) -> dict[str, dict[str, Any]]:
    """`s3.client_kwargs.region_name=x` and the like, by scheme. Values are JSON where they can be read as such.

    Errors: ValueError naming the assignment.
    """
    options: dict[str, dict[str, Any]] = {}
    for assignment in assignments:
        name, separator, text = assignment.partition("=")
        keys = name.split(".")
        if not separator or len(keys) < 2 or not all(keys):
            raise ValueError(
                f"{assignment!r}: expected SCHEME.OPTION=VALUE, such as s3.endpoint_url=http://…"
            )
        if keys[0] not in _DRIVERS:
            raise ValueError(f"{assignment!r}: {keys[0]!r} is none of {', '.join(_DRIVERS)}")
        inner = options
        for key in keys[:-1]:
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                raise ValueError(f"{assignment!r}: {key!r} has a value already")
        try:
            inner[keys[-1]] = json.loads(text)
        except ValueError:
            inner[keys[-1]] = text  # type: ignore[assignment]
    return options


def _has_google_credentials() -> bool:
    is_named = any(os.environ.get(name) for name in _GOOGLE_CREDENTIALS)
    return is_named or Path(_GOOGLE_CREDENTIALS_FILE).expanduser().exists()


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
