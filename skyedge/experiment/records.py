"""What one run leaves behind: its answers, its ledger, its energy, the fate of every picture, its gauges, its pools."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError
from skyedge.experiment.kept_files import keep
from skyedge.ledger import Ledger, Link
from skyedge.runtime.engine import EngineOutcome

TIERS = ("on-board", "edge", "ground")
"""Who answers, from the least to the most trusted."""

FEDERATION_ROWS = ("clusters", "dispatchers", "failovers", "trainings")
"""What the nodes of a federation write down, a mapping of figures for each row."""

_TABLES = ("answers", "fates", "gauges", "served", "jobs", "lost", "requests")


@dataclass(frozen=True, eq=False)
class RunRecord:
    """One arm with one seed.

    ``answers`` has the columns scene, tier (index into :data:`TIERS`), predicted, confidence, answered_at; a scene may
    have several.  ``fates`` maps each picture to the last thing that is known of it.  ``gauges`` are readings of queues
    and batteries; ``energy`` is in joules by node and purpose; ``effort`` says what the run itself cost.

    The rest is there where a layer of the control plane ran: ``pools`` has a mapping of figures for each pool, ``served``
    says when each picture reached a pool and was answered by it, ``jobs`` has a row for each job of a scheduler.  Of a
    federation: ``lost`` has a row for each answer or picture that was given up, ``requests`` for each question of a user,
    and ``federation`` the rows of :data:`FEDERATION_ROWS`.
    """

    arm: str
    seed: int
    digest: str
    start_us: int
    answers: dict[str, NDArray[Any]]
    ledger: Ledger
    fates: dict[str, NDArray[Any]]
    gauges: dict[str, NDArray[Any]]
    energy: dict[str, float]
    effort: dict[str, float] = field(default_factory=dict)
    pools: tuple[dict[str, Any], ...] = ()
    served: dict[str, NDArray[Any]] = field(default_factory=dict)
    jobs: dict[str, NDArray[Any]] = field(default_factory=dict)
    lost: dict[str, NDArray[Any]] = field(default_factory=dict)
    requests: dict[str, NDArray[Any]] = field(default_factory=dict)
    federation: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write atomically as ``.npz``.

        Raises:
            InputError: if it cannot be written.
        """
        arrays: dict[str, NDArray[Any]] = {}
        for table in _TABLES:
            arrays.update({f"{table}.{name}": column for name, column in getattr(self, table).items()})
        about = {
            "arm": self.arm,
            "seed": self.seed,
            "digest": self.digest,
            "start_us": self.start_us,
            "energy": self.energy,
            "effort": self.effort,
            "pools": self.pools,
            **({"federation": self.federation} if self.federation else {}),
            "ledger": [[list(row.link), row.state, row.size_bytes, row.objects] for row in self.ledger.rows()],
        }
        buffer = io.BytesIO()
        np.savez_compressed(buffer, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays)  # type: ignore[arg-type]
        keep(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> RunRecord:
        """The record that :meth:`save` wrote.

        Raises:
            InputError: if it is damaged.
        """
        try:
            return cls._load(path)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
            raise InputError("this record is damaged; without it the run is done again", where=path) from None

    @classmethod
    def _load(cls, path: Path) -> RunRecord:
        with np.load(path) as stored:
            about = json.loads(stored["about"].tobytes())
            tables: dict[str, dict[str, NDArray[Any]]] = {table: {} for table in _TABLES}
            for key in stored.files:
                table, _, name = key.partition(".")
                if name:
                    tables[table][name] = stored[key]
        ledger = Ledger()
        for link, state, size_bytes, objects in about.pop("ledger"):
            ledger.post(Link(*link), state, size_bytes, objects)
        return cls(
            about["arm"],
            about["seed"],
            about["digest"],
            about["start_us"],
            tables["answers"],
            ledger,
            tables["fates"],
            tables["gauges"],
            about["energy"],
            about["effort"],
            tuple(about["pools"]),
            tables["served"],
            tables["jobs"],
            tables["lost"],
            tables["requests"],
            about.get("federation", {}),
        )


def record_of(
    arm: str, seed: int, digest: str, start_us: int, outcome: EngineOutcome, effort: dict[str, float]
) -> RunRecord:
    """Gather what the engine brought home.

    Raises:
        LedgerImbalance: if bytes are missing.
    """
    outcome.ledger.check_balance()
    by_table: dict[str, list[dict[str, Any]]] = {}
    for _, table, columns in outcome.records:
        by_table.setdefault(table, []).append(columns)
    energy: dict[str, float] = {}
    for row in by_table.get("energy", ()):
        key = f"{row['node']}/{row['purpose']}"
        energy[key] = energy.get(key, 0.0) + float(row["joules"])
    for row in by_table.get("batteries", ()):
        energy[f"{row['node']}/harvested"] = float(row["harvested_j"])
        energy[f"{row['node']}/baseline"] = float(row["baseline_j"])
    gauges = by_table.get("gauges", [])
    return RunRecord(
        arm,
        seed,
        digest,
        start_us,
        _answers(by_table.get("answers", ())),
        outcome.ledger,
        _last_fates(by_table.get("fates", ())),
        {name: np.array([row[name] for row in gauges]) for name in ("node", "at", "queue_bytes", "charge")},
        energy,
        {**effort, "windows": outcome.windows, "events": outcome.events, "recoveries": outcome.recoveries},
        tuple(by_table.get("pools", ())),
        _joined(by_table.get("served", ())),
        _joined(by_table.get("jobs", ())),
        _joined(by_table.get("lost", ())),
        _joined(by_table.get("requests", ())),
        {name: by_table[name] for name in FEDERATION_ROWS if name in by_table},
    )


def _joined(rows: Sequence[dict[str, Any]]) -> dict[str, NDArray[Any]]:
    """Columns of all rows; a word that stands for a whole column is repeated."""
    columns: dict[str, list[NDArray[Any]]] = {}
    for row in rows:
        length = max(np.size(value) for value in row.values())
        for name, value in row.items():
            columns.setdefault(name, []).append(np.broadcast_to(value, length))
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def _answers(rows: Sequence[dict[str, Any]]) -> dict[str, NDArray[Any]]:
    empty = {
        "scene": np.int32,
        "tier": np.int8,
        "predicted": np.int16,
        "confidence": np.float32,
        "answered_at": np.int64,
    }
    if not rows:
        return {name: np.empty(0, dtype) for name, dtype in empty.items()}
    columns: dict[str, NDArray[Any]] = {
        name: np.concatenate([row[name] for row in rows]) for name in empty if name != "tier"
    }
    columns["tier"] = np.repeat(
        np.array([TIERS.index(row["tier"]) for row in rows], np.int8), [len(row["scene"]) for row in rows]
    )
    return columns


def _last_fates(rows: Sequence[dict[str, Any]]) -> dict[str, NDArray[Any]]:
    """The last fate of each scene that has one (rows come in order of time)."""
    last: dict[int, str] = {}
    for row in rows:
        for scene in row["scene"].tolist():
            last[scene] = row["fate"]
    scenes = sorted(last)
    return {"scene": np.array(scenes, np.int32), "fate": np.array([last[scene] for scene in scenes], "U10")}
