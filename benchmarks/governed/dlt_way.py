"""dlt loads the orders into DuckDB under its schema contract; runs in an environment of its own.

``python dlt_way.py FILE.csv HOME`` prints JSON like ``paths``. It imports nothing of this project.
"""

import json
import sys
import time
from pathlib import Path

import dlt
import pyarrow as pa
from pyarrow import csv

TYPES = {
    "order_id": pa.int64(), "trade_date": pa.string(), "order_time": pa.timestamp("us"),
    "contract_id": pa.string(), "member_id": pa.string(), "client_id": pa.string(),
    "side": pa.string(), "offset": pa.string(), "order_type": pa.string(),
    "price": pa.decimal128(18, 4), "lots": pa.int32(),
}  # fmt: skip


def main() -> None:
    """Load one file; a value that does not fit its type stops the load."""
    path, home = sys.argv[1], Path(sys.argv[2])
    home.mkdir(parents=True, exist_ok=True)

    @dlt.resource(
        name="bench_order",
        write_disposition="replace",
        schema_contract={"tables": "evolve", "columns": "freeze", "data_type": "freeze"},
        columns={"order_id": {"nullable": False, "unique": True}},
    )
    def orders():
        options = csv.ConvertOptions(column_types=TYPES)
        with csv.open_csv(path, convert_options=options) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])

    pipeline = dlt.pipeline(
        "bench", destination=dlt.destinations.duckdb(str(home / "dlt.duckdb")),
        dataset_name="silver", pipelines_dir=str(home / "pipelines"),
    )  # fmt: skip
    began = time.perf_counter()
    pipeline.run(orders(), loader_file_format="parquet")
    seconds = time.perf_counter() - began
    with pipeline.sql_client() as client:
        rows = client.execute_sql("SELECT count(*) FROM bench_order")[0][0]
    print(json.dumps({"phases": {"load": round(seconds, 2)}, "rows": rows}))


main()
