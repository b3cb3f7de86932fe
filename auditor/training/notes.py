"""What must be said of a training: why it ended early, what was kept, what it cost, whether more would gain more."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.training.checkpoint import is_of_another
from auditor.training.watch import Schedule, Watch

__all__ = ["History", "notes_of", "other_words", "went_on_words"]

RISING = 0.05  # of the rows held out, over the last quarter of the epochs
COSTLY = 0.1  # of the rows held out that were right as they are


@dataclass(frozen=True, slots=True)
class History:
    """How a training went, in shares of the rows held out.

    `standing` before it and after each epoch; `best_epoch` is the one that was kept; `ended` says why, where it was not
    because all epochs were done; `right` as they are, before and with what was kept.
    """

    standing: tuple[float, ...]
    best_epoch: int
    ended: str
    right: tuple[float, float]


def notes_of(history: History, held_out: int, schedule: Schedule) -> tuple[str, ...]:
    """Sentences for the reader; none where all epochs were done, something was gained and the end was reached."""
    said, standing, done = [], history.standing, len(history.standing) - 1
    if history.ended:
        said.append(f"Training stopped after {done} of {schedule.epochs} epochs: {history.ended}.")
    if not held_out:
        said.append("There are too few reference rows to hold any out: the last epoch is kept, whatever it is like.")
        return tuple(said)
    if history.ended or history.best_epoch != done:
        kept = f"The weights after epoch {history.best_epoch} are kept"
        said.append(f"{kept}, with which most of the rows held out stand.")
    before, best = standing[0], standing[history.best_epoch]
    if best <= before:
        shares = f"of {held_out} rows held out {before:.2f} stood before, {best:.2f} after"
        said.append(f"The training gained nothing: {shares}.")
    elif history.best_epoch == done and best > standing[done - max(1, done // 4)] + RISING:
        risen = f"from {standing[done - max(1, done // 4)]:.2f} to {best:.2f} over the last quarter"
        said.append(
            f"The budget was too small to converge: the share of the {held_out} rows held out that stand was still "
            f"rising at the end, {risen}; give more `epochs`."
        )
    first, last = history.right
    if last < first - COSTLY:
        said.append(
            f"Training cost much: of {held_out} rows held out {first:.2f} were right as they are before, {last:.2f} "
            "after; a lower `rate`, a smaller change or more data may help."
        )
    return tuple(said)


def went_on_words(epoch: int) -> tuple[str, ...]:
    """That a training was not made in one go."""
    return (f"The training went on after epoch {epoch}, where it had been stopped.",)


def other_words(watch: Watch) -> tuple[str, ...]:
    """That what was found is of another training, where it is."""
    if is_of_another(watch):
        return ("A checkpoint of another training, or of other settings, was found and not used.",)
    return ()
