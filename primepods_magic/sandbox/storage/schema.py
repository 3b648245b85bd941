"""The schema of the database."""

from __future__ import annotations

import sqlite3

__all__ = ["SCHEMA_VERSION", "TABLES", "create_schema"]

SCHEMA_VERSION = 3
"""The version of new files; earlier versions were never released."""

TABLES = frozenset("sandbox clock pods events attachments disks ssh_keys wallets charges history".split())

_LAYOUT = (
    "CREATE TABLE sandbox (instance TEXT NOT NULL, seed INTEGER NOT NULL, sequence INTEGER NOT NULL)",
    """CREATE TABLE clock (
        mode TEXT NOT NULL, speed REAL NOT NULL,
        anchor_ms INTEGER NOT NULL, anchor_wall_ms INTEGER NOT NULL)""",
    # A pod with a commit delay is inserted at once, and exists from `created_ms`.
    """CREATE TABLE pods (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, wallet_id TEXT NOT NULL,
        created_ms INTEGER NOT NULL, terminated_ms INTEGER, listed_from_ms INTEGER NOT NULL,
        record TEXT NOT NULL)""",
    "CREATE INDEX pods_as_created ON pods (created_ms, number, terminated_ms, listed_from_ms, wallet_id)",
    "CREATE INDEX pods_by_wallet ON pods (wallet_id, terminated_ms)",
    """CREATE TABLE events (
        number INTEGER PRIMARY KEY, pod_id TEXT NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL,
        usd_hr REAL)""",
    "CREATE INDEX events_by_pod ON events (pod_id)",
    """CREATE TABLE attachments (
        disk_id TEXT NOT NULL, pod_id TEXT NOT NULL, PRIMARY KEY (disk_id, pod_id)) WITHOUT ROWID""",
    """CREATE TABLE disks (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL, team_id TEXT,
        wallet_id TEXT NOT NULL, name TEXT NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
        deleted_ms INTEGER, provider TEXT NOT NULL, cloud_id TEXT, data_center TEXT, country TEXT,
        size_gb INTEGER NOT NULL, is_multinode INTEGER NOT NULL, price_usd_hr REAL NOT NULL)""",
    """CREATE TABLE ssh_keys (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL, name TEXT NOT NULL,
        public_key TEXT NOT NULL, is_primary INTEGER NOT NULL, created_ms INTEGER NOT NULL,
        updated_ms INTEGER NOT NULL)""",
    "CREATE TABLE slugs (user_id TEXT PRIMARY KEY, slug TEXT NOT NULL UNIQUE)",
    """CREATE TABLE stock (
        provider TEXT NOT NULL, cloud_id TEXT NOT NULL, data_center TEXT NOT NULL, stock TEXT NOT NULL,
        PRIMARY KEY (provider, cloud_id, data_center)) WITHOUT ROWID""",
    """CREATE TABLE wallets (
        id TEXT PRIMARY KEY, deposited_usd REAL NOT NULL, look_again_ms INTEGER)""",
    """CREATE TABLE charges (
        resource_id TEXT NOT NULL, wallet_id TEXT NOT NULL, from_ms INTEGER NOT NULL, until_ms INTEGER,
        usd_hr REAL NOT NULL, at_once_usd REAL NOT NULL)""",
    "CREATE INDEX charges_by_resource ON charges (resource_id)",
    "CREATE INDEX charges_by_wallet ON charges (wallet_id, from_ms, until_ms, usd_hr, at_once_usd)",
    """CREATE TABLE history (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL, provider TEXT NOT NULL,
        provisioned_by TEXT, type TEXT NOT NULL, created_ms INTEGER NOT NULL, terminated_ms INTEGER NOT NULL,
        gpu_name TEXT NOT NULL, gpu_count INTEGER NOT NULL, socket TEXT, price_usd_hr REAL NOT NULL,
        user_id TEXT NOT NULL, team_id TEXT, wallet_id TEXT NOT NULL, billed_usd REAL NOT NULL,
        settled_ms INTEGER NOT NULL, early_usd REAL NOT NULL)""",
    "CREATE INDEX history_by_id ON history (id)",
    # Covering indexes in page order: rows are skipped in the index, neither sorted nor read.
    "CREATE INDEX history_as_ended ON history (terminated_ms, number, wallet_id)",
    "CREATE INDEX history_as_created ON history (created_ms, number, terminated_ms, wallet_id)",
    # SQLite counts rows one by one, so triggers maintain the counts.
    "CREATE TABLE history_counts (wallet_id TEXT PRIMARY KEY, rows INTEGER NOT NULL) WITHOUT ROWID",
    """CREATE TRIGGER history_grows AFTER INSERT ON history BEGIN
        INSERT INTO history_counts VALUES (new.wallet_id, 1)
            ON CONFLICT (wallet_id) DO UPDATE SET rows = rows + 1; END""",
    """CREATE TRIGGER history_shrinks AFTER DELETE ON history BEGIN
        UPDATE history_counts SET rows = rows - 1 WHERE wallet_id = old.wallet_id; END""",
)


def create_schema(connection: sqlite3.Connection) -> None:
    """Create all tables; call inside a transaction."""
    for statement in _LAYOUT:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
