"""Configurations in the web admin: stored, opened by digest, compared, and named in the version that asks for one."""

import hashlib
import html
from urllib.parse import quote

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from governance.acts import Role
from governance.gates import gates_of
from governance.models import AISystem, ConfigurationSnapshot, Person
from governance.scopes import Scope
from governance.services.configurations import MAX_BYTES, store_configuration
from tests.factories.register import actor_of, give_role, make_person, make_system
from tests.factories.versions import engineer_of, make_approved, make_version

pytestmark = pytest.mark.django_db
FIRST, SECOND = b'{"threshold": 0.50, "model": "a"}', b'{"threshold": 0.6, "model": "a", "top": 1}\r\n'


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit", risk_class=AISystem.RiskClass.HIGH)


@pytest.fixture
def engineer(system: AISystem) -> Person:
    return engineer_of(system)


def browser(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def url(system: AISystem, place: str = "") -> str:
    return f"/admin/systems/{system.pk}/configurations/{place}"


def kept(system: AISystem, person: Person, content: bytes) -> ConfigurationSnapshot:
    return store_configuration(actor=actor_of(person), system_id=system.pk, content=content)


def test_a_high_risk_version_passes_its_gate_by_hand_alone(system: AISystem, engineer: Person) -> None:
    version, mine = make_version(system), browser(engineer)
    assert url(system) in mine.get(f"/admin/systems/{system.pk}/").content.decode()
    page = mine.get(f"/admin/governance/modelversion/{version.pk}/change/").content.decode()
    assert url(system) in page, "the gate that is not met leads there"
    file = SimpleUploadedFile("configuration.json", SECOND)
    stored = mine.post(url(system), {"file": file, "text": "", "algorithm": "sha256"})
    digest = f"sha256:{hashlib.sha256(SECOND).hexdigest()}"
    assert (stored.status_code, stored["Location"]) == (302, url(system, f"{digest}/"))
    page = mine.get(stored["Location"]).content.decode()
    assert digest in page and '"top": 1' in html.unescape(page)
    assert mine.post(url(system, f"{digest}/name"), {"version": str(version.pk)}).status_code == 302
    version.refresh_from_db()
    assert version.config_digest == digest
    assert all(each.is_met for each in gates_of(version) if each.code == "configuration")
    assert version.version in mine.get(url(system)).content.decode()
    assert mine.get(url(system, f"{digest}.json")).content == SECOND


def test_a_text_is_stored_with_plain_line_ends(system: AISystem, engineer: Person) -> None:
    answer = browser(engineer).post(url(system), {"text": '{\r\n"a": 1}', "algorithm": "sha512"})
    digest = hashlib.sha512(b'{\n"a": 1}').hexdigest()
    assert answer["Location"] == url(system, f"sha512:{digest}/")


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"text": ""}, "one of the two"),
        ({"text": "[1]"}, "it is JSON, but no object"),
        ({"text": "{"}, "It cannot be read"),
        ({"text": '{"a": "' + "x" * MAX_BYTES + '"}'}, "at most 262,144"),
        ({"text": "{}", "algorithm": "md5"}, "Select a valid choice"),
    ],
)
def test_what_is_none_is_refused_on_the_page_and_stays_typed(
    system: AISystem, engineer: Person, sent: dict[str, str], said: str
) -> None:
    answer = browser(engineer).post(url(system), {"algorithm": "sha256", **sent})
    assert answer.status_code == 422 and said.lower() in html.unescape(answer.content.decode()).lower()
    assert not ConfigurationSnapshot.objects.exists()


def test_opened_by_its_digest_and_compared_with_another(system: AISystem, engineer: Person) -> None:
    first, second = kept(system, engineer, FIRST), kept(system, engineer, SECOND)
    viewer = browser(make_person(viewer=system))
    assert viewer.get(url(system, f"open?digest={quote(first.digest)}"))["Location"] == url(system, f"{first.digest}/")
    unknown = viewer.get(url(system, "open?digest=sha256:00"))
    assert unknown.status_code == 422 and "No configuration of this digest is kept" in unknown.content.decode()
    assert 'value="sha256:00"' in unknown.content.decode(), "what was typed stays"
    page = html.unescape(viewer.get(url(system, f"{first.digest}/")).content.decode())
    assert '"threshold": 0.50' in page, "as it was written"
    both = f"compare?before={quote(first.digest)}&after={quote(second.digest)}"
    nothing = viewer.get(url(system, f"compare?before=sha256:00&after={quote(second.digest)}"))
    assert nothing.status_code == 422 and "No configuration of this digest is kept" in nothing.content.decode()
    assert viewer.get(url(system, f"compare?before={quote(first.digest)}&after=sha256:00")).status_code == 404
    compared = viewer.get(url(system, both)).content.decode()
    assert "2 differences" in compared and "/threshold" in compared and "<del>0.50</del>" in compared
    assert (
        "byte for byte"
        in viewer.get(url(system, both.replace(quote(second.digest), quote(first.digest)))).content.decode()
    )


def test_who_may_see_the_system_reads_and_others_learn_nothing(system: AISystem, engineer: Person) -> None:
    held, version = kept(system, engineer, FIRST), make_version(system)
    viewer, stranger = make_person(viewer=system), make_person()
    give_role(stranger, Role.TECHNICAL_OWNER, Scope.system(make_system().pk))
    assert "Store it" not in browser(viewer).get(url(system)).content.decode()
    assert browser(viewer).post(url(system), {"text": "{}", "algorithm": "sha256"}).status_code == 403
    name = url(system, f"{held.digest}/name")
    assert browser(viewer).post(name, {"version": str(version.pk)}).status_code == 403
    for place in ("", f"{held.digest}/", f"{held.digest}.json", f"open?digest={held.digest}"):
        assert browser(stranger).get(url(system, place)).status_code == 404
    assert browser(stranger).post(name, {"version": str(version.pk)}).status_code == 404


def test_a_version_that_was_approved_is_not_offered(system: AISystem, engineer: Person) -> None:
    held = kept(system, engineer, FIRST)
    limited = make_system(risk_class=AISystem.RiskClass.LIMITED)
    approved = make_approved(limited)
    answer = browser(engineer).post(url(system, f"{held.digest}/name"), {"version": str(approved.pk)})
    assert answer.status_code == 422


def test_more_than_a_page_are_turned_over(system: AISystem, engineer: Person) -> None:
    rows = [kept(system, engineer, b'{"n": %d}' % number) for number in range(52)]
    client = browser(engineer)
    page = client.get(url(system)).content.decode()
    assert rows[-1].digest in page and rows[0].digest not in page
    assert rows[0].digest in client.get(url(system, f"?before={rows[2].pk}")).content.decode()
