"""A second factor: enrolled, demanded at sign-in, used once, replaced, removed, reset."""

import re
import time
from datetime import timedelta

import pyotp
import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from governance import rights
from governance.acts import Act
from governance.errors import CodeRefused, CredentialsGuarded, LastFactor
from governance.models import Person, RecoveryCode, TotpFactor
from governance.services.factors import make_recovery_codes, remove_factor, reset_factors, use_code
from governance.sign_in.totp import INTERVAL, matching_step, new_secret
from ledger.models import Entry, Particulars
from tests.factories.register import actor_of, make_person
from tests.factories.sign_in import PASSWORD, with_app, with_password

pytestmark = pytest.mark.django_db
LOGIN, SECOND, OWN = "/admin/login/", "/admin/login/second/", "/admin/your-sign-in/"


@pytest.fixture
def person() -> Person:
    return with_password(make_person(email="ada@example.org"))


def password_given(**extra: str) -> Client:
    browser = Client()
    answer = browser.post(LOGIN, {"username": "ada@example.org", "password": PASSWORD, **extra})
    assert answer.status_code == 302, answer.content
    return browser


def is_signed_in(browser: Client) -> bool:
    return browser.get(OWN).status_code == 200


def test_the_codes_are_those_of_rfc_6238() -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # the RFC's own, in base 32
    assert matching_step(secret, "287082", now=59) == 1
    assert matching_step(secret, "081804", now=1111111109) == 37037036
    assert matching_step(secret, "287082", now=59 + 3 * INTERVAL) is None
    assert matching_step(secret, "287082", after=1, now=59) is None


def test_with_an_app_a_password_alone_signs_nobody_in(person: Person) -> None:
    app = with_app(person)
    browser = password_given(next="/admin/governance/person/")
    assert not is_signed_in(browser)
    assert "not right" in browser.post(SECOND, {"code": "000000"}).content.decode()
    assert not is_signed_in(browser)
    answer = browser.post(SECOND, {"code": app.now()})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/governance/person/")
    assert is_signed_in(browser)


def test_a_code_is_taken_once(person: Person) -> None:
    app = with_app(person)
    code = app.now()
    assert password_given().post(SECOND, {"code": code}).status_code == 302
    assert password_given().post(SECOND, {"code": code}).status_code == 200


def test_the_second_step_without_a_first_leads_back(person: Person) -> None:
    with_app(person)
    assert Client().post(SECOND, {"code": "000000"}).headers["Location"] == LOGIN


def test_the_first_step_counts_for_five_minutes_and_while_the_password_stands(person: Person) -> None:
    app = with_app(person)
    late, changed = password_given(), password_given()
    session = late.session
    session["sign_in_waiting"] = [*session["sign_in_waiting"][:2], time.time() - 301, "/admin/"]
    session.save()
    assert late.post(SECOND, {"code": app.now()}).headers["Location"] == LOGIN
    with_password(person, "another one that is long")
    assert changed.post(SECOND, {"code": app.now()}).headers["Location"] == LOGIN


def enrolled_on_the_page(browser: Client) -> tuple[pyotp.TOTP, list[str]]:
    page = browser.post(f"{OWN}app/").content.decode()
    found = re.search(r"([A-Z2-7]{4} ){7}[A-Z2-7]{4}", page)
    assert found and "<svg" in page
    app = pyotp.TOTP(found[0].replace(" ", ""))
    assert "not right" in browser.post(f"{OWN}app/", {"code": "000000"}).content.decode()
    shown = browser.post(f"{OWN}app/", {"code": app.now()})
    assert "no-store" in shown.headers["Cache-Control"]
    return app, re.findall(r"<li>(\w{4}-\w{4}-\w{4})</li>", shown.content.decode())


def test_an_app_is_enrolled_on_ones_own_page_with_recovery_codes_shown_once(person: Person) -> None:
    browser = password_given()
    app, codes = enrolled_on_the_page(browser)
    assert len(set(codes)) == 10
    page = browser.get(OWN).content.decode()
    assert not any(code in page for code in codes) and "10 of 10" in page
    for code in (codes[0].upper(), codes[1].replace("-", " ")):
        assert password_given().post(SECOND, {"code": code}).status_code == 302
        assert password_given().post(SECOND, {"code": code}).status_code == 200
    assert "8 of 10" in browser.get(OWN).content.decode()
    stored = TotpFactor.objects.get()
    assert app.secret.encode() not in bytes(stored.sealed_secret)


def test_neither_log_nor_history_holds_a_secret(person: Person) -> None:
    app = with_app(person)
    codes = make_recovery_codes(actor=actor_of(person))
    use_code(person=person, code=codes[0])
    kinds = list(Entry.objects.filter(kind__in=KINDS).order_by("id").values_list("kind", flat=True))
    assert kinds == ["factor.enrolled", "recovery_codes.made", "recovery_code.used"]
    kept = b"".join(bytes(each) for each in Entry.objects.values_list("data", flat=True))
    kept += b"".join(bytes(each or b"") for each in Particulars.objects.values_list("data", flat=True))
    kept += b"".join(bytes(each) for each in TotpFactor.history.values_list("state", flat=True))
    assert app.secret.encode() not in kept and codes[0].encode() not in kept


KINDS = ("factor.enrolled", "recovery_codes.made", "recovery_code.used")


