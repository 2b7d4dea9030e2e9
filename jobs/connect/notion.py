"""What the Notion database has to hold for the workflows to file receipts in it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Property:
    """A column of the database.

    Attributes:
        name: as the workflows write it.
        kind: of Notion's.
        holds: what is written in it.
        needs_ai: the workflow without AI leaves it empty.
    """

    name: str
    kind: str
    holds: str
    needs_ai: bool = False


PROPERTIES = [
    Property("Name", "Title", "the vendor, or the file's name"),
    Property("Job", "Text", "the job's id: a repeat finds its page by it"),
    Property("Receipt", "Files & media", "the picture"),
    Property("Date", "Date", "of the receipt", needs_ai=True),
    Property("Total", "Number", "with tax", needs_ai=True),
    Property("Tax", "Number", "in it", needs_ai=True),
    Property("Currency", "Select", "EUR, CHF, …", needs_ai=True),
    Property("Category", "Select", "Food, Travel, …", needs_ai=True),
    Property("Items", "Text", "the lines of the receipt", needs_ai=True),
]
