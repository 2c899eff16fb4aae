"""Watching and serving are one witness."""

from ledger.witness.fetching import Fetcher
from ledger.witness.memory import Known
from ledger.witness.watching import look_at_all
from tests.ledger.witness.conftest import NewJudge
from tests.ledger.witness.logs import ORIGIN
from tests.ledger.witness.sites import KEY, LOG, Site


def test_what_it_saw_by_itself_it_answers_with(site: Site, new_judge: NewJudge) -> None:
    """Serving and watching share one memory: a log that asks for a cosignature afterwards is told where it stands."""
    judge = new_judge(f"log {LOG.vkey} {site.log_url}")
    site.serve(300)
    [seen] = look_at_all(judge, Fetcher(KEY), now=1_800_000_000)
    assert seen.code == 0
    kept = judge.memory.known(ORIGIN)
    assert kept != Known() and kept.cosigned_at == 1_800_000_000
    assert judge.add_checkpoint(LOG.request(0, 400), now=1_800_000_001).body == "300\n"
    assert judge.add_checkpoint(LOG.request(300, 400), now=1_800_000_001).status == 200