def test_new_recovery_codes_end_the_old_ones(person: Person) -> None:
    with_app(person)
    old, new = (make_recovery_codes(actor=actor_of(person)) for _ in range(2))
    with pytest.raises(CodeRefused):
        use_code(person=person, code=old[0])
    use_code(person=person, code=new[0])


def test_anothers_recovery_code_opens_nothing(person: Person) -> None:
    other = make_person()
    codes = make_recovery_codes(actor=actor_of(other))
    with_app(person)
    with pytest.raises(CodeRefused):
        use_code(person=person, code=codes[0])


def test_another_phone_takes_the_place_of_the_first(person: Person) -> None:
    first, second = with_app(person), with_app(person)
    with pytest.raises(CodeRefused):
        use_code(person=person, code=first.now())
    use_code(person=person, code=second.now())
    gone = TotpFactor.objects.exclude(removed_at=None).get()
    assert bytes(gone.sealed_secret) == b""


def test_privileged_people_enrol_before_anything_else(settings: Settings) -> None:
    settings.SECOND_FACTOR_FORCED = True
    with_password(make_person(email="ada@example.org", administrator=True))
    browser = password_given()
    for page in ("/admin/", "/admin/governance/person/", "/admin/decisions/", "/admin/governance/person/add/"):
        assert browser.get(page).headers["Location"] == OWN
    assert browser.post("/admin/governance/person/add/", {"name": "X", "email": "x@example.org"}).status_code == 302
    assert not Person.objects.filter(email="x@example.org").exists()
    assert "Your roles ask for a second factor" in browser.get(OWN).content.decode()
    assert browser.post(f"{OWN}tokens/", {"name": "t", "hours": 8}).status_code == 422
    enrolled_on_the_page(browser)
    assert browser.get("/admin/").status_code == 200


def test_who_holds_no_such_role_is_not_made_to(settings: Settings) -> None:
    settings.SECOND_FACTOR_FORCED = True
    with_password(make_person(email="ada@example.org", viewer=True))
    assert password_given().get("/admin/").status_code == 200


def test_in_the_demonstration_only_its_own_people_are_spared(settings: Settings) -> None:
    settings.DEMO = True
    made_up = with_password(make_person(email="demo@example.org", administrator=True))
    real = with_password(make_person(email="ada@corp.test", administrator=True))
    for person, status in ((made_up, 200), (real, 302)):
        browser = Client()
        browser.force_login(person)
        assert browser.get("/admin/").status_code == status


def test_the_last_factor_stays_while_a_role_asks_for_it(settings: Settings, person: Person) -> None:
    with_app(person)
    make_recovery_codes(actor=actor_of(person))
    factor = TotpFactor.objects.get()
    settings.SECOND_FACTOR_FORCED = True
    privileged = make_person(operator=True)
    with_app(privileged)
    with pytest.raises(LastFactor):
        remove_factor(
            actor=actor_of(privileged), kind=TotpFactor, factor_id=TotpFactor.objects.get(person=privileged).pk
        )
    assert TotpFactor.objects.get(person=privileged).removed_at is None
    remove_factor(actor=actor_of(person), kind=TotpFactor, factor_id=factor.pk)
    assert not RecoveryCode.objects.filter(person=person).exists()
    assert is_signed_in(password_given())


def test_lost_factors_are_reset_by_an_administrator_and_it_counts_as_setting_credentials(person: Person) -> None:
    with_app(person)
    admin = make_person(administrator=True)
    browser = password_given()
    reset_factors(actor=actor_of(admin), person_id=person.pk)
    assert is_signed_in(password_given()) and not is_signed_in(browser)
    assert not rights.may_approve(admin, Act.PRIVILEGED_ROLE_ASSIGN, requested_by=person.pk)


def test_those_of_privileged_people_are_reset_at_the_host_alone() -> None:
    admin, other = make_person(administrator=True), make_person(email="ada@example.org", administrator=True)
    with_app(with_password(other))
    with pytest.raises(CredentialsGuarded):
        reset_factors(actor=actor_of(admin), person_id=other.pk)
    call_command("reset_factors", "--for", "ADA@example.org")
    assert not TotpFactor.objects.filter(removed_at=None).exists()


def test_a_new_secret_is_160_bits_and_new() -> None:
    secrets = {new_secret() for _ in range(50)}
    assert len(secrets) == 50 and {len(each) for each in secrets} == {32}


def test_ones_own_password_asks_for_the_factor_first() -> None:
    person = with_password(make_person(email="grace@example.org"))
    app = with_app(person)
    browser = Client()
    browser.force_login(person)
    session = browser.session
    session["factor_proven_at"] = (timezone.now() - timedelta(minutes=11)).timestamp()
    session.save()
    new = "plum otter crane"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    page = browser.post("/admin/password_change/", form).content.decode()
    assert "Is it you?" in page
    assert new not in page and PASSWORD not in page, "no password is carried along"
    assert "Is it you?" in browser.get("/admin/password_change/").content.decode()
    assert not Person.objects.get(pk=person.pk).check_password(new)
    proven = browser.post("/admin/password_change/", {"proof": "1", "proof_code": app.now()})
    assert proven.headers["Location"] == "/admin/password_change/"
    assert browser.post("/admin/password_change/", form).headers["Location"].endswith("/done/")
    assert Person.objects.get(pk=person.pk).check_password(new)
