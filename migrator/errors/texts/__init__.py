"""Every text an error can have, keyed by its stable code; each has an anchor of its own in docs/errors.md."""

from migrator.errors.message import Message
from migrator.errors.texts import adopt, history, runs, settings, steps

CATALOGUE: dict[str, Message] = {
    **settings.TEXTS,
    **history.TEXTS,
    **runs.TEXTS,
    **steps.TEXTS,
    **adopt.TEXTS,
}
