"""The state of a record's proof, for the record page: a quick check now, and what the last reading of both copies found."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from record.check import Checked, check_sitting
from record.checks import LastCheck
from record.model import Material
from record.verify import BENIGN
from storage.objects import ObjectStore


async def proof_of(material: Material, objects: ObjectStore, last: LastCheck | None) -> dict[str, object]:
    """The body of protocol.RecordProof."""
    last_check = asdict(last) if last else None
    if material.sitting.sealed_manifest_sha256 is None:
        nothing = dict.fromkeys(("manifest_sha256", "check_code", "key_fingerprint", "sealed_at"), None)
        return {"state": "sealing", "problems": [], "destroyed": [], "last_check": last_check, "stamps": None, **nothing}
    checked = await check_sitting(material, objects)
    damage = last.problems if last and last.state == "damaged" else ()
    problems = [*checked.problems, *(text for text in damage if text not in checked.problems)]
    return {
        "state": _state(checked, problems),
        "problems": problems or list(checked.gaps),
        "destroyed": list(checked.destroyed),
        "last_check": last_check,
        "stamps": _stamps(checked.manifest),
        "manifest_sha256": checked.manifest_sha256,
        "check_code": checked.check_code,
        "key_fingerprint": checked.fingerprint,
        "sealed_at": material.sitting.sealed_at,
    }


def _stamps(manifest: dict[str, Any]) -> dict[str, object]:
    """How many time stamps the manifest holds and of whom; one simulated stamp makes all count as simulated."""
    made, missing = manifest.get("stamps", []), manifest.get("stamps_missing", [])
    return {
        "made": len(made),
        "missing": len(missing),
        "authority": made[-1]["authority"] if made else "",
        "simulated": any(stamp["simulated"] for stamp in made),
    }


def _state(checked: Checked, problems: list[str]) -> str:
    if problems:
        return "damaged"
    material_gap = any(gap["cause"] not in BENIGN for gap in checked.manifest["gaps"])
    return "complete_with_gaps" if material_gap or checked.destroyed else "complete"
