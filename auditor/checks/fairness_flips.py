"""fairness.flips: how many answers change when a row is as another group would have it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from auditor.errors import NotApplicable
from auditor.explained.samples import is_image
from auditor.fairness.sentences import sentence_flips
from auditor.fairness.table_flips import table_flips
from auditor.fairness.text_flips import text_flips, vocabulary_of
from auditor.registry import Context, check, sizes
from auditor.types import Result

Template = Annotated[str, Field(pattern=r"\{person\}", max_length=1000)]


@check(
    "fairness.flips",
    title="Changed groups",
    measures=(
        "favourable_shift", "favourable_shift_with_proxies", "flip_rate", "flip_rate_by_chance",
        "flip_rate_with_proxies", "flips_above_chance", "score_change", "score_change_with_proxies",
        "template_difference", "template_flip_rate", "template_score",
    ),
    source="Kusner et al. 2017, arXiv:1703.06856; Feldman et al. 2015, arXiv:1412.3756; Plecko & Meinshausen 2020, "
    "arXiv:1911.06685 (quantiles); Garg et al. 2019, arXiv:1809.10610; Caliskan et al. 2017, arXiv:1608.07187 (names)",
)  # fmt: skip
def flips(
    ctx: Context,
    *,
    samples: int = sizes(500, 2000, 10_000),
    smallest_group: Annotated[int, Field(ge=2)] = 10,
    templates: tuple[Template, ...] = (),
) -> Result:
    """How often the answer changes when a row is made one of another group, alone and with what goes with the group.

    What it measures: of `samples` rows of a table (0: all) each is made one of every other named group of a sensitive
    attribute, among the 20 largest of at least `smallest_group` rows; it counts where any of them gives another answer.
    `flip_rate`, where the attribute is an input column: that column alone takes the value that the other group has; of
    numbers that were cut into ranges the one at the same quantile of the other range. `flip_rate_with_proxies`: every
    input column that goes with the attribute beyond chance (Kolmogorov-Smirnov, chi-square or Fisher;
    Benjamini-Hochberg at .1) moves, too: numbers to the same quantile of the other group, of categories and flags as
    few as the other group's shares need. An attribute that is no input has this figure alone. `flip_rate_by_chance`:
    the proxies moved between groups as large that are drawn by lot; `flips_above_chance`: how many more rows the real
    groups turn. `favourable_shift` of a group: how many more of its rows would get the favourable answer as the other
    groups, their mean; `score_change`: by how much its probability, or the value of a model without classes, would
    rise. Both are there with proxies, too.

    Texts need no sensitive column. In at most `samples` texts that hold one, English words (she, father, Mrs) and first
    names are swapped for those of the other gender, and names for those of the other of two ethnicities; in a text with
    both kinds each becomes the other. Sentences (`templates`, in which {person} stands for a person; empty: twelve of
    our own) are asked about pairs of persons, which are the unit: `template_flip_rate` is the share of sentences with
    another answer for the other person, `template_score` a group's mean probability of the favourable answer,
    `template_difference` the first group's less the second's (female less male, African-American less
    European-American).

    How to read it: 0 is no change. A rule of thumb asks that the interval of `flip_rate` lies below .01. Where a
    `favourable_shift` lies above 0, the group's rows would gain as others. With proxies only what lies above chance
    (`flips_above_chance`) comes from differences between the groups.

    When it misleads: a changed row may be one that nobody is: columns move one by one, and no causal model says which
    of them the group itself moves. A proxy may be a good reason, such as a qualification. A column that tells the group
    only together with others is not found. The names are those of American experiments, and a famous person with
    another first name is nobody. Texts in other languages are not swapped.
    """
    ctx.need_model()
    if is_image(ctx):
        msg = "an attribute cannot be changed in a picture; fairness.groups compares the groups of a metadata column"
        raise NotApplicable(msg)
    if ctx.is_text:
        vocabulary_of(ctx)
        found = text_flips(ctx, samples)
        sentence_flips(ctx, found, templates)
    else:
        _need_groups(ctx)
        found = table_flips(ctx, samples, smallest_group)
    if found.scores:
        ctx.keep_scores(found.row_ids, found.scores)
    return Result(tuple(found.measures), tuple(found.tables), (), tuple(found.caveats))


def _need_groups(ctx: Context) -> None:
    """NotApplicable where there is no group to change, or inputs are no rows of columns."""
    ctx.need_groups()
    if not ctx.columns:
        shape = " x ".join(map(str, ctx.data.shape))
        msg = f"inputs of shape {shape} are neither rows of columns nor texts: no attribute can be changed in them"
        raise NotApplicable(msg)
