"""The casts that PostgreSQL adds to literals, and writes in another way each time that it is given what it wrote.

`x IN ('a', 'b')` of a VARCHAR is first `(x)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])`, and
after a dump `(x)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text])`. Any other cast stays: of a
column it can change the value, and of a literal the time when it is read, as in `('now'::text)::date`.
"""

import re

_HIDDEN = re.compile(r"""(?:\bE)?'(?:[^']|'')*'|"(?:[^"]|"")*\"""")
_LITERAL = r"\x01\d+\x01"
_END = r"(?![\w\[(])"
_TEXT = rf"::(?:character varying|text){_END}"
_TWICE = re.compile(rf"\(({_LITERAL}){_TEXT}\)(?=::text{_END})|({_LITERAL}){_TEXT}(?=::text{_END})")
_ELEMENTS = rf"ARRAY\[({_LITERAL}{_TEXT}(?:, ?{_LITERAL}{_TEXT})*)\]"
_ARRAY = re.compile(rf"(?:\({_ELEMENTS}\)|{_ELEMENTS})::text\[\](?!\[)")
_PLAIN = re.compile(rf"({_LITERAL})::text(?![\w\[(]|\)*::)")  # a literal of any other type has its cast
_ALL = re.compile(rf"\(*({_LITERAL}){_TEXT}\)*")


def stripped(expression: str) -> str:
    """Return the expression with each literal that PostgreSQL made text in several ways made text in one way."""
    hidden: list[str] = []

    def hide(found: re.Match[str]) -> str:
        hidden.append(found[0])
        mark = "\x01" if found[0].endswith("'") else "\x02"
        return f"{mark}{len(hidden) - 1}{mark}"

    text, before = _HIDDEN.sub(hide, expression), ""
    while before != text:
        before, text = text, _TWICE.sub(r"\1\2", text)
    text = _ARRAY.sub(lambda found: f"ARRAY[{re.sub(_TEXT, '::text', found[1] or found[2])}]", text)
    text = _PLAIN.sub(r"\1", text)
    alone = _ALL.fullmatch(text)
    text = alone[1] if alone else text
    return re.sub(r"[\x01\x02](\d+)[\x01\x02]", lambda found: hidden[int(found[1])], text)
