"""Errors of the command line itself."""

from __future__ import annotations

from contracts.errors import TerminalError


class PortTakenError(TerminalError):
    """Raised when something else already listens where Airflow should."""

    code = "port-taken"

    def __init__(self, port: int) -> None:
        self.port = port
        super().__init__(
            f"port {port} of 127.0.0.1 is taken by another program.",
            next_step="set EXLAKE_AIRFLOW_PORT to a free port, or stop that program.",
        )


class AirflowNotHealthyError(TerminalError):
    """Raised when Airflow was started and did not become healthy in time."""

    code = "airflow-not-healthy"

    def __init__(self, seconds: float, log: str, tail: str) -> None:
        self.seconds = seconds
        self.log = log
        super().__init__(
            f"Airflow was not healthy after {seconds:.0f} s and was stopped. "
            f"The end of {log}:\n{tail}\n",
            next_step="mend what the log says, run `exlake doctor`, then `make up` again.",
        )
