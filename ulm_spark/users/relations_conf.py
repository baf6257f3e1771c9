"""Section ``relations``: which links between users count, and how communities are found in them."""

from dataclasses import dataclass

from ulm_spark.config.require import require


@dataclass(frozen=True)
class RelationsConf:
    """Section ``relations``.

    max_users_per_thing: an item, device or address that more users have links nobody. max_links_per_user:
    links of a user that count, the heaviest; one that counts for either end stays. max_links_on_one_machine:
    up to so many links communities are Louvain's, found by one task; above it those of label propagation, by
    all tasks in max_rounds rounds. resolution: above 1 gives more and smaller communities.
    """

    max_users_per_thing: int = 200
    max_links_per_user: int = 20
    max_links_on_one_machine: int = 5_000_000
    max_rounds: int = 20
    resolution: float = 1.0

    def __post_init__(self) -> None:
        least = {"max_users_per_thing": 2, "max_links_per_user": 1, "max_links_on_one_machine": 0, "max_rounds": 1}
        for name, bar in least.items():
            value = getattr(self, name)
            require(value >= bar, f"relations.{name}", value, f"at least {bar}")
        require(self.resolution > 0, "relations.resolution", self.resolution, "a number above 0")
