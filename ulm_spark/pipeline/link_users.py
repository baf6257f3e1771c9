"""Orders and events to links and communities: the lake on one side, the graph on the other."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.identity import IDENTITIES
from ulm_spark.contracts.relations import USER_COMMUNITIES, USER_LINKS
from ulm_spark.contracts.silver import ORDER_LINES
from ulm_spark.events.identity_history import attribute_users
from ulm_spark.events.identity_moves import known_now
from ulm_spark.lake.run import Run
from ulm_spark.pipeline.attributed import Attribution, attributed_events
from ulm_spark.pipeline.resolve_identities import keep_frame
from ulm_spark.users.communities import fit_communities
from ulm_spark.users.links import link_users, list_known, list_referrals, list_uses
from ulm_spark.users.relations_conf import RelationsConf


def relate_users(ledger: Run, relations: RelationsConf, zone: str, identity: Attribution) -> None:
    """Writes the day's links, then the communities of the links that were written."""
    day, events = ledger.as_of, attributed_events(ledger, identity)
    uses = list_uses(ledger.read(ORDER_LINES), events, day, zone)
    referrals = _by_person(ledger, list_referrals(events, day, zone), identity)
    ledger.replace(link_users(uses, referrals, list_known(events, day, zone), relations, day), USER_LINKS)
    links = ledger.read(USER_LINKS).where(F.col("as_of") == F.lit(day))
    n_links = links.count()
    ledger.progress(f"links between users: {n_links}")
    ledger.replace(fit_communities(links, n_links, relations, day, keep_frame), USER_COMMUNITIES)


def _by_person(ledger: Run, referrals: DataFrame, identity: Attribution) -> DataFrame:
    """The referrals with the person of who brought, where events go by person."""
    if not identity.attributes_users:
        return referrals
    return attribute_users(referrals, known_now(ledger.read(IDENTITIES)))
