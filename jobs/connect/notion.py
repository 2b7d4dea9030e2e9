"""What the workflows write into a Notion database."""

import json
from dataclasses import dataclass

from .workflows import FOLDER

# What Notion's editor calls the types of its API.
TYPES = {
    "title": "Title",
    "rich_text": "Text",
    "date": "Date",
    "number": "Number",
    "select": "Select",
    "files": "Files & media",
}


@dataclass(frozen=True)
class Property:
    """A column of the database, as people find it in Notion."""

    name: str
    kind: str
    holds: str


def properties() -> list[Property]:
    """Return the properties, by the list that comes with the workflows."""
    listed = json.loads((FOLDER / "notion-properties.json").read_text())
    return [Property(each["name"], TYPES[each["type"]], each["holds"]) for each in listed]
