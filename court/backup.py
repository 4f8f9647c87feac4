"""The database of an installation as a folder that can be carried away, and back: consistent while the court goes on.

The stores are not in it: they are two already, and write once. Order matters only so far: the database first. An object that is
stored after the database was copied has its key nowhere in the copy, and cannot be read from it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from court.keys import prepare_keys_folder
from storage.clock import SystemClock
from storage.database import normal_url
from storage.durable import sync_folder

SCHEMA = "court-backup/1"
INDEX = "backup.json"
_CHUNK_BYTES = 1024 * 1024


class BackupError(Exception):
    """Why nothing was written or restored; the message is for people."""


def backup(database_url: str, folder: Path, keys: Path, keys_copy: Path | None) -> Path:
    """Write the database to `folder`, whole or not at all, and the keys to `keys_copy`, which lies elsewhere."""
    if keys_copy is not None and (keys_copy.is_relative_to(folder) or folder.is_relative_to(keys_copy)):
        raise BackupError("密钥的备份须与数据库的备份分开存放")
    for target in (folder, *([keys_copy] if keys_copy else [])):
        if target.exists() and any(target.iterdir()):
            raise BackupError(f"文件夹 {target} 已存在且不为空")
    url, draft = normal_url(database_url), folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    try:
        file = _dump_sqlite(url, draft) if _is_sqlite(url) else _dump_postgresql(url, draft)
        index = {"schema": SCHEMA, "made_at": SystemClock().now().isoformat(), "database": url.get_backend_name(),
                 "file": file.name, "bytes": file.stat().st_size, "sha256": _sha256(file)}  # fmt: skip
        _write(draft / INDEX, json.dumps(index, indent=1).encode())
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    if keys_copy is not None:
        copy_keys(keys, keys_copy)
    return folder


def restore(folder: Path, database_url: str, keys: Path, keys_copy: Path | None) -> None:
    """Put a backup where the settings say the database is; refuses to touch one that is there."""
    index = _index(folder)
    url, file = normal_url(database_url), folder / index["file"]
    if index["database"] != url.get_backend_name():
        raise BackupError(f"备份来自 {index['database']}，COURT_DATABASE_URL 指向 {url.get_backend_name()}")
    if keys_copy is not None:
        copy_keys(keys_copy, keys)
    if not (keys / "objects").is_dir():
        raise BackupError(f"{keys} 中没有密钥：没有密钥，存储中的任何内容都无法读取（--keys 指定密钥备份）")
    if _is_sqlite(url):
        _place_sqlite(url, file)
    else:
        _load_postgresql(url, file)


def copy_keys(source: Path, target: Path) -> None:
    """Every file of the folder of secrets, for its owner alone; refuses to mix two sets of keys."""
    if not source.is_dir():
        raise BackupError(f"没有密钥文件夹 {source}")
    if target.exists() and any(target.iterdir()):
        raise BackupError(f"文件夹 {target} 已存在且不为空：不得混用两套密钥")
    prepare_keys_folder(target)
    for path in sorted(source.rglob("*")):
        copy = target / path.relative_to(source)
        if path.is_dir():
            prepare_keys_folder(copy)
        else:
            _write(copy, path.read_bytes())


def _index(folder: Path) -> dict[str, Any]:
    try:
        index: dict[str, Any] = json.loads((folder / INDEX).read_bytes())
        file = folder / index["file"]
        if index["schema"] != SCHEMA:
            raise BackupError(f"不认识的备份格式 {index['schema']}")
        if _sha256(file) != index["sha256"]:
            raise BackupError(f"备份文件 {file} 已损坏：散列与 {INDEX} 不符")
    except (OSError, ValueError, KeyError) as error:
        raise BackupError(f"{folder} 不是完整的备份（{type(error).__name__}）") from None
    return index


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _dump_sqlite(url: URL, folder: Path) -> Path:
    """VACUUM INTO: one read transaction, writers are not stopped; what it makes is checked before it counts."""
    source, file = Path(url.database or ""), folder / "court.db"
    if not source.is_file():
        raise BackupError(f"没有数据库 {source}")
    with closing(sqlite3.connect(source, timeout=30)) as connection:
        connection.execute("VACUUM INTO ?", (str(file),))
    file.chmod(0o600)
    _must_be_whole(file)
    with file.open("rb") as written:
        os.fsync(written.fileno())
    return file


def _must_be_whole(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        found = connection.execute("PRAGMA integrity_check").fetchone()
    if found != ("ok",):
        raise BackupError(f"{file} 不完整：{found}")


def _place_sqlite(url: URL, file: Path) -> None:
    target = Path(url.database or "")
    if target.exists():
        raise BackupError(f"数据库 {target} 已存在；请恢复到新的 COURT_DATA")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = target.with_name(f".{target.name}.draft")
    shutil.copyfile(file, draft)
    draft.chmod(0o600)
    _must_be_whole(draft)
    draft.rename(target)
    sync_folder(target.parent)


def _dump_postgresql(url: URL, folder: Path) -> Path:
    """pg_dump: one snapshot, nobody is stopped."""
    file = folder / "court.pgdump"
    _run(url, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={file}")
    return file


def _load_postgresql(url: URL, file: Path) -> None:
    """Into an empty database, whole or not at all."""
    tables = _run(url, "psql", "--tuples-only", "--command=select count(*) from pg_tables where schemaname = 'public'")
    if tables.strip() != "0":
        raise BackupError("COURT_DATABASE_URL 指向的数据库不是空的；请恢复到新建的空数据库")
    _run(url, "pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", str(file))


def _run(url: URL, program: str, *arguments: str) -> str:
    """One of PostgreSQL's own programs; the password goes by the environment, where other accounts cannot read it."""
    path = shutil.which(program) or next((str(p) for p in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))), None)
    if path is None:
        raise BackupError(f"没有找到 {program}（Debian: apt install postgresql-client）")
    secret = {"PGPASSWORD": url.password} if url.password else {}
    target = URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query).render_as_string()
    result = subprocess.run(
        [path, f"--dbname={target}", *arguments], env={**os.environ, **secret}, capture_output=True, text=True, check=False
    )  # fmt: skip
    if result.returncode != 0:
        raise BackupError(f"{program} 失败：{result.stderr.strip()[-300:]}")
    return result.stdout


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
