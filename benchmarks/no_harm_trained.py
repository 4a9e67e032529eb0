"""Does a linear student that `DistilledModel` trains forecast as the closed form of the benchmark of harm does?

    TSKD_DATA=folder/of/data python benchmarks/no_harm_trained.py

NLinear, trained to convergence by L-BFGS in double precision with the α that `AutoBalance(bold=True)` chooses by
itself, beside the closed form of the same inputs without a penalty (darts' linear students have none that is a ridge);
and beside f₀ + α(f₁ − f₀). Writes `benchmarks/results/no_harm_trained.csv`: root mean squared differences of the
forecasts of the test part, in standard deviations of the training part. `no_harm.py` puts them into the README.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from darts.models import NLinearModel
from no_harm_cells import LOOKBACK, Group, hidden_series, judge, parts_of, teachers
from no_harm_linear import Rows, solved
from no_harm_networks import quiet
from small_networks import QUIET

from tskd import DistilledModel
from tskd.balance import AutoBalance

RESULTS = Path(__file__).parent / "results" / "no_harm_trained.csv"
CELLS = (
    (Group("household", 3, 150, 0), "archive"),
    (Group("illness", 2, 150, 0), "archive"),
    (Group("appliances", 3, 150, 2), "reconstruction"),
)


def differences(group: Group, name: str) -> tuple[float, float, float]:
    """α, and the differences of the trained student from the closed form and from the blend."""
    (part,) = parts = parts_of(group)
    judged = judge(group, parts, teachers(group, parts)[name])
    student = NLinearModel(
        LOOKBACK,
        group.horizon,
        normalize=True,
        batch_size=group.windows,
        n_epochs=30,
        optimizer_cls=torch.optim.LBFGS,
        optimizer_kwargs={"lr": 1.0, "max_iter": 40, "history_size": 40, "line_search_fn": "strong_wolfe"},
        random_state=0,
        pl_trainer_kwargs=QUIET | {"gradient_clip_val": None},
    )
    model = DistilledModel(student, [judged.teacher], balance=AutoBalance(bold=True))
    hidden = {key: series for key, series in hidden_series(parts).items() if key in model._recipe().series_names}
    model.fit([part.series(part.labels, "y", part.start, part.end)], privileged=hidden or None)
    alpha = judged.choices["bold"].alpha
    if not np.isclose(model.chosen_balance.alpha, alpha):
        raise RuntimeError(f"the fit chose {model.chosen_balance.alpha}, its functions {alpha}")
    train, test = Rows(group, parts), Rows(group, parts, test=True)
    # NLinear reads the past relative to its last value alone
    x, out = train.x[:, : LOOKBACK - 1], test.x[:, : LOOKBACK - 1]
    answers = judged.answers - train.level

    def closed(share: float) -> np.ndarray:
        found = solved(x, train.y, answers, share, 0.0)
        return test.level + out @ found[1:] + found[0]

    pasts = [part.series(part.values, "y", at - LOOKBACK + 1, at + 1) for at in test.at]
    trained = np.stack([one.values()[:, 0] for one in model.predict(group.horizon, series=pasts)])
    blend = closed(0.0) + alpha * (closed(1.0) - closed(0.0))
    apart = [float(np.sqrt(((trained - other) ** 2).mean())) for other in (closed(alpha), blend)]
    return alpha, apart[0], apart[1]


def main() -> None:
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    quiet()
    rows = []
    for group, name in CELLS:
        found = dict(zip(("alpha", "from closed form", "from blend"), differences(group, name), strict=True))
        rows.append({"cell": group.key, "teacher": name, **found})
        print(rows[-1], flush=True)
    pd.DataFrame(rows).to_csv(RESULTS, index=False, float_format="%.2g")


if __name__ == "__main__":
    main()
