"""The signature of a stored text: who may write to the log cannot make one without the key, which is not in the database."""

import hashlib
import hmac
import json


def sign(key: str, *, version_table: str, revision: str, direction: str, text: str) -> str:
    """Return the HMAC-SHA256, in hexadecimal, that says: the engine ran this text as this step of this history."""
    said = json.dumps(["migrator log 1", version_table, revision, direction, text])
    return hmac.new(key.encode(), said.encode(), hashlib.sha256).hexdigest()


def is_signed(signature: str | None, key: str, *, version_table: str, revision: str, direction: str, text: str) -> bool:
    """Return whether it is the signature that this key makes of the text."""
    wanted = sign(key, version_table=version_table, revision=revision, direction=direction, text=text)
    return hmac.compare_digest((signature or "").encode(), wanted.encode())
