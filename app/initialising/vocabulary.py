"""Words by which people call a target, a score, a split, and what a person may not be treated differently for."""

from __future__ import annotations

import re

__all__ = [
    "PREDICTION", "SCORE", "SPLIT", "TARGETS", "TESTED", "TRAINED", "is_called", "is_identifier", "is_like_answers",
    "is_sensitive",
]  # fmt: skip

# in this order: what says that it is the target, then what a decision or an outcome is often called
TARGETS = (
    "target", "label", "labels", "y", "y_true", "class", "class_index", "class_id", "class_label", "outcome",
    "ground_truth", "truth", "gt", "response", "income", "approve", "approved", "approval", "accepted", "granted",
    "admitted", "hired", "default", "defaulted", "credit_risk", "risk", "two_year_recid", "recid", "is_recid",
    "recidivism", "churn", "churned", "exited", "attrition", "fraud", "is_fraud", "spam", "is_spam", "survived",
    "diagnosis", "disease", "readmitted", "died", "mortality", "sentiment", "category", "species", "quality", "price",
)  # fmt: skip
SCORE = (
    "score", "scores", "y_score", "prob", "probs", "p", "proba", "probability", "probabilities", "y_prob", "y_proba",
    "pred_prob", "pred_proba", "prediction_score", "predicted_probability", "confidence",
)  # fmt: skip
PREDICTION = (
    "prediction", "predictions", "pred", "preds", "predicted", "y_pred", "yhat", "y_hat", "predicted_label",
    "predicted_class", "model_output",
)  # fmt: skip
ENDS = ("score", "prob", "proba", "probability", "pred", "prediction")  # of a name: `decile_score`
SPLIT = ("split", "set", "subset", "fold", "partition", "dataset_split", "usage")
TESTED = ("test", "testing", "eval", "evaluation", "holdout", "held_out", "val", "valid", "validation", "dev")
TRAINED = ("train", "training", "trn")
SENSITIVE = frozenset(
    """
    sex sexe gender genre geschlecht genero race races racial ethnicity ethnic ethnicities ethnie age ages alter edad
    nationality nationalities nation citizen citizenship foreign migrant migration immigrant immigration religion
    religious faith disability disabled disabilities handicap marital married marriage familienstand orientation
    lgbt lgbtq pregnant pregnancy maternity caste tribe indigenous skin complexion fitzpatrick language birthplace
    veteran minority
    """.split()  # noqa: SIM905 - a list of names
)
TOGETHER = ("native country", "country of birth", "birth country", "civil status", "date of birth", "birth year")
IDENTIFIER = re.compile(r"(?:.*_)?(?:id|ids|uuid|guid|index|idx|key|rowid|row|no|nr)|unnamed_\d*", re.IGNORECASE)


def is_called(name: str, words: tuple[str, ...]) -> int | None:
    """The place of a column's name among `words`, however it is written; None where it is none of them."""
    joined = "_".join(_words(name))
    return words.index(joined) if joined in words else None


def is_like_answers(name: str) -> bool:
    """Whether a column's name ends as those of scores and predictions do."""
    return _words(name)[-1:] != [] and _words(name)[-1] in ENDS


def is_sensitive(name: str) -> bool:
    """Whether a column's name says that it holds what a person may not be treated differently for."""
    words = _words(name)
    return bool(SENSITIVE & set(words)) or any(together in " ".join(words) for together in TOGETHER)


def is_identifier(name: str) -> bool:
    """Whether a column is called as row numbers and keys are."""
    return IDENTIFIER.fullmatch("_".join(_words(name))) is not None


def _words(name: str) -> list[str]:
    """`maritalStatus` and `Marital-Status` as marital, status."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [w.lower() for w in re.split(r"[^0-9A-Za-z]+", parted) if w]
