"""Where the seconds go is told so that they add up."""

from __future__ import annotations

import pytest

from pipelines.engine import timer as module
from pipelines.engine.timer import Timer


def test_every_second_is_in_one_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    """Phases may nest, repeat and break; together they are the time that passed inside."""
    clock = iter([0.0, 1.0, 3.0, 7.0, 20.0, 21.0, 23.0, 24.0])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    timer = Timer()
    with timer.phase("audit"), timer.phase("expectations"):  # 0 to 1, 1 to 3; then to 7
        pass
    with pytest.raises(KeyError), timer.phase("write"), timer.phase("audit"):  # 20 .. 24
        raise KeyError
    assert timer.seconds == {"audit": 1.0 + 4.0 + 2.0, "expectations": 2.0, "write": 1.0 + 1.0}
