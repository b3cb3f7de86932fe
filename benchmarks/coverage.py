"""Whether what torch saves of published architectures is opened, and gives what the original module gives.

Writes docs/coverage.md. Their packages are those of the extra `zoos`; what is not installed is left out, saying so.
    python -m benchmarks.coverage [NAME]...        # NAMEs alone, and nothing written
"""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from collections.abc import Sequence
from html import escape
from importlib import metadata
from pathlib import Path

import torch

from auditor.errors import AuditError, one_line
from benchmarks._architectures import ARCHITECTURES, FORMATS, Architecture, Covered, cover, need_operators

PAGE = Path(__file__).resolve().parents[1] / "docs" / "coverage.md"
PACKAGES = ("torch", "torchvision", "timm", "transformers")


def covered(chosen: Sequence[Architecture]) -> list[Covered]:
    """Every one of them, said as it comes."""
    found = []
    for architecture in chosen:
        start = time.perf_counter()
        try:
            one = cover(architecture)
        except AuditError as e:
            print(f"{architecture.name}: not tried: {one_line(str(e), 160)}", flush=True)
            continue
        found.append(one)
        causes = "; ".join(f"{kind}: {cause}" for kind, cause in one.misses.items() if cause) or "all"
        print(f"{architecture.name:50} {time.perf_counter() - start:5.1f} s  {causes}", flush=True)
    return found


def totals(found: Sequence[Covered]) -> str:
    """How many came through, by format and by the way they were saved."""
    parts = []
    for kind in FORMATS:
        right = [one for one in found if one.misses[kind] is None]
        ways = Counter(one.ways[kind].partition(",")[0] for one in right if one.ways[kind])
        shown = f" ({', '.join(f'{n} {way}' for way, n in ways.most_common())})" if ways else ""
        parts.append(f"{kind} {len(right)} of {len(found)}{shown}")
    parts.append(f"outputs that move with the input: {sum(one.moves for one in found)} of {len(found)}")
    return "\n".join(f"    {part}" for part in parts)


def page(found: Sequence[Covered], seconds: float) -> str:
    """The page of the documentation."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    misses = [f"- `{one.name}`, {kind}: {escape(c)}" for one in found for kind, c in one.misses.items() if c]
    rows = [f"| `{one.name}` | {one.parameters:,} | {' | '.join(_mark(one, k) for k in FORMATS)} |" for one in found]
    return f"""# Coverage
Published architectures with random weights, and statistics of their inputs in BatchNorm, each saved by torch as a
state_dict, as TorchScript and as an exported program, looked at as `auditor inspect` does, loaded as an audit does, and
run beside the original module: a mark means that the outputs are the same, bit for bit where no distance stands beside
it (torch's fused attention adds in another order than its parts in an exported program do). Written by `make coverage`
in {seconds / 60:.0f} minutes on one core of a shared machine ({versions}).

{totals(found)}

`scripted` and `traced` say how torch made the TorchScript; it scripts first, and traces what it cannot script. Exported
programs take any number of rows where they are not marked `one size`.

## Misses
{chr(10).join(misses) or "None."}

## Architectures
| architecture | parameters | {" | ".join(FORMATS)} |
| --- | ---: | --- | --- | --- |
{chr(10).join(rows)}
"""


def _mark(one: Covered, kind: str) -> str:
    if one.misses[kind] is not None:
        return "no"
    return f"\N{CHECK MARK} {one.ways[kind]}".strip().replace(" batch dynamic", "")


def main() -> None:
    """Print every architecture and the totals; write the page."""
    logging.disable()  # torch logs whole graphs of what it cannot export
    torch.set_num_threads(1)  # inputs are small, and one thread adds in one order
    if not need_operators():
        print("torchvision cannot be imported here: its architectures and those of timm are left out")
    named = sys.argv[1:]
    start = time.perf_counter()
    found = covered([a for a in ARCHITECTURES if not named or a.name in named])
    print(totals(found))
    if not named:
        PAGE.write_text(page(found, time.perf_counter() - start), "utf-8")


if __name__ == "__main__":
    main()
