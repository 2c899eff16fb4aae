"""A made-up credit service that asks before it acts, in several instances. Ctrl-C ends it.

    python sdk/examples/credit_service.py --url http://localhost:8000 --key ans_... --system credit-limits

Each instance is a process of its own, as behind a load balancer. Watch what they do while somebody stops the AI system
on the switchboard, holds decisions by a review rule, or overrules one: every line says what was decided and who
decided it.
"""

import argparse
import multiprocessing
import os
import random
import signal
import time
from types import FrameType
from typing import Any

from answerable import AnswerableError, Change, Client, Decision, Held, Stopped, UseFallback

NAMES = ("Ada", "Björn", "Chiara", "Dmitri", "Elif", "Fatou", "Grace", "Hana")
MODEL = "2026-11-01"


class Ended(Exception):
    """Somebody wants us to end."""


def main() -> None:
    asked = read_arguments()
    instances = [multiprocessing.Process(target=serve, args=(n, asked)) for n in range(1, asked.instances + 1)]
    for each in instances:
        each.start()
    try:
        for each in instances:
            each.join()
    except KeyboardInterrupt:
        for each in instances:
            each.join(10)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default=os.environ.get("ANSWERABLE_URL", "http://localhost:8000"))
    parser.add_argument("--key", default=os.environ.get("ANSWERABLE_KEY", ""), help="or ANSWERABLE_KEY")
    parser.add_argument("--control-url", default=os.environ.get("ANSWERABLE_CONTROL_URL"))
    parser.add_argument("--system", default="credit-limits")
    parser.add_argument("--instances", type=int, default=3)
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two applications, about")
    parser.add_argument("--wait", type=float, default=60.0, help="seconds to wait for a human")
    parser.add_argument("--spool-dir", help="where records wait; by default the user's state folder")
    parser.add_argument("--break-glass", help="a file with lines like: credit-limits stop")
    return parser.parse_args()


def serve(number: int, asked: argparse.Namespace) -> None:
    """One instance."""
    signal.signal(signal.SIGTERM, _end)
    client = Client(
        asked.url, asked.key, system=asked.system, model_version=MODEL, risk="high", control_url=asked.control_url,
        spool_dir=asked.spool_dir, break_glass=asked.break_glass,
    )  # fmt: skip
    client.on_change(lambda change: say(number, _told(change)))
    try:
        with client:
            client.wait_ready(5)
            say(number, f"started; mode {client.mode()}, epoch {client.epoch or 'unknown'}")
            while True:
                apply_for_credit(number, client, asked.wait)
                time.sleep(asked.every * random.uniform(0.5, 1.5))
    except (Ended, KeyboardInterrupt):
        say(number, "ended")


def _end(number: int, frame: FrameType | None) -> None:
    raise Ended


def _told(change: Change) -> str:
    return f"*** {change.before} -> {change.after} (by {change.applied_by}, epoch {change.epoch}) ***"


def apply_for_credit(number: int, client: Client, wait: float) -> None:
    """One application from the question to the effect."""
    name, income = random.choice(NAMES), random.randrange(18_000, 90_000, 500)
    record = propose(name, income, client.param("max-amount", 10_000.0))
    label = f"{name} asks, income {income}: model says {record['outcome']}"
    try:
        with client.guard(**record, wait=wait) as decision:
            pay_out(number, label, decision)
    except Held:
        say(number, f"{label}; held, and no human has decided within {wait:g} s: nothing was done")
    except UseFallback:
        say(number, f"{label}; fallback in force ({client.fallback() or 'by hand'}): sent to a clerk")
    except Stopped as stopped:
        say(number, f"{label}; STOPPED, nothing was done ({stopped})")
    except AnswerableError as error:
        say(number, f"{label}; not done: {error}")


def propose(name: str, income: int, most: float) -> dict[str, Any]:
    """The model."""
    limit = min(income // 8, int(most)) if income > 30_000 else 0
    weight = round((income - 30_000) / 60_000, 2)
    return {
        "input": {"applicant": name, "income": income},
        "output": {"limit": limit},
        "outcome": "approved" if limit else "refused",
        "adverse": not limit,
        "confidence": round(min(0.5 + abs(weight) / 2, 0.99), 2),
        "subject": f"customer-{name.lower()}",
        "explanation": {
            "summary": f"An income of {income} allows a limit of {limit}",
            "method": "rule",
            "reasons": [{"code": "income", "text": "Income", "weight": weight}],
        },
    }


def pay_out(number: int, label: str, decision: Decision) -> None:
    """The effect. A human may have changed outcome and output, so it acts on the decision, not on the model's word."""
    effective = decision.effective
    who = "a human" if effective is not None else decision.directive.answered_by
    original = effective.document.get("original_outcome") if effective is not None else decision.outcome
    changed = f", who overruled {original!r}" if original != decision.outcome else ""
    say(number, f"{label}; done: {decision.outcome} {decision.output} (allowed by {who}{changed})")


def say(number: int, text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} instance {number}: {text}", flush=True)


if __name__ == "__main__":
    main()
