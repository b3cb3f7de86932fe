"""The robust curve beside AutoAttack, PGD-40 and FMN-100: samples left standing, time, and passes of the model.

The bar: at no epsilon more than one sample above AutoAttack, and the whole curve in at most a tenth of what AutoAttack
takes for all eight. `first` are the 200 rows that the attack was tuned on, `others` are 100 more. In each round and
model all attacks take turns; the ratio is the median of the rounds' own, of processors' time, which what else runs on
the machine hardly moves. Hours in all: with --results every round of a model is kept as a line of that file, and what
is there already is not run again.

AutoAttack is torchattacks 3.5.1: `pip install --no-deps torchattacks==3.5.1` (of what it asks for, tqdm is enough).
The models are in ../shared/data beside the checkout; without either this says so and ends.
    python -m benchmarks.robustness [MODEL]... [--rounds 3] [--rows first] [--threads 1] [--results FILE] [--print]
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from importlib.util import find_spec
from itertools import groupby, product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.attacks.seen import seen_by_search
from auditor.attacks.strongest import strongest
from auditor.config import load_audit_file
from auditor.opening import open_audit
from auditor.subject import Model
from benchmarks._autoattack import standing
from benchmarks._counted import Cost, Logits, measured, right

AUDITS = Path(__file__).resolve().parents[2] / "shared" / "data" / "audits"
INK = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4)
COLOUR = tuple(e / 255 for e in (0.5, 1, 2, 3, 4, 6, 8, 12))
MODELS = {
    "mnist_small": INK,
    "mnist_kw": INK,
    "cifar10_cnn_a_adv": COLOUR,
    "cifar10_vit_ibp": COLOUR,
    "cifar10_resnet20": COLOUR,
}
ROWS = {"first": slice(0, 200), "others": slice(200, 300)}
SLOWEST, HIGHEST = 0.1, 1
Line = dict[str, Any]
Attack = Callable[[Model, Tensor, Tensor, Sequence[float]], tuple[list[int], Cost]]


# ---- attacks: samples left standing at each epsilon, and the cost of all of them ----------------------------------
def ours(model: Model, x: Tensor, y: Tensor, epsilons: Sequence[float]) -> tuple[list[int], Cost]:
    """The whole curve in one run, with all that belongs to it."""
    with measured(model) as cost:
        index = strongest(seen_by_search(model, x, y), x, y, epsilons).index
    return [int((index > k).sum()) for k in range(len(epsilons))], cost


def autoattack(model: Model, x: Tensor, y: Tensor, epsilons: Sequence[float]) -> tuple[list[int], Cost]:
    """AutoAttack at every epsilon."""
    found = [standing(model, x, y, e) for e in epsilons]
    return [int(stands.sum()) for stands, _ in found], sum((cost for _, cost in found), Cost())


def pgd(model: Model, x: Tensor, y: Tensor, epsilons: Sequence[float]) -> tuple[list[int], Cost]:
    """Foolbox's PGD of 40 steps at every epsilon."""
    from foolbox.attacks import LinfPGD

    return _by_foolbox(LinfPGD(steps=40), model, x, y, epsilons)


def fmn(model: Model, x: Tensor, y: Tensor, epsilons: Sequence[float]) -> tuple[list[int], Cost]:
    """Foolbox's FMN of 100 steps, one run for all epsilons."""
    from foolbox.attacks.fast_minimum_norm import LInfFMNAttack

    return _by_foolbox(LInfFMNAttack(steps=100), model, x, y, epsilons)


def _by_foolbox(attack: Any, model: Model, x: Tensor, y: Tensor, epsilons: Sequence[float]) -> tuple[list[int], Cost]:
    from foolbox.models.pytorch import PyTorchModel

    with measured(model) as cost, torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        stands = right(model, x, y)
        handle = PyTorchModel(Logits(model), bounds=(0, 1), device="cpu")
        _, _, broken = attack(handle, x[stands], y[stands], epsilons=list(epsilons))
    return (~broken).sum(1).tolist(), cost


ATTACKS: dict[str, Attack] = {"ours": ours, "AutoAttack": autoattack, "PGD-40": pgd, "FMN-100": fmn}


