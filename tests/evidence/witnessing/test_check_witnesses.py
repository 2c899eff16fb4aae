"""`manage.py check_witnesses`: what is asked before the service starts, and after a restore."""

import io

import pytest
from django.core.management import CommandError, call_command

from evidence.models import Anchor
from ledger.heads import head_store
from ledger.models import Contradiction, Log
from ledger.selectors import latest_head
from tests.evidence.conftest import Organisation, found_organisation
from tests.evidence.test_custody import forget_head
from tests.evidence.witnessing.conftest import Configure, sweep, trust_all
from tests.evidence.witnessing.strict_witness import StrictWitness
from tests.evidence.witnessing.test_witness_heads import remember

pytestmark = pytest.mark.committing  # it asks in threads of its own: what they see was committed


def check(*options: str) -> tuple[int, str]:
    """Its exit code, and what it says."""
    out = io.StringIO()
    try:
        call_command("check_witnesses", *options, stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def organisation(transactional_db: None) -> Organisation:
    return found_organisation(decisions=30)


@pytest.fixture
def watched(organisation: Organisation, configure: Configure, witness: StrictWitness) -> StrictWitness:
    configure(witness)
    trust_all(witness)
    sweep()
    return witness


def test_without_witnesses_it_says_so(organisation: Organisation) -> None:
    assert check() == (0, "No witness is configured (ANSWERABLE_WITNESS_POLICY_FILE).\n")


def test_a_policy_that_cannot_be_read_is_an_error(
    organisation: Organisation, configure: Configure, witness: StrictWitness
) -> None:
    configure(witness).write_text("x\n")
    with pytest.raises(CommandError, match="policy: line 1"):
        call_command("check_witnesses")


def test_all_that_fits_is_told_and_at_a_start_it_is_not(watched: StrictWitness) -> None:
    code, said = check()
    assert code == 0 and said.count("it is in the database") == Log.objects.count()
    assert check("--at-start") == (0, "")


def test_logs_that_were_never_sent_are_asked_about_all_the_same(
    organisation: Organisation, watched: StrictWitness
) -> None:
    """A database from before its first cosignature has no rows about witnesses."""
    Anchor.objects.all().delete()
    code, said = check()
    assert code == 0 and said.count("it is in the database") == Log.objects.count()


def test_a_restored_old_database_is_told_and_stopped(organisation: Organisation, watched: StrictWitness) -> None:
    log = organisation.log
    size = latest_head(log.id).tree_size
    remember(watched, log, size + 12, bytes(32))
    code, said = check("--at-start")
    assert code == 0 and f"CONTRADICTED {log.origin}: w1: it is larger than the log is here ({size + 12:,}" in said
    assert Contradiction.objects.get().tree_size == size + 12
    assert check()[0] == 1


def test_one_that_is_not_there_is_told_and_stops_nothing(watched: StrictWitness) -> None:
    watched.behave = lambda _, handler: (503, b"", "text/plain")
    code, said = check()
    assert code == 3 and "it could not be asked. Told to wait. HTTP 503" in said
    assert check("--at-start")[0] == 0
    assert not Contradiction.objects.exists()


def test_a_host_that_lost_its_head_store_gets_its_heads_from_the_witnesses(
    organisation: Organisation, watched: StrictWitness
) -> None:
    forget_head(organisation.log)
    code, said = check("--adopt")
    assert code == 0 and f"{organisation.log.origin}: adopted a head of" in said
    assert head_store().head(organisation.log.id) is not None
    forget_head(organisation.log)
    watched.heads.clear()
    code, said = check("--adopt")
    assert code == 0 and f"{organisation.log.origin}: not adopted." in said
    assert head_store().head(organisation.log.id) is None
