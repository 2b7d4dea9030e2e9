"""How else a word may be written that somebody looks for: in a file name, and in what a workflow read."""

import json
import re
import unicodedata
from decimal import Decimal

from django.db import connection

SIGNS = "€$£"  # of currencies, where JSON has a code
AMOUNT = re.compile(
    rf"[{SIGNS}]?([-\u2212]?)[{SIGNS}]?([0-9]+|[0-9]{{1,3}}(?:[.,'’][0-9]{{3}})+)[.,]([0-9]{{1,2}})[{SIGNS}]?"
)
ENDS_IN_ZEROS = re.compile(r"-?[0-9]+\.[0-9]*0")


def as_numbers(word: str) -> list[str]:
    """Return the word, and if it is an amount as one writes it (1.234,50 or €26.98) its number by point and by comma.

    Some workflows report an amount as text, as the receipt has it, be it with its thousands apart.
    """
    amount = AMOUNT.fullmatch(word)
    if amount is None:
        return [word]
    minus, cents = amount[1] and "-", amount[3]
    whole = re.sub("[^0-9]", "", amount[2])
    apart = f"{Decimal(whole):,}"
    by_point, by_comma = f"{minus}{apart}.{cents}", f"{minus}{apart.replace(',', '.')},{cents}"
    return list(dict.fromkeys([word, f"{minus}{whole}.{cents}", f"{minus}{whole},{cents}", by_point, by_comma]))


def in_json(word: str) -> list[str]:
    """Return how JSON may hold it: escaped as Django writes it, and without an amount's last zeros (25.8 for 25.80)."""
    in_ascii = connection.vendor == "sqlite"
    forms = [json.dumps(form, ensure_ascii=in_ascii)[1:-1] for form in spellings(word)]
    if not ENDS_IN_ZEROS.fullmatch(word):
        return forms
    shortest = word.rstrip("0")
    numbers = [f"{shortest}0", shortest[:-1]] if shortest.endswith(".") else [shortest]
    return forms + [number + end for number in numbers for end in ",}]"]  # what follows a number there


def spellings(word: str) -> list[str]:
    """Return how else it may be written: SQLite knows no case beyond ASCII, and a Mac writes é as two letters."""
    cases = [word] if word.isascii() else [word, word.lower(), word.upper(), word.capitalize()]
    forms = (form for case in cases for form in composed_or_not(case))
    return list({form.encode().upper(): form for form in forms}.values())  # both databases know the case of ASCII


def composed_or_not(text: str) -> list[str]:
    """Return the text as it is, with its accents within its letters, and with each of them apart."""
    return list(dict.fromkeys([text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)]))
