"""What must be said of a training: why it ended early, what was kept, whether more of it would have gained more."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.training.watch import Schedule

__all__ = ["notes_of"]

RISING = 0.05  # of the rows held out, over the last quarter of the epochs


def notes_of(
    standing: Sequence[float], best_epoch: int, held_out: int, schedule: Schedule, ended: str
) -> tuple[str, ...]:
    """Sentences for the reader; none where all epochs were done, something was gained and the end was reached.

    `standing` are the shares of the `held_out` rows that stood: before the training, and after each of its epochs.
    """
    said, done = [], len(standing) - 1
    if ended:
        said.append(f"Training stopped after {done} of {schedule.epochs} epochs: {ended}.")
    if not held_out:
        said.append("There are too few reference rows to hold any out: the last epoch is kept, whatever it is like.")
        return tuple(said)
    if ended or best_epoch != done:
        said.append(f"The weights after epoch {best_epoch} are kept, with which most of the rows held out stand.")
    before, best = standing[0], standing[best_epoch]
    if best <= before:
        said.append(
            f"The training gained nothing: of {held_out} rows held out {before:.2f} stood before, {best:.2f} after."
        )
    elif best_epoch == done and standing[-1] > standing[done - max(1, done // 4)] + RISING:
        earlier = standing[done - max(1, done // 4)]
        said.append(
            f"The budget was too small to converge: the share of the {held_out} rows held out that stand was still "
            f"rising at the end, from {earlier:.2f} to {standing[-1]:.2f} over the last quarter; give more `epochs`."
        )
    return tuple(said)
