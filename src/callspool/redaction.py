"""Takes secrets, phone numbers and links out of what is written for people, whoever wrote it.

What stands under a name that says so is hidden by its name; in running text it is found by its form. A number of
another country than those of +1 that is written without a plus, a bracket or such a name is taken for a size, and
stays.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

HIDDEN: Final = "***"

_NAMES: Final = (
    r"(?:token|secret|password|passwd|authorization|cookie|signature(?:-ed25519)?|api[_-]?key|signing[_-]?key"
    r"|secret[_-]?key|credentials|csrf)"
)
_CALLERS: Final = r"(?:from|to|caller|called)(?:_?number)?"
_GAP: Final = r"(?:[ ().-]|%2[089de])"
"""What people put between the digits of a number, also as a form has it."""

_SECRET_NAME: Final = re.compile(rf"(?i)(.*[_-])?(auth|access|refresh)?{_NAMES}|{_CALLERS}")
_VALUES: Final = (
    r'(")(?:\\.|[^\\"])*"',
    r"(')(?:\\+'(?=\w)|[^'])*'",  # of a repr, maybe within JSON, which doubles its backslashes
    r"""(\\+["']).*?(?<!\\)\2""",
)

_PATTERNS: Final = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r"(cs_[0-9a-f]{16})_[A-Za-z0-9_-]{20,}", rf"\1_{HIDDEN}"),
        (r"\bwhsec_[A-Za-z0-9+/=_-]{8,}", f"whsec_{HIDDEN}"),
        (r"\b(v1a?,)[A-Za-z0-9+/]{20,}=*", rf"\1{HIDDEN}"),
        (r"(?i)([?&;](?:sig|code|x-amz-[a-z-]+)=)[^&\s\"'\\<>]+", rf"\1{HIDDEN}"),
        (r"(?i)\b(basic|bearer)\s+[A-Za-z0-9+/=._~-]{8,}", rf"\1 {HIDDEN}"),
        # To the last @ before a space: a password may have @ and / in it.
        (r"(://)[^/\s:@\"'\\]*:[^\s\"'\\]{1,300}@", rf"\1{HIDDEN}@"),
        (r"(?i)\b(callspool=)[A-Za-z0-9_-]{20,}", rf"\1{HIDDEN}"),
        (r"(?i)(\bcookie: ?)[^;\s\"'\\]+(?:; ?[^;\s\"'\\]+)*", rf"\1{HIDDEN}"),
        # A name and its value as a mapping, a call or JSON has them, JSON within JSON too. Without quotes around the
        # value the name must have none: a null of JSON has nothing to hide.
        *((rf"(?i)({_NAMES}(?:\\*[\"'])?\s?[=:]\s?){value}", rf"\1\2{HIDDEN}\2") for value in _VALUES),
        (rf"(?i)({_NAMES}(?:=|: ?))[^\s\"'\\&\x1b]+", rf"\1{HIDDEN}"),
        (
            (
                rf"(?i)\b({_CALLERS}(?:\\*[\"'])?\s?[=:]\s?(?:\\*[\"'])?)(?![0-9]{{4}}-[0-9]{{2}}-)"
                rf"(?:\+|%2b|{_GAP})*(?:[0-9]{_GAP}*){{5,}}[0-9]"
            ),
            rf"\1{HIDDEN}",
        ),
        (r"(?:\+|%2[Bb])[0-9]{7,15}(?![0-9])", f"+{HIDDEN}"),
        (rf"(?i)(?<![0-9])(?:\+|%2b)[1-9](?:{_GAP}*[0-9]){{6,14}}(?![0-9])", f"+{HIDDEN}"),
        (r"(?<![\w.-])(?:1[ .-]?)?\([2-9][0-9]{2}\)[ .-]?[0-9]{3}[ .-]?[0-9]{4}(?!\w)", HIDDEN),
        (r"(?<![\w.-])(?:1[.-])?[2-9][0-9]{2}([.-])[2-9][0-9]{2}\1[0-9]{4}(?![\w.-])", HIDDEN),
        # Eleven digits that can be a number of +1, but no figure under a name and none with a unit.
        (
            r"(?<![\w.:=/+%-])(?<![\"']: )1[2-9][0-9]{2}[2-9][0-9]{6}(?![\w.:/%-])(?! ?(?:bytes|ms|s|k?B)\b)",
            HIDDEN,
        ),
    )
)


def redact(text: str) -> str:
    """Return *text* without keys, link tokens, credentials and phone numbers."""
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def redact_all(value: Any) -> Any:
    """Return *value* as JSON has it, with every text in it redacted: what is rendered afterwards stays JSON."""
    match value:
        case str():
            return redact(value)
        case bool() | int() | float() | None:
            return value
        case Mapping():
            return {redact(str(name)): redact_all(inner) for name, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [redact_all(inner) for inner in value]
    return redact(str(value))


def hide_named(value: Any) -> Any:
    """Return *value* with everything hidden that stands under a secret's name, however deep."""
    match value:
        case Mapping():
            return {
                name: HIDDEN if inner is not None and _SECRET_NAME.fullmatch(str(name)) else hide_named(inner)
                for name, inner in value.items()
            }
        case list():
            return [hide_named(inner) for inner in value]
    return value
