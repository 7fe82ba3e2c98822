"""What a commit says of itself: the authority from which ledgers are repaired."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from pipelines.engine.rows import IntervalRow, ResultRow


@dataclass(frozen=True)
class CommitMetadata:
    """Run, batch and the ledger rows of exactly the intervals this commit replaced."""

    run_id: str
    batch_id: str
    product: str
    intervals: tuple[IntervalRow, ...]
    results: tuple[ResultRow, ...]


_ADAPTER: TypeAdapter[CommitMetadata] = TypeAdapter(CommitMetadata)


def dump(metadata: CommitMetadata) -> str:
    """Write the metadata as JSON text (evidence of table rules stays in the result ledger)."""
    lean = replace(
        metadata,
        results=tuple(replace(result, evidence=None, inputs=()) for result in metadata.results),
    )
    return _ADAPTER.dump_json(lean, exclude_defaults=True).decode()


def load(text: str | None) -> CommitMetadata | None:
    """Read the metadata back; None for a commit that no run of ours wrote (maintenance)."""
    if not text or '"batch_id"' not in text:
        return None
    return _ADAPTER.validate_json(text)
