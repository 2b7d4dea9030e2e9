"""Receipts in a bucket of an S3 storage instead of a folder: private, whole or not at all, and never waited for long.

What the storage says reaches the rest of the code in its own words: a file that is not there is a `FileNotFoundError`,
as on a disk, if its bucket is, and everything else is `StorageAway`; so an outage is never taken for a loss.
"""

import errno
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from functools import cached_property, wraps
from pathlib import PurePosixPath
from typing import IO, Any, TypeVar

import structlog
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotConnected
from django.core.files.base import File
from s3transfer.exceptions import RetriesExceededError
from storages.backends.s3 import S3File, S3Storage
from storages.utils import clean_name
from urllib3.exceptions import HTTPError

from accounting.circuit_breaker import CircuitBreaker

from .storage import PIECE_BYTES, StorageAway

logger = structlog.get_logger(__name__)
Method = TypeVar("Method", bound=Callable[..., Any])

GB = 1024**3
MEMORY_BYTES = 1024 * 1024  # of a file that is read; what is longer waits in a temporary file
DOUBTFUL = 100  # hardly more uploads are under way when an outage begins
NO_ROOM = 507  # MinIO's answer, and that of some others, to a full disk

# A request takes 15 s at the most, beside the bytes themselves: two tries, of which each waits so long for a connection
# and then for any next byte. Only those who meet an outage first wait for all of that; then the breaker is open.
# Whoever finds out whether the storage is back asks once, as patiently: it may be slow. Readiness asks briefly.
PATIENCE = {"connect_timeout": 2, "read_timeout": 5, "retries": {"mode": "standard", "total_max_attempts": 2}}
ONCE = {**PATIENCE, "retries": {"total_max_attempts": 1}}
IMPATIENCE = {"connect_timeout": 1, "read_timeout": 2, "retries": {"total_max_attempts": 1}}

UNREACHABLE = (NotConnected, HTTPClientError, RetriesExceededError, HTTPError)  # no answer, or half of one: no refusal


@contextmanager
def in_our_words() -> Iterator[None]:
    """Say what the block's requests failed of, without an address, a key or a name.

    Raises:
        FileNotFoundError: there is no such object.
        OSError: there is no room left (`ENOSPC`).
        StorageAway: the storage cannot be reached, refuses us, or fails.
    """
    try:
        yield
    except ClientError as error:
        raise _os_error_of(error) from None
    except (BotoCoreError, Boto3Error, RetriesExceededError, HTTPError) as error:
        raise StorageAway(type(error).__name__) from None


def _os_error_of(error: ClientError) -> OSError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if status == 404 and code != "NoSuchBucket":
        return FileNotFoundError(errno.ENOENT, "No such object")
    if status == NO_ROOM:
        return OSError(errno.ENOSPC, "No room in the bucket")
    return StorageAway(code)


def guard(method: Method) -> Method:
    """Let a method of a storage ask only while the storage is not thought to be away."""

    @wraps(method)
    def ask(self: "PrivateBucketStorage", *args: Any, **kwargs: Any) -> Any:
        with self.guarded():
            return method(self, *args, **kwargs)

    return ask  # type: ignore[return-value] # what it takes and returns is the method's own


class ObjectFile(S3File):  # type: ignore[misc] # django-storages has no types
    """An object that is read: its size is known at once, its bytes are fetched when they are first asked for."""

    def _get_file(self) -> IO[bytes]:
        try:
            with self._storage.guarded():
                fetched: IO[bytes] = super()._get_file()
                return fetched
        except OSError:
            self.close()  # or the next one who asks would find an empty file
            raise

    file = property(_get_file, S3File._set_file)