# ---- one line a round, model and set of rows ------------------------------------------------------------------------
def line(name: str, rows: str, turn: int) -> Line:
    """All attacks on one model, in turn."""
    opened = open_audit(load_audit_file(AUDITS / f"{name}.toml"), AUDITS)
    assert opened.model is not None  # noqa: S101 - they all have one
    data = opened.data.at(np.random.default_rng(0).permutation(len(opened.data))[ROWS[rows]])
    x, y = data.read(np.arange(len(data))), torch.from_numpy(data.y)
    attacks = {}
    for label, attack in ATTACKS.items():
        counts, cost = attack(opened.model, x, y, MODELS[name])
        attacks[label] = {"standing": counts, **asdict(cost)}
    found = {"model": name, "rows": rows, "threads": torch.get_num_threads(), "round": turn}
    return {**found, "n": len(x), "epsilons": MODELS[name], "attacks": attacks}


def run(names: Sequence[str], sets: Sequence[str], rounds: int, kept: list[Line], results: Path | None) -> None:
    """Add to `kept`, and to the file, what is not there yet."""
    for turn, name, rows in product(range(rounds), names, sets):
        if any(_key(k) == (name, rows, torch.get_num_threads()) and k["round"] == turn for k in kept):
            continue
        kept.append(line(name, rows, turn))
        print(f"round {turn + 1} of {rounds}: {name}, {rows} rows", flush=True)
        if results is not None:
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(kept[-1]) + "\n")


def _key(k: Line) -> tuple[str, str, int]:
    return k["model"], k["rows"], k["threads"]


# ---- what is printed ------------------------------------------------------------------------------------------------
def show(kept: Sequence[Line]) -> None:
    """Print a table of each model and set of rows: counts, differences, medians of the rounds."""
    for (name, rows, threads), group in groupby(sorted(kept, key=_key), _key):
        turns = list(group)
        print(f"{name}, {turns[0]['n']} rows ({rows}), threads: {threads}, rounds: {len(turns)}")
        print(f"  {'epsilon':12}" + "".join(f"{_size(name, e):>7}" for e in turns[0]["epsilons"]))
        for label in ATTACKS:
            counts = turns[0]["attacks"][label]["standing"]
            print(f"  {label:12}" + "".join(f"{c:7}" for c in counts) + "   " + _costs(turns, label))
        _verdict(turns)


def _size(name: str, epsilon: float) -> str:
    return f"{epsilon:g}" if MODELS[name] is INK else f"{epsilon * 255:g}/255"


def _costs(turns: Sequence[Line], label: str) -> str:
    cost = Cost(*(statistics.median(t["attacks"][label][f.name] for t in turns) for f in fields(Cost)))
    passes = f"{cost.forward / 1000:,.0f} k forward, {cost.backward / 1000:,.0f} k backward"
    return f"{cost.seconds:8,.1f} s ({cost.processor:,.1f} s of processors), {passes}"


def _verdict(turns: Sequence[Line]) -> None:
    above = np.max([np.subtract(*(t["attacks"][a]["standing"] for a in ("ours", "AutoAttack"))) for t in turns], 0)
    print(f"  {'above AA':12}" + "".join(f"{d:+7}" for d in above) + f"   at most {above.max():+} (bar {HIGHEST:+})")
    times = [{a: t["attacks"]["ours"]["processor"] / t["attacks"][a]["processor"] for a in ATTACKS} for t in turns]
    share = {a: statistics.median(t[a] for t in times) for a in ATTACKS}
    beside = ", ".join(f"{share[a]:.2f} of {a}'s" for a in ("PGD-40", "FMN-100"))
    print(f"  our processors' time is {share['AutoAttack']:.3f} of AutoAttack's (bar {SLOWEST}), {beside}")


def main() -> None:
    """Run what is missing, and print all of it."""
    parser = argparse.ArgumentParser(description="The robust curve beside AutoAttack, PGD-40 and FMN-100.")
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"of {', '.join(MODELS)}; all where none is named")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", choices=ROWS, help="both where none is named")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, help="a file of JSON lines; what it holds is not run again")
    parser.add_argument("--print", action="store_true", help="print what the file of results holds, and run nothing")
    given = parser.parse_args()
    if unknown := set(given.models) - set(MODELS):
        parser.error(f"no model is called {', '.join(sorted(unknown))}; there are {', '.join(MODELS)}")
    kept: list[Line] = []
    if given.results is not None and given.results.exists():
        kept = [json.loads(text) for text in given.results.read_text("utf-8").splitlines()]
    if not given.print:
        if not AUDITS.is_dir() or find_spec("torchattacks") is None:
            print(f"no audit files in {AUDITS}, or torchattacks 3.5.1 is not installed: nothing measured")
            return
        torch.set_num_threads(given.threads)
        sets = [given.rows] if given.rows else list(ROWS)
        run(given.models or list(MODELS), sets, given.rounds, kept, given.results)
    show(kept)


if __name__ == "__main__":
    main()
