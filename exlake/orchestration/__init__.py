"""Orchestration: the only place that knows all rooms.

``flows`` is what the command line and the DAGs both call; ``schedule`` is what DAG
files share (assets, retries, the trade date of a run); ``airflow_home`` and ``driver``
set Airflow up and drive DAGs through its own in-process runner.
"""
