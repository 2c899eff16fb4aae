"""What is asked of witnesses before the service starts."""

import os
from collections.abc import Callable

from config.standalone.terminal import say, step


def ask_witnesses(manage: Callable[..., str]) -> None:
    """Before anything is signed: of a database that was restored with its head store, they alone know more.

    What contradicts is recorded, so that nothing is signed for that log. One that does not answer stops nothing.
    """
    if not os.environ.get("ANSWERABLE_WITNESS_POLICY_FILE"):
        return
    with step("Asking the witnesses"):
        found = manage("check_witnesses", "--at-start")
    if found:
        say(found)
