"""What can be wrong with the storage that tables lie in, beside the home."""

from __future__ import annotations

from typing import ClassVar

from contracts.errors import TerminalError, TransientError


class StorageKeysError(TerminalError):
    """Raised when tables are in object storage and the environment holds no keys to it."""

    code: ClassVar[str] = "storage-keys"

    def __init__(self, *names: str) -> None:
        super().__init__(
            "the tables are in object storage, and there are no keys to it in the environment.",
            next_step=f"Set {' and '.join(names)} where exlake (or Airflow) is started.",
        )


class StorageUnavailableError(TransientError):
    """Raised when the object storage does not answer, or says that it cannot now."""

    code: ClassVar[str] = "storage-unavailable"

    def __init__(self, uri: str, said: str) -> None:
        self.uri = uri
        super().__init__(
            f"{uri} does not answer: {said}",
            next_step="Look whether EXLAKE_S3_ENDPOINT is up and right, and run again.",
        )


class StorageRefusedError(TerminalError):
    """Raised when the object storage refuses: keys, rights, or a bucket that is not there."""

    code: ClassVar[str] = "storage-refused"

    def __init__(self, uri: str, said: str) -> None:
        self.uri = uri
        super().__init__(
            f"{uri} cannot be used: {said}",
            next_step="Correct EXLAKE_TABLES, EXLAKE_S3_ENDPOINT, EXLAKE_S3_REGION or the keys;"
            " make the bucket. `exlake doctor` tries them.",
        )


class TablesElsewhereError(TerminalError):
    """Raised when the lake's tables are not where the settings say they are."""

    code: ClassVar[str] = "tables-elsewhere"

    def __init__(self, noted: str, asked: str) -> None:
        self.noted, self.asked = noted, asked
        super().__init__(
            f"the tables of this lake are in {noted}, and the settings say {asked}.",
            next_step="Set EXLAKE_TABLES as it was (unset it for the home). To move tables, copy"
            " all of them and correct tables.json in the home while nothing runs.",
        )


class TablesTakenError(TerminalError):
    """Raised when a new lake's tables would lie where something lies already."""

    code: ClassVar[str] = "tables-taken"

    def __init__(self, root: str) -> None:
        self.root = root
        super().__init__(
            f"this lake is new, and {root} is not empty: another lake's tables may be there.",
            next_step="Name a prefix of its own (EXLAKE_TABLES), or that lake's EXLAKE_HOME.",
        )


class TablesNotInHomeError(TerminalError):
    """Raised when a command that keeps the home's files would leave the tables out."""

    code: ClassVar[str] = "tables-not-in-home"

    def __init__(self, root: str) -> None:
        self.root = root
        super().__init__(
            f"the tables are in {root}: a copy of the home would not hold them.",
            next_step="Keep them by the store's own means (versioning, replication) and copy the"
            " home while nothing runs: docs/operations.md.",
        )
