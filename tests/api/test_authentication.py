"""Who gets in: clients by their API keys, and none of them to what is another's."""

import logging
import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client as Browser
from django.utils import timezone
from rest_framework.test import APIClient

from jobs.models import JobLog
from receipts.models import ApiKey, Client
from receipts.services import create_api_key
from tests.factories import JobFactory
from tests.support.uploads import client_named, content, post

pytestmark = pytest.mark.django_db

JOBS = "/api/v1/jobs/"


def ask(authorization: str | None, path: str = JOBS) -> Any:
    headers = {} if authorization is None else {"Authorization": authorization}
    return APIClient().get(path, headers=headers)


def denied(answer: Any) -> str:
    """Return the code of a proper 401."""
    assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")
    assert answer["WWW-Authenticate"] == "Api-Key"
    return str(answer.json()["code"])


@pytest.fixture
def key() -> str:
    """Return a valid key of the client "Shop"."""
    return create_api_key(client_name="Shop", key_name="till")


# -- keys


@pytest.mark.parametrize("scheme", ["Api-Key", "api-key", "API-KEY"])
def test_a_valid_key_gets_in(scheme: str, key: str) -> None:
    assert ask(f"{scheme} {key}").status_code == 200


def test_blanks_around_a_key_are_no_part_of_it(key: str) -> None:
    assert ask(f"Api-Key   {key} ").status_code == 200


@pytest.mark.parametrize("authorization", [None, "", "Bearer {key}", "Basic {key}", "{key}", "Api-Key:{key}"])
def test_without_a_key_in_its_place_nobody_gets_in(authorization: str | None, key: str) -> None:
    assert denied(ask(authorization and authorization.format(key=key))) == "not_authenticated"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "unknown1.00000000000000000000000000000000",
        "{prefix}.00000000000000000000000000000000",
        "{prefix}",
        "{prefix}.",
        ".{secret}",
        "{secret}.{prefix}",
        "{key}x",
        "{key} {key}",
        "{key},{key}",
        "{key}\x00",
        "\x00",
        "{prefix}.{secret}\xe4",
        "ключ",
        "'; DROP TABLE receipts_apikey; --",
        "x" * 10_000,
        "." * 10_000,
    ],
    ids=lambda wrong: ascii(wrong)[1:40],
)
def test_what_is_no_key_of_ours_gets_nobody_in(wrong: str, key: str) -> None:
    prefix, _, secret = key.partition(".")
    assert denied(ask("Api-Key " + wrong.format(key=key, prefix=prefix, secret=secret))) == "authentication_failed"


def test_a_revoked_key_gets_nobody_in(key: str) -> None:
    ApiKey.objects.update(revoked=True)
    assert denied(ask(f"Api-Key {key}")) == "authentication_failed"


def test_a_key_gets_in_until_it_expires() -> None:
    now = timezone.now()
    young = create_api_key(client_name="Shop", key_name="till", expires_at=now + timedelta(minutes=1))
    old = create_api_key(client_name="Shop", key_name="till", expires_at=now - timedelta(seconds=1))
    assert ask(f"Api-Key {young}").status_code == 200
    assert denied(ask(f"Api-Key {old}")) == "authentication_failed"


def test_which_of_them_a_bad_key_was_is_not_told(key: str) -> None:
    unknown = ask("Api-Key unknown1.00000000000000000000000000000000").json()
    ApiKey.objects.update(revoked=True)
    revoked = ask(f"Api-Key {key}").json()
    assert unknown["detail"] == revoked["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "jobs/"),
        ("get", "jobs/{job}/"),
        ("post", "receipts/"),
        ("post", "receipts/upload"),
        ("get", "receipts/{receipt}/"),
        ("get", "receipts/{receipt}/file"),
    ],
)
def test_every_address_of_clients_asks_for_a_key(method: str, path: str) -> None:
    job = JobFactory.create()
    address = "/api/v1/" + path.format(job=job.pk, receipt=job.receipt_id)
    assert denied(getattr(APIClient(), method)(address)) == "not_authenticated"


