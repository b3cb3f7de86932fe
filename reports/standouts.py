"""What stands out: further sentences of the first screen, each of a figure that chance does not explain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auditor.stats import holm, tails
from auditor.types import Audit, Measure
from reports.gaps import attributes_of, by_words, gap_words
from reports.parts import interval_words
from reports.words import counted, groups_of, number, slice_words

__all__ = ["standouts"]

SELECTION, ERRORS = "demographic_parity_difference", ("equalized_odds_difference", "mean_residual_difference")
LEVEL = 0.05  # of all gaps that a sentence may be about, not of each
CHANCE = 0.5  # the area under a curve that tells nothing
STRONG = 0.6  # and one from which inputs are said to tell a group


def standouts(audit: Audit, said: Sequence[str] = ()) -> list[str]:
    """Sentences of what is evidence by its interval: the class found least often, then groups.

    Those that were `said` already are left out.
    """
    return [*_classes(audit), *_gaps(audit, said), *_slices(audit), *_proxies(audit), *_flips(audit)]


def _classes(audit: Audit) -> Iterator[str]:
    """Of the classes that are found less often than the model is right, the one of which that is most certain."""
    measures = audit.measures("performance.accuracy")
    accuracy = next((m.value for m in measures if m.name == "accuracy"), None)
    if accuracy is None:
        return
    recalls = [m for m in measures if m.name == "recall" and m.value is not None]
    below = holm([tails(m.method, m.counts, accuracy)[1] for m in recalls])
    certain = [m for m, p in zip(recalls, below, strict=True) if p <= LEVEL]
    if certain:
        worst = min(certain, key=lambda m: 1.0 if m.high is None else m.high)
        name = slice_words(worst.slice).removeprefix("class = ")
        found = f"{number(worst.value)} of its {counted(worst.n, 'row')} ({interval_words(worst, 2)})"
        others = _others(len(certain) - 1)
        yield f"Class {name} is found in {found}; of all rows {number(accuracy)} are called rightly.{others}"


def _others(n: int) -> str:
    """That `n` other classes are found less often than the model is right as well."""
    which = "1 other class is" if n == 1 else f"{n:,} other classes are"
    return f" {which} found less often than that too." if n else ""


def _gaps(audit: Audit, said: Sequence[str]) -> Iterator[str]:
    """In selection and in errors: the gap that is largest for certain, and the one that crossed groups alone show."""
    measures = audit.measures("fairness.groups")
    certain = _certain([m for m in measures if m.name in (SELECTION, *ERRORS)])
    for names in ((SELECTION,), ERRORS):
        by = {m: attributes_of(m.slice) for m in certain if m.name in names}
        alone = {(columns[0], about): m for m, (columns, about) in by.items() if len(columns) == 1}
        if gap := _most_certain(list(alone.values())):
            yield from _sentence(measures, gap, said)
        parts = {
            m: [alone[c, about] for c in columns if (c, about) in alone]
            for m, (columns, about) in by.items() if len(columns) > 1
        }  # fmt: skip
        if gap := _most_certain([m for m, own in parts.items() if not own]):
            yield from _sentence(measures, gap, said, "No one of these columns shows it alone.")
        elif gap := _most_certain([m for m, own in parts.items() if all((m.low or 0) > (p.high or 0) for p in own)]):
            yield from _sentence(measures, gap, said, "That is more than any of these columns shows alone.")


def _certain(gaps: Sequence[Measure]) -> list[Measure]:
    """Those that chance does not explain though one of so many is sought out: by Holm's correction over all of them."""
    known = [m for m in gaps if m.method and m.low is not None]
    adjusted = holm([min(1.0, 2 * tails(m.method, m.counts, 0.0)[0]) for m in known])
    return [m for m, p in zip(known, adjusted, strict=True) if p <= LEVEL]


def _sentence(measures: Sequence[Measure], gap: Measure, said: Sequence[str], more: str = "") -> Iterator[str]:
    """A gap with its interval, and `more`; of one that was `said` already only that."""
    sentence = gap_words(measures, gap)
    if sentence not in said:
        yield f"{_with_interval(sentence, gap)} {more}".strip()
    elif more:
        yield f"By {by_words(gap.slice)}, as above: {more[0].lower()}{more[1:]}"


def _most_certain(gaps: Sequence[Measure]) -> Measure | None:
    """The gap whose interval lies furthest above 0."""
    return max(gaps, key=lambda m: m.low or 0.0, default=None)


def _with_interval(sentence: str, m: Measure) -> str:
    return f"{sentence.removesuffix('.')} (difference {interval_words(m, 2)})."


def _slices(audit: Audit) -> Iterator[str]:
    """The confirmed slice that is wrong most often beyond the rest."""
    tables = audit.tables("fairness.slices")
    confirmed = {str(row[0]) for t in tables if t.columns[-1:] == ("confirmed",) for row in t.rows if row[-1] is True}
    gaps = [m for m in audit.measures("fairness.slices") if m.name == "error_gap" and m.slice in confirmed]
    worst = _most_certain(gaps)
    if worst and worst.low is not None and worst.low > 0:  # the test is one-sided, and may confirm what holds 0
        rows = f"Rows with {slice_words(worst.slice)} are wrong more often than the rest, by {number(worst.value)}"
        yield f"{rows} ({interval_words(worst, 2)}); {counted(len(gaps), 'slice')} confirmed on rows kept back."


def _proxies(audit: Audit) -> Iterator[str]:
    """The group that the inputs tell best, beyond the attribute itself, and the column that tells it best alone."""
    measures = audit.measures("fairness.proxies")
    own = {m.slice for m in measures if m.name == "attribute_auc_without_itself"}
    areas = [m for m in measures if m.name == "attribute_auc_without_itself"]
    areas += [m for m in measures if m.name == "attribute_auc" and m.slice not in own]
    strong = [m for m in areas if m.low is not None and m.low > STRONG]
    if not strong:
        return
    most = max(strong, key=lambda m: m.low or 0.0)
    sentence = f"The inputs tell {slice_words(most.slice)}: area {number(most.value)} ({interval_words(most, 2)})"
    single = [m for m in measures if m.name == "column_auc" and m.slice.startswith(f"{most.slice}&column=")]
    best = max(single, key=lambda m: m.low or 0.0, default=None)
    if best is not None and best.low is not None and best.low > CHANCE:
        column = dict(groups_of(best.slice)).get("column", "")
        sentence += f"; {column} alone {number(best.value)}"
    yield f"{sentence}; 0.5 is chance."


def _flips(audit: Audit) -> Iterator[str]:
    """The attribute whose change turns most answers, by itself or through what goes with it."""
    measures = audit.measures("fairness.flips")
    for name, how in (
        ("flip_rate", "alone turns"),
        ("flips_above_chance", "and what goes with it turns, beyond chance,"),
    ):
        above = [m for m in measures if m.name == name and "=" not in m.slice and m.low is not None and m.low > 0]
        if above:
            most = max(above, key=lambda m: m.low or 0.0)
            share = f"{number(most.value)} of the answers ({interval_words(most, 2)})"
            yield f"Changing {slice_words(most.slice)} {how} {share}."
            return
