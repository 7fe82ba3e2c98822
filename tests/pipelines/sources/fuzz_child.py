"""One process of harmed files, under limits of memory and time: ``python -m … fuzz_child``.

Arguments: folder (specimens, made beforehand), first number, how many. Each number names one
mutation for good: run again with that number and 1 to see it alone. Without how many, the specimens
are read as they are. Prints one JSON line: what was counted, every broken promise, and the
process's largest size in bytes.
"""

from __future__ import annotations

import json
import random
import re
import resource
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

from contracts.load import load_catalogue
from pipelines.sources.errors import DeliveryError, MalformedFileError
from tests.pipelines.sources.mutations import harmed
from tests.pipelines.sources.plain import candidates, plain_rows, read_through, rows_of, same

MEMORY = 2 << 30
SECONDS = 20
"""Of the processor, so that a busy machine changes nothing."""
_PLACE = re.compile(r"(record|byte|line|row|character|column|document|page|file) ?[0-9]*")


class TooLongError(BaseException):
    """One file took longer than ``SECONDS``."""


def _stop(number: int, frame: FrameType | None) -> None:
    raise TooLongError


def main(folder: Path, first: int, count: int | None) -> int:
    """Harm, read, compare."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGPROF, _stop)
    catalogue = load_catalogue()
    names = json.loads((folder / "names.json").read_text())
    fitting = {name: candidates(catalogue, name) for name in names}
    counted: Counter[str] = Counter()
    broken: list[str] = []
    harm = folder / f"harmed-{first}"
    for number in range(first, first + (len(names) if count is None else count)):
        chance = random.Random(number)
        place = number if count is None else chance.randrange(len(names))
        name, path, data, how = names[place], folder / str(place), b"", "as it is"
        if count is not None:
            data, how = harmed(path.read_bytes(), chance)
            path = harm
            path.write_bytes(data)
        # A process that is killed cannot say what killed it.
        (folder / f"now-{first}").write_text(f"{number} {name} {how}")
        try:
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            if count is None:
                read_through(path, name, fitting[name])
            else:
                match, encoding, rows = rows_of(path, name, fitting[name])
                signal.setitimer(signal.ITIMER_PROF, 0)
                expected = plain_rows(data, encoding or "utf-8", match)
                if expected is not None and not same(rows, expected, match):
                    broken.append(f"{number} {name} {how}: {len(rows)} rows, not {len(expected)}")
            counted["read"] += 1
        except DeliveryError as error:
            counted[error.code] += 1
            if error.file != name or not error.next_step or error.code == "delivery":
                broken.append(f"{number} {name} {how}: {error} says too little")
            if isinstance(error, MalformedFileError) and not _PLACE.search(error.reason):
                broken.append(f"{number} {name} {how}: no position in {error.reason!r}")
        except TooLongError:
            broken.append(f"{number} {name} {how}: more than {SECONDS} s")
        except Exception as error:  # every other exception is the finding
            broken.append(f"{number} {name} {how}: {type(error).__name__}: {error}"[:300])
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"counted": counted, "broken": broken, "largest": largest}))
    return 1 if broken else 0


if __name__ == "__main__":
    number, *many = (int(text) for text in sys.argv[2:])
    sys.exit(main(Path(sys.argv[1]), number, many[0] if many else None))
