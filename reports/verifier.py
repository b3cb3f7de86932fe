"""A verifier that needs none of our code: a dozen lines of Python with `cryptography`, to be printed in the report."""

from __future__ import annotations

__all__ = ["verifier"]

VERIFIER = r"""
import base64, hashlib, json, pathlib, sys, time
from cryptography.hazmat.primitives.serialization import load_pem_public_key
folder, key = pathlib.Path(sys.argv[1]), load_pem_public_key(pathlib.Path(sys.argv[2]).read_bytes())
envelope = json.loads((folder / "attestation.dsse.json").read_bytes())
payload, signature = (base64.b64decode(text) for text in (envelope["payload"], envelope["signatures"][0]["sig"]))
key.verify(signature, b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(payload), payload))
subject, says = (json.loads(payload)[part] for part in ("subject", "predicate"))
files = [p for p in folder.rglob("*") if p.is_symlink() or not p.is_dir()]
found = {(p.relative_to(folder).as_posix(), hashlib.sha256(p.read_bytes()).hexdigest()) for p in files}
other = found ^ {(s["name"], s["digest"].get("sha256")) for s in subject if not s["name"].startswith("audited ")}
late = ["expired"] * (says["torch_auditor"]["expires"] < time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
sys.exit(late + sorted({n for n, _ in other} - {"attestation.dsse.json", "signoff.dsse.json"}) or print(says["result"]))
"""


def verifier() -> str:
    """The text of a program: `python verifier.py DIR KEY.pub`.

    It prints the result that was signed and ends with 0; or ends with 1 and the names of the files that are not as they
    were signed, with 1 and `expired`, or with InvalidSignature where the attestation is not signed by that key.
    """
    return VERIFIER.lstrip()
