"""What the settings `S3_*` come to: how the bucket that receipts lie in is reached."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured


def bucket_storage(
    bucket: str, *, endpoint: str, region: str, key: str, secret: str, addressing: str, ca_file: str
) -> dict[str, Any] | None:
    """Return Django's settings of a storage in a bucket, or None where there is to be none.

    Args:
        key, secret: without them boto3 looks where it always does, as for the role of the machine.

    Raises:
        ImproperlyConfigured: there is a key without a bucket, or half of one.
    """
    if bool(key) != bool(secret):
        missing = "S3_SECRET_ACCESS_KEY" if key else "S3_ACCESS_KEY_ID"
        raise ImproperlyConfigured(f"{missing} is missing: set both halves of the key, or neither.")
    if not bucket:
        if key:
            raise ImproperlyConfigured("S3_BUCKET is missing: name the bucket, or take the key of the storage out.")
        return None
    return {
        "BACKEND": "receipts.bucket.PrivateBucketStorage",
        "OPTIONS": {
            "bucket_name": bucket,
            "endpoint_url": endpoint,
            "region_name": region,
            "access_key": key or None,
            "secret_key": secret or None,
            "addressing_style": addressing,
            "verify": ca_file or None,
        },
    }
