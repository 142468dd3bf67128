"""Why a request was refused: read from the log, and what status, error code and sentence belong to it.

A reason is written as the text of the error is, for example `expired (exp)`: the code, and in brackets the claim, the header
parameter or the scopes at fault.
"""

import re

# Status and error code by the code of the reason, as `errors.py` documents them.
_TOKEN_REASONS = """
malformed algorithm critical_header type id_token issuer unknown_key ambiguous_key signature claim audience audience_missing expired not_yet_valid
issued_in_future binding opaque encrypted inactive contradiction not_asked
"""
_REQUEST_REASONS = "multiple_credentials malformed_credentials oversized_credentials"
OUTCOMES = {"missing_credentials": (401, None), "insufficient_scope": (403, "insufficient_scope")}
OUTCOMES |= dict.fromkeys(_REQUEST_REASONS.split(), (400, "invalid_request"))
OUTCOMES |= dict.fromkeys(_TOKEN_REASONS.split(), (401, "invalid_token"))
# What the caller is told, by the code of the reason or else by the error code.
_SENTENCES = {
    None: "An access token is required: send it as 'Authorization: Bearer <token>'.",
    "invalid_request": "The request must hold exactly one Authorization field with exactly one well-formed Bearer token.",
    "invalid_token": "The access token is not valid for this resource.",
    "expired": "The access token has expired.",
    "insufficient_scope": "The access token does not hold the scopes that this operation needs.",
}
_REFUSED, _REFUSED_INSIDE = "refused with ", "refused at "
_REASON = re.compile(r"reason=(\w+)(?: (?:claim|missing)=(\S+))?")


def reasons_in(lines):
    """The reason of each refusal in these lines of a log; of a refused message the sentence."""
    return [_reason(line) for line in lines if _REFUSED in line]


def reasons_inside(lines):
    """The reason of each refusal behind the route, where something was to run that the message did not name."""
    found = (_REASON.search(line) for line in lines if _REFUSED_INSIDE in line)
    return [f"{match[1]} ({match[2]})" if match[2] else match[1] for match in found]


def _reason(line):
    facts = line.partition(_REFUSED)[2].partition(": ")[2]
    match = _REASON.match(facts)
    if match is None:
        return facts.partition(" client=")[0]
    return f"{match[1]} ({match[2]})" if match[2] else match[1]


def outcome(reason):
    """Status, error code and sentence of the answer."""
    code = reason.partition(" ")[0]
    status, error = OUTCOMES[code]
    return status, error, _SENTENCES.get(code) or _SENTENCES[error]


def detail(reason):
    """The body of the answer, in FastAPI's envelope."""
    _, error, sentence = outcome(reason)
    code, _, place = reason.partition(" ")
    missing = {"missing_scopes": place.strip("()").split(",")} if code == "insufficient_scope" and place else {}
    return {"error": error, "error_description": sentence} | missing