class PrivateBucketStorage(S3Storage):  # type: ignore[misc] # the same
    """Puts each file by one request, so that it is there whole or not at all, and gives nobody an address of it.

    What it stored of a file although it said otherwise, or nothing in time, is deleted again: at once, or, where it is
    left alone, before this process stores another file. Else each repeat of one upload would leave an object.

    Every request's body is signed with its SHA-256, which the storage checks: what arrives damaged is refused. No
    object is given an access list: as everything in a bucket, it belongs to the bucket's owner alone.

    Once it could not be reached it is left alone for a while (`CircuitBreaker`), and all that asks it fails at once.
    """

    def __init__(self, *, addressing_style: str, **options: Any) -> None:
        super().__init__(
            client_config=Config(
                **PATIENCE,
                signature_version="s3v4",
                s3={"addressing_style": addressing_style, "payload_signing_enabled": True},
                # trailing checksums are Amazon's, and unknown to many other storages
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
            transfer_config=TransferConfig(
                multipart_threshold=5 * GB,  # the most that one request may carry; parts of a broken upload would stay
                use_threads=False,
                num_download_attempts=2,
            ),
            max_memory_size=MEMORY_BYTES,
            default_acl=None,
            file_overwrite=True,  # names are random: to ask for each whether it is free would be a request for nothing
            **options,
        )
        self._breaker = CircuitBreaker()
        self._look_breaker = CircuitBreaker()  # of `is_writable` alone
        self._doubtful = deque[str](maxlen=DOUBTFUL)  # the names of files that may have been stored all the same

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Let the block ask the storage; that it cannot be reached is remembered.

        Raises:
            StorageAway: it could not be reached a moment ago, or cannot be now; or its bucket is not there; or one of
                the others of `in_our_words`.
        """
        if not self._breaker.allow_request():
            raise StorageAway("not reached a moment ago")
        try:
            with in_our_words(), self._remembered():
                self._knock()
                yield
        except FileNotFoundError:
            self._require_bucket()
            raise

    @contextmanager
    def _remembered(self) -> Iterator[None]:
        try:
            yield
            self._look_breaker.reset()  # what is fast enough for this is there
        except UNREACHABLE as error:
            self._breaker.trip()
            logger.warning("storage_unreachable", error=type(error).__name__)
            raise

    def _require_bucket(self) -> None:
        """Let nobody who has not even the bucket call an object lost: a proxy, say, that does not find its storage.

        Raises:
            StorageAway: the bucket is not there, or cannot be asked for.
        """
        try:
            with in_our_words(), self._remembered():
                self._knocking.head_bucket(Bucket=self.bucket_name)
        except FileNotFoundError:
            raise StorageAway("no such bucket") from None

    def _knock(self) -> None:
        """Find out whether it is back, before anybody waits for it with bytes in hand."""
        if self._breaker.has_tripped:
            with suppress(ClientError):  # whatever it answers, it is there
                self._knocking.head_bucket(Bucket=self.bucket_name)
            self._breaker.reset()

    def is_mounted(self) -> bool:
        """Tell that no other is in its place: it is found by its name."""
        return True

    def is_writable(self) -> bool:
        """Tell whether the bucket is there and lets us in, as far as can be seen without writing to it.

        The circuit breaker is not tripped here: a storage too slow for this may take uploads. Looks have one of their
        own, so that while it hangs not every page waits for one.
        """
        if self._breaker.is_open or not self._look_breaker.allow_request():
            return False
        try:
            self._impatient.head_bucket(Bucket=self.bucket_name)
        except UNREACHABLE:
            self._look_breaker.trip()
            return False
        except (BotoCoreError, ClientError):
            self._look_breaker.reset()
            return False
        self._look_breaker.reset()
        self._breaker.reset()
        return True

    def url(self, *args: Any, **kwargs: Any) -> str:
        """Refuse: receipts are shown by our own views, to those who may see them.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("Receipts have no address in their storage.")

    def _open(self, name: str, mode: str = "rb") -> ObjectFile:
        with self.guarded():
            return ObjectFile(self._normalize_name(clean_name(name)), mode, self)

    def stream(self, name: str) -> Generator[bytes, None, None]:
        """Yield a file's bytes as they arrive: whoever stops fetches no more of them."""
        with self.guarded():
            fetched = self.bucket.Object(self._normalize_name(clean_name(name))).get()
            with closing(fetched["Body"]) as body:
                yield from body.iter_chunks(PIECE_BYTES)

    def files_in(self, folder: str) -> Iterator[str]:
        """Yield the names of the files right in a folder, never all of them at once; none where there is no folder."""
        keys = (each["Key"] for page in self._pages(folder) for each in page.get("Contents", ()))
        return (_last(key) for key in keys if not key.endswith("/"))  # as consoles mark a folder

    def folders_in(self, folder: str) -> Iterator[str]:
        """Yield the names of the folders right in a folder, likewise."""
        return (_last(each["Prefix"]) for page in self._pages(folder) for each in page.get("CommonPrefixes", ()))

    def _pages(self, folder: str) -> Iterator[dict[str, Any]]:
        place = {"Bucket": self.bucket_name, "Prefix": f"{folder}/", "Delimiter": "/"}
        page = self._list(**place)
        yield page
        while page["IsTruncated"]:
            page = self._list(**place, ContinuationToken=page["NextContinuationToken"])
            yield page

    @guard
    def _list(self, **request: Any) -> Any:
        return self.connection.meta.client.list_objects_v2(**request)

    def delete(self, name: str) -> None:
        """Delete a file; that it was not there is no fault, but a bucket that is not there deletes none."""
        with suppress(FileNotFoundError), self.guarded():
            self.bucket.Object(self._normalize_name(clean_name(name))).delete()

    def exists(self, name: str) -> bool:
        """Tell whether there is such a file."""
        with suppress(FileNotFoundError):
            self.size(name)
            return True
        return False

    def _save(self, name: str, content: "File[bytes]") -> str:
        self._delete_doubtful()
        try:
            return self._put(name, content)
        except BaseException:
            self._delete_doubtful()
            raise

    @guard
    def _put(self, name: str, content: "File[bytes]") -> str:
        try:
            stored_as: str = super()._save(name, content)
        except BaseException:
            self._doubtful.append(name)
            raise
        with suppress(ValueError):  # thumbnails have their names again and again
            self._doubtful.remove(name)
        return stored_as

    def _delete_doubtful(self) -> None:
        with suppress(OSError, IndexError):  # it is away still; there are no more
            while True:
                self._delete_or_keep_in_mind(self._doubtful.popleft())

    def _delete_or_keep_in_mind(self, name: str) -> None:
        try:
            self.delete(name)
        except BaseException:
            self._doubtful.append(name)
            raise

    size = guard(S3Storage.size)
    get_modified_time = guard(S3Storage.get_modified_time)

    @cached_property
    def _knocking(self) -> Any:
        return self._client(**ONCE)

    @cached_property
    def _impatient(self) -> Any:
        return self._client(**IMPATIENCE)

    def _client(self, **manners: Any) -> Any:
        config = self.client_config.merge(Config(**manners))
        return self._create_session().client(
            "s3", region_name=self.region_name, endpoint_url=self.endpoint_url, config=config, verify=self.verify
        )


def _last(key: str) -> str:
    return PurePosixPath(key).name
