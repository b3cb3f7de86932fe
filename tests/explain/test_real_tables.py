"""Adult and COMPAS: real tables, a small network trained on each, explained with a bar for every column of the file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from auditor.config import load_audit_file
from auditor.opening import open_audit
from tests import zoo
from tests.checks.audited import measures, result_of
from tests.shared import SHARED, model_of, needs_shared

pytestmark = needs_shared
ROWS = 1500


@dataclass(frozen=True)
class Real:
    """A table of ../shared/data with the columns that its model sees, and what it says."""

    file: str
    target: str
    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    keep: Callable[[pd.DataFrame], pd.DataFrame] = lambda rows: rows


TABLES = {
    "adult": Real(
        "adult.csv",
        "income",
        ("age", "education_num", "capital_gain", "capital_loss", "hours_per_week"),
        ("workclass", "marital_status", "occupation", "sex"),
    ),
    "compas": Real(
        "compas-scores-two-years.csv",
        "two_year_recid",
        ("age", "priors_count", "juv_fel_count"),
        ("sex", "race", "c_charge_degree", "age_cat"),
        lambda rows: rows[rows["days_b_screening_arrest"].between(-30, 30) & (rows["is_recid"] != -1)],
    ),
}


@pytest.fixture(scope="module", params=TABLES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> zoo.Case:
    """The model, trained on rows that it is not audited on, opened as `auditor run` does."""
    table, folder = TABLES[request.param], tmp_path_factory.mktemp(request.param)
    rows = table.keep(pd.read_csv(SHARED / "tabular" / table.file, keep_default_na=False, na_values=[""]))
    rows = rows.sample(2 * ROWS, random_state=0)
    rows[[*table.numbers, *table.categories, table.target]].tail(ROWS).to_csv(folder / "rows.csv", index=False)
    columns = [f'[[columns]]\nname = "{n}"\nkind = "number"\nmean = {rows[n].mean()}\nstd = {rows[n].std()}\n'
               for n in table.numbers]  # fmt: skip
    values = {c: sorted(rows[c].astype(str).unique()) for c in table.categories}
    columns += [f'[[columns]]\nname = "{c}"\nkind = "category"\nvalues = {v}\n' for c, v in values.items()]
    classes = sorted(rows[table.target].astype(str).unique())
    width = len(table.numbers) + sum(map(len, values.values()))
    (folder / "audit.toml").write_text(
        f'[model]\npath = "w.safetensors"\narchitecture = "mlp:{width}-32-16-2"\n[data]\npath = "rows.csv"\n'
        f'target = "{table.target}"\nclasses = {classes}\n' + "\n".join(columns)
    )
    blank = nn.Sequential(nn.Linear(width, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 2))
    save_file(blank.state_dict(), folder / "w.safetensors")
    opened = open_audit(load_audit_file(folder / "audit.toml"), folder)
    found = zoo.Case(model_of(opened), opened.data)
    train(found, rows.head(ROWS), table, values, classes)
    return found


def train(case: zoo.Case, rows: pd.DataFrame, table: Real, values: dict[str, list[str]], classes: list[str]) -> None:
    """By hand: standardised numbers, then a place for each value of each category."""
    parts = [rows[n].to_numpy(np.float32)[:, None] for n in table.numbers]
    shown = [c for c in case.data.columns if c.kind == "number"]
    parts = [(p - c.mean) / c.std for p, c in zip(parts, shown, strict=True)]
    parts += [np.stack([(rows[c].astype(str) == v).to_numpy(np.float32) for v in found], 1)
              for c, found in values.items()]  # fmt: skip
    x = torch.from_numpy(np.concatenate(parts, 1).astype(np.float32))
    y = torch.tensor([classes.index(v) for v in rows[table.target].astype(str)])
    torch.manual_seed(0)
    module = case.model.module.train()
    optimiser = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(60):
        loss = nn.functional.cross_entropy(module(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    module.eval()


def test_the_network_has_learned_something(case: zoo.Case) -> None:
    right = measures(result_of(case, "performance.accuracy"), "accuracy")[""]
    share = measures(result_of(case, "performance.accuracy"), "majority_share")[""]

    assert right.low > share.value


@pytest.mark.parametrize(("check", "figure"), [("explain.lrp", "ledger_error"), ("explain.smoothgrad", None),
                                               ("explain.integrated_gradients", "completeness_error")])  # fmt: skip
def test_every_column_of_the_file_has_one_signed_bar(case: zoo.Case, check: str, figure: str | None) -> None:
    result = result_of(case, check, samples=4, **({"steps": 512} if figure == "completeness_error" else {}))
    bars = [t for t in result.tables if t.columns[:2] == ("column", "value")]
    names = {c.name for c in case.data.columns}

    assert len({t.title for t in bars}) == 4
    for table in bars:
        assert {str(row[0]) for row in table.rows} == names
    effects = [float(row[2] or 0.0) for table in bars for row in table.rows]
    assert min(effects) < 0 < max(effects)
    if figure == "ledger_error":
        assert (measures(result, figure)[""].value or 0.0) < 1e-4
    if figure == "completeness_error":
        assert (measures(result, figure)[""].value or 0.0) < 0.01
