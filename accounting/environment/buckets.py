"""What the settings `S3_*` come to: how the bucket that receipts lie in is reached."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured

UNSET_ENDPOINT = "https://s3.us-east-1.amazonaws.com"  # what it is where neither address nor region are set


def bucket_storage(
    bucket: str, *, endpoint: str, region: str, key: str, secret: str, addressing: str, ca_file: str
) -> dict[str, Any] | None:
    """Return Django's settings of a storage in a bucket, or None where there is to be none.

    Args:
        key, secret: without them boto3 looks where it always does, as for the role of the machine.

    Raises:
        ImproperlyConfigured: there is half of a key, or something is said of a bucket that has no name.
    """
    if bool(key) != bool(secret):
        missing = "S3_SECRET_ACCESS_KEY" if key else "S3_ACCESS_KEY_ID"
        raise ImproperlyConfigured(f"{missing} is missing: set both halves of the key, or neither.")
    if not bucket:
        if key or ca_file or addressing != "virtual" or endpoint != UNSET_ENDPOINT:
            raise ImproperlyConfigured("S3_BUCKET is missing: name the bucket, or take the other settings S3_* out.")
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
