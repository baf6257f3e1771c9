"""Gold: in which stage of life each user is, how they came there, and how users move from stage to stage."""

from ulm_spark.contracts.gold import AS_OF, USER
from ulm_spark.contracts.table import Column, Table

STAGES = ("acquisition", "growth", "maturity", "decline", "churned", "won_back")
"""Stages of life, in the order in which most go through them; a stage's place is its number."""
STAGE_MODELS = ("rules", "hidden_markov")

_IN_WORDS = ", ".join(STAGES)
_PERIOD = Column("period_on", "DATE", "Last local day of the period; the latest ends with as_of")
_STAGE = Column(
    "stage",
    "STRING",
    f"By the rules: {_IN_WORDS}. Nobody bought yet in acquisition; below stages.rules.mature_purchases orders is growth, from them on maturity; silence of late_enter usual gaps is decline, of lost_enter churned, which a buyer leaves by a purchase alone, then won_back for won_back_days",
)
_MODEL_STAGE = Column(
    "model_stage",
    "STRING",
    "By the hidden Markov model: from this period and those before it, with the parameters that all up to as_of gave. A user is first told active or lost by stages.model.active_least; the lost are churned or in decline by churned_least, active buyers won_back by back_least, else as the rules name their orders",
)

USER_STAGES = Table(
    name="gold.user_stages",
    grain="One row per user with a day in silver.user_days by as_of.",
    key=("as_of", "user_id"),
    columns=(
        AS_OF,
        USER,
        _STAGE,
        Column("stage_since", "DATE", "Last day of the first of the periods in a row that ended in stage"),
        Column("n_periods_in_stage", "INT", "How many these are, within stages.memory_periods", unit="periods"),
        _MODEL_STAGE,
        Column(
            "p_model_stage",
            "DOUBLE",
            "Probability of the hidden state behind model_stage; small where the user is likely active or lost, and which of the states within is open",
        ),
        Column("p_active", "DOUBLE", "Probability that the user is neither fading nor away, by the model"),
    ),
    partition_by=("as_of",),
    writer="stage_users",
    readers=("build_report",),
)

STAGE_HISTORY = Table(
    name="gold.stage_history",
    grain="One row per user and period of the last stages.history_periods, from the user's first on.",
    key=("as_of", "user_id", "period_on"),
    columns=(AS_OF, USER, _PERIOD, _STAGE, _MODEL_STAGE),
    partition_by=("as_of",),
    writer="stage_users",
)

STAGE_TRANSITIONS = Table(
    name="gold.stage_transitions",
    grain="One row per model, period of gold.stage_history, and pair of stages that users had at the end of the period before and at its end.",
    key=("as_of", "model", "period_on", "from_stage", "to_stage"),
    columns=(
        AS_OF,
        Column("model", "STRING", f"What told the stages: {' or '.join(STAGE_MODELS)}"),
        _PERIOD,
        Column("from_stage", "STRING", "At the end of the period before; the same as to_stage for who stayed"),
        Column("to_stage", "STRING", "At the end of the period"),
        Column("n", "BIGINT", "Users", unit="users"),
        Column("share", "DOUBLE", "Of the users who came from from_stage in the period"),
    ),
    partition_by=("as_of",),
    writer="stage_users",
    readers=("build_report",),
)

TABLES: tuple[Table, ...] = (USER_STAGES, STAGE_HISTORY, STAGE_TRANSITIONS)
