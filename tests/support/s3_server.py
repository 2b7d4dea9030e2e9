"""A real S3 server for tests: moto's, as a process of its own."""

import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Self

import requests
from django.conf import LazySettings

from accounting.environment.buckets import bucket_storage
from receipts.models import Receipt, Rendition

from .installation import wait_for
from .servers import free_port, made_up

BUCKET = "receipts"


def storage(**changed: str) -> dict[str, Any]:
    """Return Django's settings of a storage in the bucket, some of ours changed."""
    options = {
        "bucket": BUCKET,
        "endpoint": "http://minio:9000",
        "region": "us-east-1",
        "key": "a-key",
        "secret": made_up("key of S3"),
        "addressing": "path",
        "ca_file": "",
    }
    found = bucket_storage(**(options | changed))
    assert found is not None
    return found


def use_storage(settings: LazySettings, url: str) -> None:
    """Let the service keep its files at that address."""
    settings.STORAGES = settings.STORAGES | {"default": storage(endpoint=url)}


def name_of(stored: Receipt | Rendition) -> str:
    """Return the name of its object."""
    return stored.file.name or ""


class S3Server:
    """An S3 server on this machine, with one empty bucket."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Start it, with nothing in it."""
        command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        self.make_bucket()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """Kill it: nobody listens at its port."""
        self._process.kill()
        self._process.wait()

    @property
    def settings(self) -> dict[str, str]:
        """What an installation has in its environment."""
        return {
            "S3_BUCKET": BUCKET,
            "S3_ENDPOINT_URL": self.url,
            "S3_ACCESS_KEY_ID": "a-key",
            "S3_SECRET_ACCESS_KEY": made_up("key of S3"),
        }

    def make_bucket(self) -> None:
        """Make the bucket anew, empty, once it is up: forget whatever was stored."""
        wait_for(self._is_up, "the S3 server")
        requests.post(f"{self.url}/moto-api/reset", timeout=10).raise_for_status()
        self.boto3().create_bucket(Bucket=BUCKET)

    def boto3(self) -> Any:
        """Return a client of its own, for whoever looks at what the service stored."""
        import boto3

        return boto3.client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id="a-key",
            aws_secret_access_key=made_up("key of S3"),
        )

    def objects(self) -> Mapping[str, int]:
        """Return the names of all objects, and their sizes."""
        found = self.boto3().list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {each["Key"]: each["Size"] for each in found}

    def _is_up(self) -> bool:
        try:
            return requests.get(f"{self.url}/moto-api/", timeout=1).ok
        except requests.RequestException:
            return False
