"""What the terms of a report mean, in plain words."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GLOSSARY", "Term"]


@dataclass(frozen=True)
class Term:
    """A word of the report in a sentence or two. `checks` are the ids of checks that use it, as prefixes."""

    name: str
    meaning: str
    checks: tuple[str, ...] = ("",)


GLOSSARY = (
    Term("Accuracy", "Share of rows called correctly. Higher is better: 0.66 means 66 of 100.", ("performance.",)),
    Term(
        "95 % interval",
        "The range in which the true figure plausibly lies, given so many rows: narrow with many, wide with few.",
    ),
    Term("Limit", "A number that the policy sets. The report judges against it and against nothing else."),
    Term("Judgement", "One figure held against one limit: a limit on every group gives as many as there are groups."),
    Term(
        "Undecided",
        "These rows cannot say which side of the limit is true: the interval holds it or is not there, or the figure "
        "is one of several judgements of a check and its own interval leaves the limit out by too little for so many "
        "(Holm). More rows can.",
    ),
    Term("Measured", "The check ran, and no limit names its figures."),
    Term("Recall", "Of the rows that are of a class, the share that is called it.", ("performance.",)),
    Term("Precision", "Of the rows called a class, the share that is of it.", ("performance.",)),
    Term(
        "Robust accuracy",
        "Accuracy when someone may change every input by a given amount and picks the worst change found.",
        ("robustness.",),
    ),
    Term(
        "Epsilon",
        "The size of a change, of pixels from 0 to 1, of columns in deviations: the largest, in l2 the length of all.",
        ("robustness.",),
    ),
    Term("Selection rate", "Share of a group that gets the favourable answer.", ("fairness.",)),
    Term("True positive rate", "Of a group's truly favourable rows, the share that is found (tpr).", ("fairness.",)),
    Term(
        "False positive rate", "Of a group's other rows, the share wrongly told the favourable (fpr).", ("fairness.",)
    ),
    Term(
        "Impact ratio",
        "How often a group gets the favourable answer, over how often the most favoured group does.",
        ("fairness.",),
    ),
    Term("Proxy", "A column that tells which group a row is of, whether or not the group is an input.", ("fairness.",)),
    Term(
        "Consistency",
        "Share of a row's nearest rows that get its answer. 1: who is alike is treated alike.",
        ("fairness.consistency",),
    ),
    Term(
        "Slice",
        "The rows that have the same values in one to three columns, such as an age range and a kind of work.",
        ("fairness.slices",),
    ),
    Term("Heatmap", "A picture of which parts moved the answer: orange speaks for it, blue against.", ("explain.",)),
    Term("Logit", "The number that the model turns into a probability.", ("explain.",)),
    Term(
        "Relevance",
        "The share of the logit that a part of the input holds: all shares and those of constants add up to it.",
        ("explain.lrp",),
    ),
    Term("Ledger error", "What LRP's shares leave out of the logit they explain. 0 is exact.", ("explain.lrp",)),
    Term(
        "Baseline",
        "The input that stands for no information: integrated gradients explain the difference to its output.",
        ("explain.integrated_gradients",),
    ),
    Term(
        "Completeness error",
        "What the shares of integrated gradients leave out of the difference to the baseline. 0 is exact.",
        ("explain.integrated_gradients",),
    ),
    Term(
        "Attention",
        "Where the model fetches what it mixes: routing, not importance. What it fetches may not matter.",
        ("explain.attention",),
    ),
    Term(
        "Fidelity",
        "How well a simple model follows the real one in rows it has not seen: LIME's nearby, rules everywhere. 1 is "
        "exactly.",
        ("explain.lime", "explain.rules"),
    ),
    Term(
        "Stability of LIME",
        "How alike its weights would be if it drew other neighbours. 1 is the same, 0 is chance.",
        ("explain.lime",),
    ),
    Term(
        "Standard error",
        "How far chance may have moved a bar of SHAP, against the largest bar: two of them make its interval.",
        ("explain.shap",),
    ),
    Term(
        "Importance",
        "What accuracy loses when a column's values are exchanged: among all rows, or among alike ones only.",
        ("explain.global",),
    ),
    Term("Partial dependence", "The mean answer when every row is given the same value.", ("explain.global",)),
    Term(
        "ALE",
        "How the answer moves when rows change within their own neighbourhood, so that none becomes impossible.",
        ("explain.global",),
    ),
    Term(
        "Anchor",
        "Conditions of a row that keep its answer in nearly all rows that meet them, whatever else these hold.",
        ("explain.rules",),
    ),
    Term(
        "Counterfactual",
        "A change of a row that gets another answer: the fewest columns, moved as little as was found.",
        ("explain.counterfactuals",),
    ),
    Term(
        "MAD",
        "Median absolute deviation, a column's usual spread: how far half of its values lie from their median.",
        ("explain.counterfactuals",),
    ),
    Term(
        "Fill agreement",
        "Whether occlusion puts the parts in the same order when they are hidden in another way. 1 is the same.",
        ("explain.occlusion",),
    ),
    Term(
        "Shortcut",
        "A place of the image or a word that decides a class whatever else a row shows, as a watermark does.",
        ("explain.shortcuts",),
    ),
    Term(
        "Deletion, insertion",
        "The mean answer while the best parts of a method are hidden first: low is good. Or shown first: high is good.",
        ("explain.faithfulness",),
    ),
    Term(
        "Sensitivity-n, infidelity",
        "Whether shares add up to what hiding their parts takes away: as a correlation, and as what they leave open.",
        ("explain.faithfulness",),
    ),
    Term(
        "Model-free order",
        "Parts by what stands out without the model: edges, columns far from their mean, long words.",
        ("explain.faithfulness",),
    ),
    Term(
        "Brier score",
        "How far the probabilities lie from what was true: 0 certain and right, 2 certain and wrong.",
        ("performance.",),
    ),
    Term(
        "Proved accuracy",
        "Share of rows that no change within the size can turn, by mathematics and not by failed attempts.",
        ("robustness.certified",),
    ),
    Term(
        "Area (AUROC)",
        "How often a row of one kind scores higher than one of the other: 1 always, 0.5 as a coin would.",
        ("robustness.ood", "robustness.detection", "robustness.shift", "fairness.proxies"),
    ),
    Term(
        "Corruption",
        "What happens to inputs with no enemy about: noise, blur, weather, mistakes in a column, untidy writing.",
        ("robustness.corruption",),
    ),
    Term(
        "Shift",
        "The audited rows are of another kind than the reference: by their columns, their labels, or both.",
        ("robustness.shift",),
    ),
    Term(
        "Random weights",
        "The same model as if it had learnt nothing: explanations that stay as they are do not show what it learnt.",
        ("explain.sanity",),
    ),
    Term(
        "Steady",
        "A row whose explanation changes by no more than its own size when the input hardly moves.",
        ("explain.stability",),
    ),
    Term(
        "Evidence grade",
        "How far the model could have forged this report: data cannot, a program hardly, code of its own could.",
    ),
)
