"""Datasets that were built, training runs, and the figures measured on them."""

import json
from collections.abc import Sequence
from typing import Any

from sqlite_utils import Database

from core.errors import NotFoundError
from core.records import DatasetRecord, EvaluationRecord, Run
from db.connection import now, row_id, transaction


def _encode(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


class Datasets:
    """The datasets of one home; their files stand in ``datasets/NAME``."""

    _COLUMNS = "id, name, hash, manifest, created_at"

    def __init__(self, db: Database) -> None:
        self.db = db

    def put(self, name: str, content_hash: str, manifest: dict[str, Any]) -> None:
        """Record a dataset; building again under the same name replaces the record as it replaced the files."""
        with transaction(self.db):
            self.db.execute("DELETE FROM datasets WHERE name = ?", [name])
            self.db.execute(
                "INSERT INTO datasets (name, hash, manifest, created_at) VALUES (?, ?, ?, ?)",
                [name, content_hash, _encode(manifest), now()],
            )

    def get(self, name: str) -> DatasetRecord:
        """The dataset of that name; NotFoundError otherwise."""
        found = next((record for record in self.all() if record.name == name), None)
        if found is None:
            raise NotFoundError("dataset_not_found", name=name)
        return found

    def all(self) -> list[DatasetRecord]:
        """Every dataset, newest first."""
        rows = self.db.execute(f"SELECT {self._COLUMNS} FROM datasets ORDER BY id DESC").fetchall()
        return [DatasetRecord(row[0], row[1], row[2], json.loads(row[3]), row[4]) for row in rows]

    def that_used(self, passage_id: int) -> list[tuple[str, str, dict[str, Any]]]:
        """Name, hash and short manifest (of this passage alone) of each dataset that was made from a passage."""
        path = f'$.made_from."{passage_id}"'
        rows = self.db.execute(
            "SELECT name, hash, json_extract(manifest, '$.settings'), json_extract(manifest, '$.statuses'),"
            " json_extract(manifest, ?) AS used FROM datasets WHERE used IS NOT NULL ORDER BY id DESC",
            [path],
        ).fetchall()
        return [
            (
                row[0],
                row[1],
                {
                    "settings": json.loads(row[2] or "{}"),
                    "statuses": json.loads(row[3] or "[]"),
                    "made_from": {str(passage_id): row[4]},
                },
            )
            for row in rows
        ]


def _run(row: Sequence[Any]) -> Run:
    fields: list[Any] = [*row[:6], json.loads(row[6]), json.loads(row[7]), *row[8:]]
    return Run(*fields)


class Runs:
    """The training runs of one home; their files stand in ``experiments/NAME``."""

    _COLUMNS = "id, name, dataset, dataset_hash, model, method, config, summary, job_id, created_at"

    def __init__(self, db: Database) -> None:
        self.db = db

    def add(
        self,
        *,
        dataset: DatasetRecord,
        model: str,
        method: str,
        config: dict[str, Any],
        job_id: int | None,
        label: str = "",
    ) -> Run:
        """Record a run before it starts and give it a name of its own."""
        with transaction(self.db):
            number = int(self.db.execute("SELECT coalesce(max(id), 0) + 1 FROM runs").fetchone()[0])
            name = f"{number:04d}-{label or method}"
            self.db.execute(
                "INSERT INTO runs (id, name, dataset, dataset_hash, model, method, config, job_id, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [number, name, dataset.name, dataset.hash, model, method, _encode(config), job_id, now()],
            )
        return self.get(name)

    def finish(self, name: str, summary: dict[str, Any]) -> None:
        """Store what the run came to."""
        with transaction(self.db):
            self.db.execute("UPDATE runs SET summary = ? WHERE name = ?", [_encode(summary), name])

    def get(self, name: str) -> Run:
        """The run of that name; NotFoundError otherwise."""
        row = self.db.execute(f"SELECT {self._COLUMNS} FROM runs WHERE name = ?", [name]).fetchone()
        if row is None:
            raise NotFoundError("run_not_found", name=name)
        return _run(row)

    def of_job(self, job_id: int) -> Run | None:
        """The run a job started, if it came that far."""
        row = self.db.execute(
            f"SELECT {self._COLUMNS} FROM runs WHERE job_id = ? ORDER BY id DESC LIMIT 1", [row_id(job_id)]
        ).fetchone()
        return _run(row) if row else None

    def trained_on(self, dataset: str, dataset_hash: str) -> list[str]:
        """The names of the runs that learned from a dataset as it was built once, newest first."""
        rows = self.db.execute(
            "SELECT name FROM runs WHERE dataset = ? AND dataset_hash = ? ORDER BY id DESC", [dataset, dataset_hash]
        ).fetchall()
        return [str(row[0]) for row in rows]

    def all(self) -> list[Run]:
        """Every run, newest first."""
        rows = self.db.execute(f"SELECT {self._COLUMNS} FROM runs ORDER BY id DESC").fetchall()
        return [_run(row) for row in rows]


def _evaluation(row: Sequence[Any]) -> EvaluationRecord:
    fields: list[Any] = [*row[:6], json.loads(row[6]), row[7]]
    return EvaluationRecord(*fields)


class Evaluations:
    """Figures measured, newest first; an older figure of the same model and data is kept as history."""

    _COLUMNS = "id, dataset, dataset_hash, split, model, run, figures, created_at"

    def __init__(self, db: Database) -> None:
        self.db = db

    def add(self, *, dataset: DatasetRecord, split: str, model: str, run: str, figures: dict[str, Any]) -> None:
        """Store one measurement."""
        with transaction(self.db):
            self.db.execute(
                "INSERT INTO evaluations (dataset, dataset_hash, split, model, run, figures, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [dataset.name, dataset.hash, split, model, run, _encode(figures), now()],
            )

    def all(self) -> list[EvaluationRecord]:
        """Every measurement, newest first."""
        rows = self.db.execute(f"SELECT {self._COLUMNS} FROM evaluations ORDER BY id DESC").fetchall()
        return [_evaluation(row) for row in rows]

    def current(self) -> list[EvaluationRecord]:
        """The newest measurement of each model, at each strength of a run's tuning, on each split of each dataset as
        it was built; figures that name no strength are of the model as it is."""
        newest: dict[tuple[object, ...], EvaluationRecord] = {}
        for record in self.all():
            measured_on = (record.dataset, record.dataset_hash, record.split)
            newest.setdefault((*measured_on, record.model, record.run, record.figures.get("strength", 1.0)), record)
        return list(newest.values())
