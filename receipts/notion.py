"""The id of a Notion database or page, in the forms in which people have it at hand."""

import re
import uuid
from urllib.parse import SplitResult, parse_qs, urlsplit

HEX = r"[0-9a-fA-F]"
PLAIN = re.compile(rf"{HEX}{{32}}")
DASHED = re.compile(rf"{HEX}{{8}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{12}}")
AT_THE_END = re.compile(rf"(?:^|-)({HEX}{{32}}|{DASHED.pattern})$")
SCHEME = re.compile(r"^(?:https?|notion)://", re.IGNORECASE)  # the last one opens Notion's app
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
    return _id_at_the_end(_parts_of(text).path)


def parse_sought_id(text: str) -> str:
    """Return the same of what somebody looks for, be it a database or a page.

    Args:
        text: what `parse_database_id` takes, the address in any form that people copy it in, or only its last part.
            Of a page that is shown beside its database the page counts (`?p=`).

    Raises:
        ValueError: where it is none of these.
    """
    text = text.strip()
    if "/" not in text:
        return _id_at_the_end(text)
    parts = _parts_of_any(text)
    beside = parse_qs(parts.query).get("p", [""])[0]
    return _id_at_the_end(beside or parts.path)


def is_address(text: str) -> bool:
    """Tell whether it is an address of Notion, in any form."""
    try:
        return bool(_parts_of_any(text.strip()))
    except ValueError:
        return False


def _parts_of_any(address: str) -> SplitResult:
    return _parts_of(f"https://{SCHEME.sub('', address)}")


def _parts_of(address: str) -> SplitResult:
    if len(address) > MAX_LENGTH or not address.isprintable():
        raise ValueError("too long, or no text")
    parts = urlsplit(address)
    host = parts.hostname or ""
    if parts.scheme != "https" or not any(host == known or host.endswith("." + known) for known in HOSTS):
        raise ValueError("not an address of Notion")
    return parts


def _id_at_the_end(path: str) -> str:
    found = AT_THE_END.search(path.rstrip("/").rpartition("/")[2])
    if found is None:
        raise ValueError("no id at its end")
    return str(uuid.UUID(found[1]))
