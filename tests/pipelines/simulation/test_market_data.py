"""With real prices the simulated market trades inside the real day."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from delivered import SEED, read, trade_dates

from pipelines.simulation.market_data import MarketDataError, load_real_prices
from pipelines.simulation.world import simulate

SHARED = Path(os.environ.get("EXLAKE_SHARED", Path(__file__).resolve().parents[4] / "shared"))
needs_shared = pytest.mark.skipif(
    not (SHARED / "data").is_dir(), reason="needs the shared real data (EXLAKE_SHARED)"
)


@needs_shared
def test_main_contracts_follow_the_real_day(tmp_path: Path) -> None:
    """Highs, lows and closes of liquid main contracts are near the real returns of the date."""
    simulate(tmp_path / "inbox", trade_dates(2), SEED, "small", market_data=SHARED / "data")
    real = load_real_prices(SHARED / "data")
    gaps = []
    for day in (date(2026, 1, 5), date(2026, 1, 6)):
        prices = read(tmp_path, "settlement", f"{day:%Y%m%d}").set_index("contract_id")
        for name in ("cu", "rb", "ag", "ni", "fu"):
            own = prices[prices.commodity_id == name]
            main = own.loc[own.volume_lots.idxmax()]
            bar = real.daily[name, day]
            for column, value in (("high_price", bar.high), ("low_price", bar.low)):
                gaps.append(abs(np.log(main[column] / main.prev_settlement_price) - value))
    assert np.median(gaps) < 0.006


def test_a_folder_without_prices_is_refused(tmp_path: Path) -> None:
    """The error names what is missing, and nothing is written."""
    with pytest.raises(MarketDataError):
        simulate(tmp_path / "inbox", trade_dates(1), SEED, "tiny", market_data=tmp_path)
    assert not (tmp_path / "inbox").exists()
