"""How else a word may be written that somebody looks for: in a file name, and in what a workflow read."""

import json
import re
import unicodedata
from decimal import Decimal
from typing import NamedTuple

from django.db import connection

SIGNS = "€$£"  # of currencies, where JSON has a code
QUOTES = "\"'“”„«»‘’‚‹›"
CURRENCY = rf"(?:[{SIGNS}]|EUR|USD|GBP|CHF)?"
AMOUNT = re.compile(
    rf"{CURRENCY}([-\u2212]?){CURRENCY}([0-9]+|[0-9]{{1,3}}(?:[.,'’][0-9]{{3}})+)(?:[.,]([0-9]{{1,2}}))?{CURRENCY}",
    re.IGNORECASE,
)
DAY = re.compile(r"([0-3]?[0-9])([./])([0-3]?[0-9])\2([0-9]{4}|[0-9]{2})")
NO_PART = "(?<![0-9.,])"  # of a longer number
NO_PART_BUT_FOR_A_ZERO = "(?<![1-9.,])"
ENDS_IN_ZEROS = re.compile(r"-?[0-9]+\.[0-9]*0")


class Reported(NamedTuple):
    """How else a workflow may have reported something, what all of these forms have in common, and what they follow."""

    forms: list[str]
    common: str
    alone: str = NO_PART


def as_reported(word: str) -> Reported | None:
    """Return how else a workflow may have reported what the word is: an amount, or a day; None of other words."""
    if amount := None if word.isdecimal() else AMOUNT.fullmatch(word):
        return _amounts(*amount.groups(""))
    if day := DAY.fullmatch(word):
        return _days(*day.groups())
    return None


def _days(day: str, sign: str, month: str, year: str) -> Reported | None:
    """Return the day in ISO 8601, with slashes also as Americans mean it; None of what is no day."""
    year = f"20{year}"[-4:]
    orders = [(day, month), (month, day)] if sign == "/" else [(day, month)]
    forms = [f"{year}-{month:0>2}-{day:0>2}" for day, month in orders if int(month) <= 12]
    common = forms[0] if len(forms) == 1 else year
    return Reported(forms, common, alone=NO_PART_BUT_FOR_A_ZERO) if forms else None


def _amounts(minus: str, whole: str, cents: str) -> Reported:
    """Return an amount as one writes it (1.234,50 or €26.98) by point and by comma, and with its thousands apart.

    Some workflows report it as text, as the receipt has it. What may be thousands or decimals (1.234) is both.
    """
    digits = re.sub("[^0-9]", "", whole).lstrip("0") or "0"
    apart = f"{Decimal(digits):,}"
    either = [] if cents or whole.isdecimal() else [apart, apart.replace(",", ".")]
    cents = cents or "00"
    forms = [f"{digits}.{cents}", f"{digits},{cents}", f"{apart}.{cents}", f"{apart.replace(',', '.')},{cents}"]
    signed = [f"-{form}" if minus else form for form in dict.fromkeys(forms + either)]
    return Reported([each for form in signed for each in in_json(form)], digits[-3:])


def in_json(word: str) -> list[str]:
    """Return how JSON may hold it: escaped as Django writes it, and without an amount's last zeros (25.8 for 25.80)."""
    in_ascii = connection.vendor == "sqlite"
    forms = [json.dumps(form, ensure_ascii=in_ascii)[1:-1] for form in spellings(word)]
    if not ENDS_IN_ZEROS.fullmatch(word):
        return forms
    shortest = word.rstrip("0")
    numbers = [f"{shortest}0", shortest[:-1]] if shortest.endswith(".") else [shortest]
    return forms + [number + end for number in numbers for end in (", ", "}", "]", '"')]  # what follows it


def spellings(word: str) -> list[str]:
    """Return how else it may be written: SQLite knows no case beyond ASCII, and a Mac writes é as two letters."""
    cases = [word] if word.isascii() else [word, word.lower(), word.upper(), word.capitalize()]
    forms = (form for case in cases for form in composed_or_not(case))
    return list({form.encode().upper(): form for form in forms}.values())  # both databases know the case of ASCII


def composed_or_not(text: str) -> list[str]:
    """Return the text as it is, with its accents within its letters, and with each of them apart."""
    return list(dict.fromkeys([text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)]))
