"""What the self-audit can find. A finding names places, never contents."""

from dataclasses import asdict, dataclass
from typing import Any

MEANINGS = {
    "entry-missing": "an entry that the log's size covers is not there",
    "entry-altered": "an entry's bytes do not hash to its leaf hash",
    "entry-mislabelled": "an entry's columns do not say what its bytes say",
    "entry-beyond-head": "an entry stands beyond the newest head",
    "tile-missing": "a full tile is not there",
    "tile-altered": "a tile does not hold the hashes of its entries",
    "tile-beyond-head": "a tile stands beyond the newest head",
    "head-missing": "a log with entries has no head",
    "head-altered": "a head's root or frontier is not that of its entries",
    "head-store-missing": "this host has no head of a log that has entries",
    "rolled-back": "the database does not continue what this host has signed",
    "log-missing": "a log that was announced, or that this host has signed for, is not there",
    "log-altered": "a log's row does not say what its entry 0 says",
    "log-unannounced": "the registry log does not know of a log",
    "log-closure-unsealed": "a log was closed without an entry that says so",
    "log-closure-missing": "a log has a successor, and nothing says any more that it is closed",
    "log-closure-altered": "the tree with which a log was closed is not one that it had",
    "key-unsigned": "a key was announced that none of the installation's keys has signed for",
    "decision-missing": "a decision's row is not there",
    "decision-altered": "a decision's row does not say what its entry says",
    "decision-without-entry": "a decision's row stands without an entry",
    "payload-missing": "a decision's payload is not there",
    "payload-altered": "a payload does not open its commitments",
    "payload-misled": "the digest by which the same input is found is not that of a payload's input",
    "payload-without-decision": "a payload stands without a decision",
    "payload-gone": "a payload is empty though no erasure was recorded",
    "review-missing": "a review that the entry of its decision names is not there",
    "review-altered": "a review did not begin as its decision, its rule and its queue say",
    "case-miscounted": "the decisions of a case's attachment or detachment are not those that were sealed",
    "case-decision-altered": "a decision in a case is not what the record and the attachment say",
    "case-mistallied": "what a case's page counts is not what is in the case",
    "incident-misnoted": "which AI systems wait for the authority to be informed is not what an incident says",
    "change-missing": "the row of a change of a switch that was sealed is not there",
    "change-altered": "a change of a switch is not as its entries say, or disagrees with itself",
    "change-without-entry": "a change of a switch stands without an entry",
    "recovery-missing": "a recovery of the controls that was sealed is not there",
    "recovery-altered": "a recovery of the controls is not as its entry says",
    "recovery-without-entry": "a recovery of the controls names an entry that is not its own",
    "credential-altered": "a secret, recovery code or set-up link is not what the entry of its making says",
    "row-missing": "a governed row is not there",
    "row-altered": "a governed row is not in the state that was sealed last",
    "row-without-history": "a governed row stands without a sealed change",
    "history-missing": "the history row of a sealed change is not there",
    "history-altered": "a history row is not in the state that was sealed",
    "history-without-entry": "a history row stands without an entry",
    "particulars-missing": "a row's personal or free text is not there",
    "particulars-altered": "personal or free text does not open its commitment",
    "particulars-gone": "personal or free text is empty though no erasure was recorded",
    "erasure-unsealed": "an erasure was recorded without an entry that says so, or another number than it says",
    "erasure-altered": "what is to be erased, or was, is not what two people agreed to",
    "restriction-altered": "the decisions or texts that are restricted are not those that an entry counts",
    "document-altered": "a receipt of an erasure, or report of a purge, is not the one that was signed",
    "checkpoint-missing": "a checkpoint that the registry log records is not there",
    "checkpoint-altered": "a stored checkpoint is not one of its log, or its signature fails",
    "particulars-loose": "personal or free text stands without a sealed change",
    "checkpoint-without-entry": "a stored checkpoint stands without an entry",
    "quarantine-missing": "a record that was counted into quarantine is not there",
    "quarantine-altered": "a record in quarantine is not what was counted",
    "quarantine-gone": "a record in quarantine is empty though no erasure was recorded",
    "quarantine-miscounted": "the receipts of quarantined records are not those that an entry counts",
    "quarantine-unsealed": "a record stands in quarantine that was neither counted nor waits for it",
    "contradicted": "somebody outside holds a signed checkpoint that the database does not continue",
    "contradiction-missing": "what somebody outside held against a log, as the registry log says, is not there",
    "contradiction-altered": "what somebody outside held against a log is not what the registry log says",
    "cosignature-altered": "a stored cosignature is not by its witness over its checkpoint",
    "timestamp-altered": "a stored time-stamp is not over its checkpoint at its time, or its signature fails",
    "guard-open": "a trigger that refuses changes is missing or disabled",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One mismatch: a code of `MEANINGS`, and where."""

    code: str
    log: str = ""
    index: int | None = None
    table: str = ""
    row: str = ""
    detail: str = ""

    def __str__(self) -> str:
        place = " ".join(
            part
            for part in (
                f"log {self.log}" if self.log else "",
                f"index {self.index}" if self.index is not None else "",
                self.table,
                self.row,
                f"({self.detail})" if self.detail else "",
            )
            if part
        )
        return f"{self.code}: {MEANINGS[self.code]}" + (f": {place}" if place else "")

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> "Finding":
        """Twin of `as_json`. Errors: ValueError for what is no finding of this version."""
        if said.get("code") not in MEANINGS or said.keys() - cls.__dataclass_fields__.keys():
            raise ValueError(f"not a finding: {said.get('code')}")
        return cls(**said)

    def as_json(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if value not in ("", None)}
