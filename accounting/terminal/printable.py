"""What a terminal may be shown: text that others chose may hold sequences that it would obey."""


def printable(text: str, *, keeping: str = "") -> str:
    r"""Return the text with whatever is no letter, sign or blank written as Python writes it: an escape as `\x1b`.

    Args:
        text: whoever it came from.
        keeping: what is left as it is all the same.
    """
    return "".join(each if each.isprintable() or each in keeping else _written(each) for each in text)


def _written(character: str) -> str:
    return character.encode("unicode_escape").decode()
