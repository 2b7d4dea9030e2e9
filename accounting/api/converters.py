"""What addresses hold."""

from django.urls import register_converter
from django.urls.converters import UUIDConverter


class AnyCaseUUIDConverter(UUIDConverter):
    """A UUID in either case, RFC 9562 section 4: some libraries write capitals, and Django takes none."""

    regex = f"(?i:{UUIDConverter.regex})"


register_converter(AnyCaseUUIDConverter, "any_uuid")
