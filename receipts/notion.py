"""The id of a Notion database, in the three forms in which people have it at hand."""

import re
import uuid
from urllib.parse import urlsplit

HEX = r"[0-9a-fA-F]"
PLAIN = re.compile(rf"{HEX}{{32}}")
DASHED = re.compile(rf"{HEX}{{8}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{12}}")
AT_THE_END = re.compile(rf"(?:^|-)({HEX}{{32}}|{DASHED.pattern})$")
HOSTS = ("notion.so", "notion.site", "notion.com")
MAX_LENGTH = 2000
NO_DATABASE_ID = "Not a Notion database id: send 32 hex digits, a dashed UUID, or the database's address."


def parse_database_id(text: str) -> str:
    """Return the id as a dashed UUID in lower case.

    Args:
        text: 32 hex digits, a dashed UUID, or the address of the database in Notion (the id in its path counts,
            not the view's in `?v=`).

    Raises:
        ValueError: where it is none of the three.
    """
    text = text.strip()
    if PLAIN.fullmatch(text) or DASHED.fullmatch(text):
        return str(uuid.UUID(text))
    return str(uuid.UUID(_id_in_address(text)))


def _id_in_address(address: str) -> str:
    if len(address) > MAX_LENGTH or not address.isprintable():
        raise ValueError("too long, or no text")
    parts = urlsplit(address)
    host = parts.hostname or ""
    if parts.scheme != "https" or not any(host == known or host.endswith("." + known) for known in HOSTS):
        raise ValueError("not an address of Notion")
    found = AT_THE_END.search(parts.path.rstrip("/").rpartition("/")[2])
    if found is None:
        raise ValueError("no id in the address")
    return found[1]
