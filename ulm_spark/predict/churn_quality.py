"""How good are churn probabilities beside simple ones, on a day whose future they have not seen?"""

import numpy as np
from pyspark.sql import DataFrame

from ulm_spark.stats.binary import area_under_curve, log_losses


def measure_holdout(outcomes: DataFrame, base_rate: float) -> dict[str, float]:
    """AUC and log loss of the trees, beside recency alone and the base rate.

    In:   label (1 churned), p_trees, p_recency: one row per user of the label day held out, as many
          as one machine holds; base_rate, the share that churned on the days before it.
    Out:  for ops.churn_models: auc, log_loss, auc_recency, log_loss_recency, log_loss_base_rate,
          holdout_churn_rate, n_holdout.
    """
    rows = outcomes.select("label", "p_trees", "p_recency").collect()
    label, p_trees, p_recency = np.array([tuple(row) for row in rows], dtype=np.float64).T
    is_churned = label == 1
    constant = np.full(len(rows), base_rate)
    return {
        "auc": area_under_curve(p_trees, is_churned),
        "log_loss": float(log_losses(p_trees, is_churned).mean()),
        "auc_recency": area_under_curve(p_recency, is_churned),
        "log_loss_recency": float(log_losses(p_recency, is_churned).mean()),
        "log_loss_base_rate": float(log_losses(constant, is_churned).mean()),
        "holdout_churn_rate": float(is_churned.mean()),
        "n_holdout": float(len(rows)),
    }
