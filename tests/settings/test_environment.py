"""Settings: a missing or impossible one stops the process with a sentence, and what is unusual is taken."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from certifi import where
from django.core.exceptions import ImproperlyConfigured
from django.http.request import split_domain_port, validate_host
from psycopg.conninfo import conninfo_to_dict

from accounting.environment import Environment
from jobs.sweep import LONGEST_LEASE
from tests.support.environments import check, example, loaded_settings, refusal

CANARY = "canary-0451"
IMPOSSIBLE = [
    ("DEBUG", CANARY),
    ("PUBLIC_BASE_URL", f"{CANARY}.example.com"),
    ("PUBLIC_BASE_URL", f"https://{CANARY}:99999"),
    ("PUBLIC_BASE_URL", f"http://{CANARY} example.com"),
    ("PUBLIC_BASE_URL", f"https://receipts.example.com/{CANARY}"),
    ("PUBLIC_BASE_URL", f"https://ü..{CANARY}.example.com"),
    ("N8N_WEBHOOK_URL", f"https://{'ü' * 64}.{CANARY}.example.com/webhook"),
    ("CALLBACK_BASE_URL", f"ftp://{CANARY}"),
    ("CALLBACK_BASE_URL", f"http://web:8000/#{CANARY}"),
    ("WEB_THREADS", "2"),
    ("DATABASE_URL", f"mysql://user:{CANARY}@127.0.0.1/receipts"),
    ("DATABASE_URL", f"postgresql://user:{CANARY}@127.0.0.1:port/receipts"),
    ("DATABASE_URL", f"${CANARY}"),
    ("DATABASE_URL", "postgresql://"),
    ("DATABASE_URL", "sqlite:///"),
    ("DATABASE_URL", f"sqlite://{CANARY}/db.sqlite3"),
    ("DATABASE_URL", f"sqlite:///~/{CANARY}/db.sqlite3"),
    ("DATABASE_URL", f"sqlite:////proc/{CANARY}/db.sqlite3"),
    ("ALLOWED_HOSTS", f"https://{CANARY}.example.com"),
    ("ALLOWED_HOSTS", f"{CANARY} b"),
    ("ALLOWED_HOSTS", f"{CANARY}.example.com:443"),
    ("CSRF_TRUSTED_ORIGINS", f"{CANARY}.example.com"),
    ("CSRF_TRUSTED_ORIGINS", f"https://receipts.example.com/{CANARY}"),
    ("CSRF_TRUSTED_ORIGINS", f"https://a.example.com https://{CANARY}.example.com"),
    ("DATABASE_URL", "sqlite:///var/db.sqlite3?timeout=60"),
    ("DATABASE_URL", "postgresql://127.0.0.1/receipts?CONN_MAX_AGE=60"),
    ("DATABASE_URL", "postgresql://127.0.0.1/receipts?sslmode=require&atomic_requests=true"),
    ("REDIS_URL", f"{CANARY}:6379"),
    ("REDIS_URL", f"redis://:{CANARY}@127.0.0.1:port/0"),
    ("REDIS_URL", f"redis://127.0.0.1:6379/{CANARY}"),
    ("REDIS_URL", f"redis://127.0.0.1:6379/0?{CANARY}=1"),
    ("REDIS_URL", "redis://127.0.0.1:6379/0?ssl_ca_certs=/etc/hosts"),
    ("REDIS_URL", f"rediss://127.0.0.1:6379/0?ssl_ca_certs=/{CANARY}.pem"),
    ("REDIS_URL", "rediss://127.0.0.1:6379/0?ssl_ca_certs=README.md"),
    ("REDIS_URL", f"rediss+sentinel://127.0.0.1/name/0?ssl_ca_certs=/{CANARY}.pem"),
    ("ALLOWED_HOSTS", ","),
    ("MEDIA_ROOT", f"~/{CANARY}"),
    ("S3_REGION", f"eu {CANARY}"),
    ("S3_BUCKET", f"not {CANARY}"),
    ("S3_BUCKET", f"https://{CANARY}"),
    ("S3_CA_FILE", f"/{CANARY}.pem"),
    ("S3_CA_FILE", "README.md"),
    ("CALLBACK_SECRET_TOKEN", ","),
    ("N8N_WEBHOOK_URL", f"/webhook/{CANARY}"),
    ("N8N_DEADLINE_SECONDS", CANARY),
    ("N8N_DEADLINE_SECONDS", "0"),
    ("N8N_PREPARATION_SECONDS", "0"),
    ("N8N_PAYLOAD", CANARY),
    ("N8N_MAX_PAYLOAD_MB", "-1"),
    ("N8N_MAX_PAYLOAD_MB", "4000"),
    ("N8N_MAX_IN_FLIGHT", "many"),
    ("N8N_BASE_URL", f"n8n.{CANARY}.example.com"),
    ("N8N_BASE_URL", f"https://n8n.example.com/?{CANARY}"),
    ("CALLBACK_TIMEOUT_SECONDS", "15m"),
    ("DELIVERY_RETRY_SCHEDULE", f"5,{CANARY}"),
    ("UPLOAD_MAX_MB", "0.5"),
    ("UPLOAD_MAX_MB", "2001"),
    ("UPLOAD_MAX_MEGAPIXELS", "0"),
    ("UPLOAD_RATE", CANARY),
    ("RETENTION_DAYS", "-1"),
    ("LOG_LEVEL", CANARY),
    ("LOG_FORMAT", CANARY),
]


@pytest.mark.parametrize("wrong", [{"SECRET_KEY": ""}, {"N8N_DEADLINE_SECONDS": CANARY}])
def test_settings_that_are_refused_stop_the_process_with_that_sentence(wrong: dict[str, str]) -> None:
    (key,) = wrong
    result = check(**wrong)

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"manage.py: {refusal(key, **wrong)}\n"


def test_a_slash_at_the_end_of_an_address_is_no_path() -> None:
    assert loaded_settings(PUBLIC_BASE_URL="https://x.example/")["PUBLIC_BASE_URL"] == "https://x.example"


def test_https_is_https_in_capitals_as_well() -> None:
    loaded = loaded_settings(PUBLIC_BASE_URL="HTTPS://x.example")
    assert loaded["PUBLIC_BASE_URL"] == "https://x.example"
    assert loaded["SESSION_COOKIE_SECURE"]
    assert loaded_settings(N8N_WEBHOOK_URL="Https://n8n.example/Hook")["N8N_WEBHOOK_URL"] == "https://n8n.example/Hook"


def test_https_binds_this_host_and_none_beside_it() -> None:
    secure, plain = loaded_settings(PUBLIC_BASE_URL="https://x.example"), loaded_settings(PUBLIC_BASE_URL="http://x")
    assert (secure["SECURE_HSTS_SECONDS"], plain["SECURE_HSTS_SECONDS"]) == (31_536_000, 0)
    assert not {"SECURE_HSTS_INCLUDE_SUBDOMAINS", "SECURE_HSTS_PRELOAD"} & secure.keys()  # Django's default is no


def test_n8n_may_reach_us_below_a_path_that_a_proxy_takes_off() -> None:
    loaded = loaded_settings(CALLBACK_BASE_URL="http://gateway/receipts/")
    assert loaded["CALLBACK_BASE_URL"] == "http://gateway/receipts"


@pytest.mark.parametrize("deadline", [1, 3, 10, 60, 3600])
def test_whatever_the_deadline_preparation_has_its_time_within_the_lease(deadline: int) -> None:
    loaded = loaded_settings(N8N_DEADLINE_SECONDS=str(deadline))
    assert loaded["N8N_PREPARATION_SECONDS"] == 20
    assert loaded["N8N_LEASE_SECONDS"] == deadline + 20 + 10
    assert loaded["RQ_TIMEOUT_SECONDS"] == loaded["N8N_LEASE_SECONDS"] + 30


def test_no_settings_give_a_longer_lease_than_the_sweep_believes() -> None:
    loaded = loaded_settings(N8N_DEADLINE_SECONDS="3600", N8N_PREPARATION_SECONDS="3600")
    assert timedelta(seconds=loaded["N8N_LEASE_SECONDS"]) == LONGEST_LEASE


@pytest.mark.parametrize(("form", "megabytes"), [("json", 16), ("multipart", 200)])
def test_each_form_of_a_delivery_has_n8ns_own_limit(form: str, megabytes: int) -> None:
    assert loaded_settings(N8N_PAYLOAD=form)["N8N_MAX_PAYLOAD_MB"] == megabytes
    assert loaded_settings(N8N_PAYLOAD=form, N8N_MAX_PAYLOAD_MB="8")["N8N_MAX_PAYLOAD_MB"] == 8


@pytest.mark.parametrize("key", example(required=True))
def test_a_missing_setting_is_named(key: str) -> None:
    assert "is missing" in refusal(key, **{key: ""})


@pytest.mark.parametrize("key", ["S3_ENDPOINT_URL", "S3_REGION", "S3_CA_FILE", "S3_ADDRESSING"])
def test_a_bucket_that_something_is_said_of_has_a_name(key: str) -> None:
    value = {"S3_ADDRESSING": "path", "S3_CA_FILE": where(), "S3_REGION": "eu-central-1"}.get(key, "https://x.example")
    assert "is missing" in refusal("S3_BUCKET", **{key: value})


@pytest.mark.parametrize(("key", "value"), IMPOSSIBLE)
def test_an_impossible_setting_is_named_and_its_value_is_not_told(key: str, value: str) -> None:
    assert CANARY not in refusal(key, **{key: value})


def test_a_key_that_n8n_makes_is_said_to_come_from_there() -> None:
    said = refusal("N8N_PUBLIC_API_KEY", N8N_PUBLIC_API_KEY="cut-off")
    assert "copy the whole of it from where it is made, in N8N" in said
    assert "python3" not in said


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"UPLOAD_FORMATS": "jpeg,docx"}, "jobs.E001"),
        ({"N8N_VERIFY_SSL": "/no/such/bundle.pem"}, "jobs.E003"),
    ],
)
def test_settings_that_do_not_go_together_fail_a_check_with_a_hint(changes: dict[str, str], expected: str) -> None:
    result = check(**changes)

    assert result.returncode == 1
    assert expected in result.stderr
    assert "HINT: " in result.stderr


@pytest.mark.parametrize(
    "rate", ["0/minute", "600", "-1/minute", "100000/hour", "6/minute;1/second", "6/fortnight", "/"]
)
def test_a_rate_that_is_none_is_refused(rate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPLOAD_RATE", rate)
    with pytest.raises(ImproperlyConfigured, match=r"^UPLOAD_RATE cannot be understood: .*, or to none .*\.$"):
        Environment(Path("none")).rate("UPLOAD_RATE", "600/minute")


@pytest.mark.parametrize("address", ["https://x.example?a", "https://x.example/#a", "https://user:pass@x.example"])
def test_an_address_holds_nothing_but_an_address(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_BASE_URL", address)
    monkeypatch.setenv("CALLBACK_BASE_URL", address)
    with pytest.raises(ImproperlyConfigured, match=r"^PUBLIC_BASE_URL .*\.$"):
        Environment(Path("none")).origin("PUBLIC_BASE_URL", cure="")
    with pytest.raises(ImproperlyConfigured, match=r"^CALLBACK_BASE_URL .*\.$"):
        Environment(Path("none")).base_url("CALLBACK_BASE_URL", "")


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("http://[2001:DB8::1]:8000", "[2001:db8::1]"),
        ("https://b\u00fccher.example", "xn--bcher-kva.example"),
        ("https://Receipts.example.com.", "receipts.example.com"),
    ],
)
def test_a_request_is_let_in_by_the_name_that_it_has_for_the_own_address(address: str, host: str) -> None:
    assert loaded_settings(PUBLIC_BASE_URL=address, CALLBACK_BASE_URL=address)["ALLOWED_HOSTS"] == [host]
    assert validate_host(split_domain_port(host)[0], [host])


def test_origins_are_compared_as_browsers_write_them() -> None:
    loaded = loaded_settings(CSRF_TRUSTED_ORIGINS="https://Receipts.example.com/, https://*.example.org")
    assert loaded["CSRF_TRUSTED_ORIGINS"] == ["https://receipts.example.com", "https://*.example.org"]


@pytest.mark.parametrize("value", ['"of the shop"', "'of the shop", '"'])
def test_no_value_begins_with_a_quote(value: str) -> None:
    sentence = "begins with a quote: take it away, and the one at the end, if there is one."
    assert refusal("N8N_API_KEY", N8N_API_KEY=value).endswith(sentence)


@pytest.mark.parametrize("value", ["/srv/media # the large disk", "/srv/media\t#2", "# the default"])
def test_a_comment_behind_a_value_is_not_taken_for_a_part_of_it(value: str) -> None:
    assert refusal("MEDIA_ROOT", MEDIA_ROOT=value).endswith("a comment behind its value: give that a line of its own.")


def test_a_hash_within_a_value_is_no_comment() -> None:
    assert loaded_settings(MEDIA_ROOT="/srv/media#2")["MEDIA_ROOT"] == "/srv/media#2"


@pytest.mark.parametrize("user", ["user:pass@", "user@", ":pass@", "@"])
def test_the_webhooks_address_names_no_user_who_would_replace_our_key(user: str) -> None:
    address = f"https://{user}n8n.example.com/webhook/receipts"
    assert "without user and password" in refusal("N8N_WEBHOOK_URL", N8N_WEBHOOK_URL=address)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("N8N_WEBHOOK_URL", "https://n8n.example.com/webhook/@receipts"),
        ("PUBLIC_BASE_URL", "http://[::1]:8000"),
        ("PUBLIC_BASE_URL", "http://web_1:8000"),
        ("PUBLIC_BASE_URL", "https://bücher.example"),
        ("S3_BUCKET", "receipts.of-2026"),
        ("REDIS_URL", f"rediss+sentinel://127.0.0.1/name/0?ssl_ca_certs={where()}"),
    ],
)
def test_what_is_unusual_and_possible_is_taken(key: str, value: str) -> None:
    assert loaded_settings(**{key: value})[key] == value


@pytest.mark.parametrize("value", ["*", ".example.com,[::1],127.0.0.1"])
def test_whatever_else_is_let_in_so_is_who_asks_for_the_own_addresses(value: str) -> None:
    loaded = loaded_settings(ALLOWED_HOSTS=value, CALLBACK_BASE_URL="http://web:8000")["ALLOWED_HOSTS"]
    assert set(loaded) == {*value.split(","), "receipts.example.com", "web"}


def test_options_as_the_docs_write_them_are_understood_by_us_and_by_pg_dump() -> None:
    written = re.search(r"`DATABASE_URL=…(\?\S+)`", Path("docs/operations.md").read_text())
    assert written
    address = f"postgresql://127.0.0.1/receipts{written[1]}"
    assert loaded_settings(DATABASE_URL=address)["DATABASES"]["default"]["OPTIONS"]["options"] == "-c lock_timeout=5s"
    assert conninfo_to_dict(address)["options"] == "-c lock_timeout=5s"  # libpq, by which pg_dump reads it


def test_an_upload_rate_of_none_sets_no_limit() -> None:
    assert loaded_settings()["UPLOAD_RATE"] == "600/minute"
    assert loaded_settings(UPLOAD_RATE="none")["UPLOAD_RATE"] == ""
