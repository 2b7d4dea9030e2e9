"""What a terminal may be shown: text that others chose may hold sequences that it would obey."""


def printable(text: str, *, keeping: str = "") -> str:
    r"""Return the text with whatever is no letter, sign or blank written as Python writes it: an escape as `\x1b`.

    Args:
        text: whoever it came from.
        keeping: what is left as it is all the same.
    """
    shown = (each if each.isprintable() or each in keeping else each.encode("unicode_escape").decode() for each in text)
    return "".join(shown)
