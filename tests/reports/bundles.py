"""Folders of audits as `auditor run` leaves them, with keys to sign them."""

from __future__ import annotations

import atexit
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from auditor.installed import distributions, installation
from auditor.store import Record
from auditor.types import Limit
from reports.bundle import write
from reports.keys import new_key
from reports.signing import SignOff, sign
from reports.verifying import Verified, verify
from tests.reports.records import record, with_policy

__all__ = ["KEYS", "bundle", "key", "public", "signed_bundle", "verified", "written"]

LIMITS = (
    Limit("performance.accuracy", "accuracy", slice="", fail_below=0.99),
    Limit("intake.preflight", "repeat_difference", fail_above=0.5),
)
KEYS = ("ci", "reviewer", "stranger")


def written(found: Record, folder: Path) -> Path:
    """`found` as an audit of the installed auditor, written to `folder`."""
    environment = {**found.audit.environment, **installation()}
    folder.mkdir(parents=True)
    write(replace(found, audit=replace(found.audit, environment=environment), installed=distributions()), folder)
    return folder


@cache
def _made() -> Path:
    """An audit that fails one limit and meets another, and the keys: made once, and never changed."""
    place = Path(mkdtemp(prefix="auditor-tests-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    written(with_policy(record(), *LIMITS), place / "audit")
    for name in KEYS:
        new_key(place / name)
    return place


def bundle(folder: Path) -> Path:
    """A copy of a finished audit in `folder`."""
    return Path(shutil.copytree(_made() / "audit", folder / "audit"))


@cache
def _signed() -> Path:
    folder = bundle(_made() / "signed")
    sign(folder, key("ci"), days=30)
    sign(folder, key("reviewer"), days=10, signoff=SignOff("Ada", "approve", "Seen."))
    return folder


def signed_bundle(folder: Path) -> Path:
    """A copy of an audit that is signed, for 30 days, and signed off, for 10."""
    return Path(shutil.copytree(_signed(), folder / "audit"))


def key(name: str) -> Path:
    """The private key of one of KEYS; the public key is beside it."""
    return _made() / name


def public(name: str) -> Path:
    """The public key of one of KEYS."""
    return _made() / f"{name}.pub"


def verified(folder: Path, *names: str, days: int = 0) -> Verified:
    """What is said of a folder, by these keys, `days` from now."""
    return verify(folder, [public(name) for name in names], datetime.now(UTC) + timedelta(days=days))