def test_a_client_keeps_its_jobs_when_its_key_is_replaced(key: str) -> None:
    JobFactory.create(client=Client.objects.get(), receipt__client=Client.objects.get())
    ApiKey.objects.update(revoked=True)
    assert len(client_named("Shop").get(JOBS).json()["results"]) == 1


def test_a_key_is_stored_as_a_hash_only_and_never_logged(key: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert ask(f"Api-Key {key}").status_code == 200
    assert ask(f"Bearer {key}").status_code == 401
    secret = key.partition(".")[2]
    assert secret not in repr(ApiKey.objects.values().get())
    assert secret not in caplog.text
    assert "sha512" in ApiKey.objects.get().hashed_key


# -- where keys are made


def run(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("create_api_key", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_command_prints_the_key_alone_and_once() -> None:
    out, err = run("Bakery", "--name", "phone")
    assert re.fullmatch(r"\w{8}\.\w{32}\n", out)
    assert out.strip() not in err
    assert ask(f"Api-Key {out.strip()}").status_code == 200
    assert (ApiKey.objects.get().client.name, ApiKey.objects.get().name) == ("Bakery", "phone")


def test_the_command_makes_further_keys_for_a_client_that_is_known() -> None:
    assert run("Bakery")[0] != run("Bakery")[0]
    assert (Client.objects.count(), ApiKey.objects.count()) == (1, 2)


def test_the_command_can_make_a_key_that_expires() -> None:
    run("Bakery", "--days", "30")
    expires_at = ApiKey.objects.get().expiry_date
    assert expires_at is not None
    assert timedelta(days=29.9) < expires_at - timezone.now() < timedelta(days=30.1)


def test_a_key_that_would_be_dead_at_once_is_not_made() -> None:
    for days in ("0", "-1", "36501", "999999999", "9" * 5000, "1.5", "some", "²"):
        with pytest.raises(CommandError, match="--days: it takes a whole number from 1 to 36500"):
            run("Bakery", "--days", days)
    assert not Client.objects.exists()


@pytest.mark.parametrize("arguments", [("",), ("  ",), ("Bak\x00ery",), ("Bakery", "--name", ""), ("Bakery\u202e",)])
def test_a_key_is_for_somebody_and_for_something(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match=r"The (client|name) needs letters"):
        run(*arguments)
    assert not Client.objects.exists()


@pytest.mark.parametrize("name", Client.OWN)
def test_nobody_has_a_key_of_a_client_of_the_services_own(admin_client: Browser, name: str) -> None:
    its_own = Client.objects.create(name=name)
    with pytest.raises(CommandError, match="the service's own client"):
        run(name)
    admin_client.post("/admin/receipts/apikey/add/", {"client": its_own.pk, "name": "phone"})
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("name", Client.OWN)
def test_nobody_gives_a_client_the_name_of_one_of_the_services_own(admin_client: Browser, name: str) -> None:
    bakery = Client.objects.create(name="Bakery")
    for page in ("add/", f"{bakery.pk}/change/"):
        answer = admin_client.post(f"/admin/receipts/client/{page}", {"name": f" {name} "})
        assert "The service&#x27;s own client has this name" in answer.content.decode()
    assert [client.name for client in Client.objects.all()] == ["Bakery"]


@pytest.mark.parametrize("name", Client.OWN)
def test_a_client_of_the_services_own_is_shown_and_kept(admin_client: Browser, name: str) -> None:
    page = f"/admin/receipts/client/{Client.objects.create(name=name).pk}/change/"
    shown = admin_client.get(page).content.decode()
    assert name in shown
    assert 'name="_save"' not in shown
    assert admin_client.post(page, {"name": "renamed"}).status_code == 403
    assert [client.name for client in Client.objects.all()] == [name]


def test_the_admin_makes_no_key_that_has_expired_already(admin_client: Browser) -> None:
    client = Client.objects.create(name="Bakery")
    form = {"client": client.pk, "name": "phone", "expiry_date_0": "2020-01-31", "expiry_date_1": "12:00"}
    answer = admin_client.post("/admin/receipts/apikey/add/", form)
    assert "This is over already: the key would let nobody in." in answer.content.decode()
    assert not ApiKey.objects.exists()
    admin_client.post("/admin/receipts/apikey/add/", form | {"expiry_date_0": "2999-01-31"})
    assert ApiKey.objects.get().expiry_date is not None


def test_the_name_of_a_key_that_has_expired_may_be_changed(admin_client: Browser) -> None:
    create_api_key(client_name="Bakery", key_name="till", expires_at=timezone.now() - timedelta(days=1))
    key = ApiKey.objects.get()
    form = {"name": "former till", "expiry_date_0": "2020-01-31", "expiry_date_1": "12:00"}
    assert admin_client.post(f"/admin/receipts/apikey/{key.pk}/change/", form).status_code == 302
    assert ApiKey.objects.get().name == "former till"


def test_the_admin_shows_a_new_key_once(admin_client: Browser) -> None:
    client = Client.objects.create(name="Bakery")
    page = admin_client.post("/admin/receipts/apikey/add/", {"client": client.pk, "name": "phone"}, follow=True)
    found = re.search(r"\b\w{8}\.\w{32}\b", page.content.decode())
    assert found is not None
    assert ask(f"Api-Key {found[0]}").status_code == 200
    secret = found[0].partition(".")[2]
    for path in ("", f"{ApiKey.objects.get().pk}/change/", f"{ApiKey.objects.get().pk}/history/"):
        again = admin_client.get(f"/admin/receipts/apikey/{path}", follow=True)
        assert again.status_code == 200
        assert secret not in again.content.decode()


def test_a_key_that_was_revoked_in_the_admin_gets_nobody_in(admin_client: Browser, key: str) -> None:
    api_key = ApiKey.objects.get()
    form = {"name": "till", "revoked": "on", "expiry_date_0": "", "expiry_date_1": ""}
    admin_client.post(f"/admin/receipts/apikey/{api_key.pk}/change/", form)
    assert denied(ask(f"Api-Key {key}")) == "authentication_failed"


# -- what is another's


def test_a_client_sees_its_own_receipt_and_its_own_jobs_only(api: APIClient) -> None:
    own = post(api).json()
    foreign = JobFactory.create()
    assert api.get(f"/api/v1/receipts/{own['receipt_id']}/").json()["size"] == len(content())
    assert [job["job_id"] for job in api.get(JOBS).json()["results"]] == [own["job_id"]]
    for path in (
        f"receipts/{foreign.receipt_id}/",
        f"receipts/{foreign.receipt_id}/file",
        f"jobs/{foreign.pk}/",
    ):
        answer = api.get(f"/api/v1/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_list_cannot_be_filtered_into_showing_another_clients_jobs(api: APIClient) -> None:
    foreign = JobFactory.create()
    assert api.get(JOBS, {"receipt_id": str(foreign.receipt_id)}).json()["results"] == []


def test_the_facts_of_a_receipt_name_its_file(api: APIClient) -> None:
    receipt_id = post(api).json()["receipt_id"]
    facts = api.get(f"/api/v1/receipts/{receipt_id}/").json()
    assert facts["file_url"] == f"http://testserver/api/v1/receipts/{receipt_id}/file"
    assert "file" not in facts  # where it lies is nobody's business


@pytest.mark.parametrize(("forged", "status"), [(True, 403), (False, 401)])
def test_a_session_uploads_nothing_not_even_by_a_page_of_ours(forged: bool, status: int) -> None:
    browser = APIClient(enforce_csrf_checks=forged)
    browser.force_login(User.objects.create_superuser("anna"))
    assert post(browser).status_code == status
    assert not JobLog.objects.exists()


def test_a_session_opens_no_list_of_jobs(admin_client: Browser) -> None:
    assert denied(admin_client.get(JOBS)) == "not_authenticated"
