"""A table that several tests read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Twelve people; ages 20 to 31, two of them without a city."""
    frame = pd.DataFrame(
        {
            "age": range(20, 32),
            "member": [0, 1] * 6,
            "city": ["x", "y", "z", "x", "y", "?", "x", "", "z", "x", "y", "z"],
            "sex": ["f", "m", "m", "f", "f", "m", "f", "m", "m", "f", "NA", "None"],
            "split": ["train", "test", "test"] * 4,
            "p": np.linspace(0.0, 1.0, 12),
            "y": [0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1, 1],
        }
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    return tmp_path
