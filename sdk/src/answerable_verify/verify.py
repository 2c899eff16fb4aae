#!/usr/bin/env python3
"""Verify an evidence bundle of Answerable, offline.

    python3 verify.py BUNDLE --vkey VKEY [--policy FILE] [--head FILE] [--save-head DIR] [--tsa CERT.pem] [--json]
    python3 verify.py proof FILE --entry FILE --vkey VKEY
    python3 verify.py --explain [CODE...]

BUNDLE is the zip, or a folder with the same files. One file, Python 3.9 or later, the standard library alone: nothing
is installed, nothing is asked over a network. docs/bundle-format.md is the format, docs/verifying-a-bundle.md the guide.

Exit codes:

    0  verified: everything fits, under a key that came from elsewhere, and the bundle is whole
    1  evidence of tampering: something contradicts something, and each is named with its place
    2  wrong usage: a file that cannot be read or is no bundle, a key or a policy that is none; or nothing was found out,
       since the verifier was stopped or has itself failed
    3  incomplete: nothing contradicts, but something that a verdict needs is not there

How to read this file. Nothing in a bundle is believed because it stands there. `check_bundle`, far below, is the whole
check in the order in which it happens; each section above it does one thing and says from which specification:

    1  the words, and the findings       6  tiles and tree
    2  JSON, as strictly as it goes      7  the container: zip or folder
    3  Ed25519                           8  the manifest
    4  signed notes, keys, policies      9  the first page, and VERIFYING.txt
    5  RFC 3161 time-stamps             10  logs, contents, trust, the answer, the verdict, the command
"""

# One file on purpose: whoever verifies carries it, and reads it. The page for browsers (verify.html) is its twin, in
# JavaScript, with the words of this file; the tests hold both to the same report, damage by damage.

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import heapq
import html
import json
import os
import re
import stat
import struct
import sys
import tempfile
import time
import traceback
import zlib
from array import array
from typing import (
    Any,
    BinaryIO,
    Callable,
    ClassVar,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

sha256 = hashlib.sha256
Json = Any
Span = Tuple[int, int]

# ======================================================================================================================
# 1  The words, and the findings
# ======================================================================================================================
FORMAT = "answerable-evidence/1"
REPORT_FORMAT = "answerable-verification/1"
VERIFIED, TAMPERED, USAGE, INCOMPLETE = range(4)
VERDICTS = {VERIFIED: "verified", TAMPERED: "tampering", USAGE: "usage", INCOMPLETE: "incomplete"}

# What a verifier keeps in memory grows with these, and with nothing else that a bundle says.
LIMITS = {
    "files": 200_000,
    "name": 200,
    "grows": 64 << 20,  # bytes of manifest.json, SHA256SUMS, a file of entries or of parts, ...
    "lines": 1_000_000,  # of manifest.json
    "note": 100_000,  # bytes of a checkpoint, of manifest.note
    "token": 1 << 18,  # bytes of a time-stamp token
    "page": 8 << 20,  # bytes of README.html, VERIFYING.txt, verify.py, verify.html
    "entry": 65_535,
    "line": 1 << 20,  # bytes of a line where an entry should be, before no more are read
    "part": 32 << 20,  # bytes of a line of parts
    "size": 2**53 - 1,  # entries of a log: what a browser counts exactly
    "depth": 64,  # of JSON
    "digits": 100,  # of a number in JSON
    "values": 2_000_000,  # commas and brackets that open, in one text of JSON
    "part values": 10,  # and in a line of parts
    "wrong parts": 10_000,  # lines of parts that are none, or belong to no entry, before no more are read
    "signatures": 100,  # of a note
    "events": 1_000,  # announcements and retirements of keys, of one log
    "certificates": 20,  # of a time-stamp token
    "timestamps": 100,  # of a log
    "logs": 2_000,
    "work": 20_000,  # signatures that are verified, and keys that are looked at
    "chain": 5,  # certificates from a time-stamp to one that was given
    "listed": 50,  # findings of one code that are listed; all are counted
}
CHUNK = 1 << 20
CLOCK_SLACK = 86_400  # seconds that a witness's clock may be ahead of this machine's
CLOCK_BACK = 60_000_000  # microseconds that receipt times may go back without being reported
CLOCKS_APART = 3_600_000_000  # microseconds that the server's clock and one outside may differ without being reported

TAMPERING, INCOMPLETE_LEVEL, NOTE_LEVEL = "tampering", "incomplete", "note"

# Codes are stable: they are never renamed, and none is used again for something else.
FINDINGS: Dict[str, Tuple[str, str]] = {
    # the container
    "zip-damaged": ("tampering", "The zip is damaged: it is cut off, or what it says of itself does not fit."),
    "zip-not-plain": ("tampering", "The zip is not of the plain kind that a bundle is: another program may see other files in it."),
    "name-refused": ("tampering", "A file has a name, or is of a kind, that no file of a bundle has."),
    "name-repeated": ("tampering", "Two files have the same name, or one that differs by case alone."),
    "content-damaged": ("tampering", "A file cannot be unpacked to what the zip says of it."),
    "file-too-large": ("tampering", "A file is larger than one of its name may be."),
    "too-many-files": ("tampering", "There are more files than a bundle may have."),
    "too-many-signatures": ("tampering", "There are more signatures than a bundle may have."),
    # the manifest and the files
    "manifest-malformed": ("tampering", "manifest.json is not in the one form that it may have."),
    "manifest-note-malformed": ("tampering", "manifest.note is not a signed note of a manifest."),
    "manifest-note-differs": ("tampering", "manifest.note is of another manifest, or of another export."),
    "manifest-unsigned": ("tampering", "manifest.note is not signed by a key that may be trusted, under the newest registry log's name."),
    "manifest-differs": ("tampering", "The manifest says something else than what the entries show."),
    "file-missing": ("tampering", "A file that belongs to the bundle is not there."),
    "file-extra": ("tampering", "A file is there that does not belong to the bundle."),
    "file-beside": ("note", "A file lies in the folder that belongs to no bundle. It was not looked at."),
    "file-altered": ("tampering", "A file is not the one that the manifest lists."),
    "sums-differ": ("tampering", "SHA256SUMS is not the list of the files that are there."),
    "first-page-differs": ("tampering", "README.html is not the page that follows from the manifest."),
    "whole-claimed": ("tampering", "The manifest calls the bundle whole, and it is not."),
    # checkpoints and keys
    "checkpoint-malformed": ("tampering", "A checkpoint is not one."),
    "checkpoint-differs": ("tampering", "A checkpoint is of another log or of another tree than the manifest says."),
    "signature-invalid": ("tampering", "A signature by a known key does not verify: text or signature were changed."),
    "signature-untrusted": ("tampering", "A checkpoint is not signed by a key that may be trusted. Of a bundle from before a key was replaced, give the earlier key too."),
    "signature-retired": ("tampering", "A checkpoint is signed only by a key that was not in force for this tree."),
    "origin-foreign": ("tampering", "The bundle is of another installation than every key that was given."),
    "announcement-invalid": ("tampering", "A key was announced, and no key in force has signed for it."),
    "signature-lacking": ("incomplete", "A newer key was announced in this log, and has not signed its checkpoint: was the key that did retired?"),
    "key-not-given": ("incomplete", "A log is signed only by an earlier key of the installation: give that verifier key too."),
    "no-key": ("incomplete", "No verifier key from elsewhere was given: anybody could have made this bundle. Compare the fingerprint."),
    # tiles and tree
    "tile-missing": ("tampering", "A hash tile that the proof needs is not there."),
    "tile-unexpected": ("tampering", "A hash tile is there that the tree of this size does not have, or that nothing proves."),
    "tile-altered": ("tampering", "A hash tile is not the one that the tree holds."),
    "root-differs": ("tampering", "The tiles do not fold to the root that the checkpoint states."),
    # entries
    "disclosed-malformed": ("tampering", "The list of disclosed entries is not one."),
    "entries-malformed": ("tampering", "A file of entries is not lines that each end in one newline."),
    "entry-missing": ("tampering", "Entries that the bundle says it discloses are not there."),
    "entry-extra": ("tampering", "There are more entries than the bundle says it discloses."),
    "entry-altered": ("tampering", "An entry is not the one that stands in the log at this place."),
    "entry-malformed": ("tampering", "An entry is not an entry."),
    "entry-repeated": ("tampering", "The id of an entry occurs twice."),
    "entry-misplaced": ("tampering", "A decision stands in the log of another AI system."),
    "entries-withheld": ("incomplete", "Entries of the range are withheld: that they are there is proven, what they say is not."),
    "clock-back": ("note", "Receipt times go back by more than 60 s here: the server's clock was set, or differs between hosts."),
    # logs and the question
    "log-differs": ("tampering", "Entry 0 of a log is missing, or says that the log is another one."),
    "log-unannounced": ("tampering", "The registry log does not announce this log as the AI system's."),
    "log-missing": ("tampering", "A log is not there that the answer needs."),
    "log-left-out": ("incomplete", "A log is not there that the answer needs; the bundle says that it is not whole."),
    "chain-broken": ("tampering", "The logs are not one chain, each naming the one before it."),
    "record-differs": ("tampering", "The registry log recorded another tree of this log: two histories of it were signed."),
    "record-not-comparable": ("incomplete", "The registry log recorded a tree of this log that cannot be compared with the one that is here."),
    "history-forked": ("tampering", "Two histories of a log were signed: somebody outside holds a tree of it that is no beginning of this one, as is sealed here."),
    "history-elsewhere": ("incomplete", "Somebody outside holds a signed tree of a log, as is sealed here, that cannot be compared with this one."),
    "entries-lost": ("incomplete", "Entries were lost, as the log's successor states, or stand where this bundle does not reach."),
    "fence-missing": ("tampering", "The entry beside the range is not disclosed: nothing shows that the range goes as far as it must."),
    "range-wrong": ("tampering", "The range is not that of the times that were asked for."),
    "asked-differs": ("tampering", "Who asked, when and for what is not what the registry log holds."),
    "not-whole": ("incomplete", "The bundle itself says that it is not whole."),
    # contents
    "part-malformed": ("tampering", "A line of disclosed contents is not one, or is out of order."),
    "part-unknown": ("tampering", "Contents are there that no disclosed entry has committed to."),
    "part-altered": ("tampering", "Contents are not those that the entry has committed to."),
    "erased-disclosed": ("tampering", "Contents are disclosed of a decision whose contents were erased, as is sealed here."),
    # heads, witnesses, time
    "before-differs": ("tampering", "The earlier checkpoint in the bundle is not of an earlier tree of this log."),
    "before-unsigned": ("note", "The earlier checkpoint fits the log, and is not signed by a key that you gave."),
    "head-forked": ("tampering", "A head that you kept is not of this log's history: the log was rewritten."),
    "head-elsewhere": ("note", "A head that you kept is of a log that is not in this bundle: nothing was compared with it."),
    "head-not-comparable": ("incomplete", "A head that you kept cannot be compared with this bundle."),
    "cosignature-invalid": ("tampering", "A known witness's cosignature does not verify."),
    "cosignature-ignored": ("note", "A witness's cosignature counts for nothing."),
    "clock-contradicted": ("note", "A witness or a time-stamp authority saw the log at a time that its receipt times contradict by more than an hour: one of the clocks was wrong, and what this one says counts for nothing."),
    "quorum-not-met": ("incomplete", "The witnesses that the policy asks for have not cosigned."),
    "timestamp-invalid": ("tampering", "A time-stamp is not one of this checkpoint."),
    "timestamp-unknown": ("note", "A time-stamp fits, and its authority is not one whose certificate you gave."),
    "timestamp-unsupported": ("note", "A time-stamp is of a kind that this verifier cannot check: it counts for nothing."),
    "timestamp-unproven": ("incomplete", "No time-stamp in the bundle is by an authority whose certificate you gave."),
}  # fmt: skip

# What is said in words, here and in the browser. {name} is replaced, once, by `fill`.
WORDS: Dict[str, str] = {
    "title": "Evidence bundle {id} of {origin}",
    "made": "Made at {made_at} by {software}.",
    "asked_by": "Asked by {by} at {at} (entry {entry}).",
    "approved_by": "Approved by {approved_by} (entry {approval}).",
    "q_range": "Every decision of AI system {system}, received {times}.",
    "q_case": "The decisions of case {case}.",
    "q_decision": "Decision {decision}.",
    "q_subject": "The decisions about one person. Who that is stands in the refs parts, where they are disclosed.",
    "called_range": "The organisation calls the AI system {called}. That is its own word, and not proven.",
    "called_case": "The organisation calls the case {called}.",
    "called_decision": "The organisation calls the AI system {called}. That is its own word, and not proven.",
    "called_subject": "The organisation calls it {called}. That is its own word, and not proven.",
    "times_all": "at any time",
    "times_since": "since {since}",
    "times_until": "before {until}",
    "times_both": "since {since} and before {until}",
    "figures": "Decisions: {decisions}. Entries: {entries}, of which withheld: {withheld_entries}.",
    "figures_more": "Adverse: {adverse}. Flagged: {flagged}. Failed: {failed}. Overridden: {overridden}.",
    "head_question": "What was asked",
    "head_answer": "The answer, as the entries show it",
    "head_proven": "What is proven",
    "head_fits": "What fits, and is proven only once you know that the key is the organisation's",
    "head_keys": "Fingerprint of the key that signed: compare it with one that you get from elsewhere",
    "head_not_proven": "What is not proven",
    "head_findings": "What does not fit",
    "head_open": "What is missing for a verdict",
    "head_notes": "Noticed",
    "and_more": "... and {count} more of this kind.",
    "verdict_verified": "VERIFIED. Everything fits, under a key that you got from elsewhere.",
    "verdict_tampering": "EVIDENCE OF TAMPERING. Contradictions: {count}.",
    "verdict_incomplete": "INCOMPLETE, not verified. Nothing contradicts, and something is missing: see above.",
    "verdict_usage": "NOT CHECKED. {error}",
    # proven
    "p_signed": "{log}: the checkpoint (tree of {tree_size} entries) is signed by a key that you got from elsewhere, or to which it leads.",
    "p_consistent": "{log}: everything in the bundle fits the checkpoint (tree of {tree_size} entries). Who signed it is for you to compare.",
    "p_range": "{log}: entries {first} to {last} are all there is between them. None was left out, put in, changed or moved.",
    "p_range_none": "{log}: no entry of this log was received in these times.",
    "p_disclosed": "{log}: {count} disclosed entries stand in the log, at their places, as they are here.",
    "p_times": "The ranges reach as far as the times asked for: the entries directly beside them were received before and after.",
    "p_system": "The registry log announces these logs as those of the AI system.",
    "p_parts": "{count} disclosed contents are, to the byte, what was sealed.",
    "p_erased": "{count} contents were erased, and the log holds the entry that says so.",
    "p_case": "These are the decisions of the case: the registry log holds how many were put into it, and their digest.",
    "p_answer": "The figures above, and those on the first page, are counted from the disclosed entries.",
    "p_sources": "Numbers that sources gave and that are missing: {missing}. A missing number has no decision among these; of what a source sent before its first number here, or behind its last, they say nothing.",
    "p_asked": "Who asked for the bundle, and when, is sealed in the registry log.",
    "p_manifest": "The manifest, and with it each file of the bundle, is signed by the installation.",
    "p_before": "{log}: the tree of {size} entries that was signed before the range is the beginning of this one.",
    "p_head": "{log}: the head of {size} entries that you kept is the beginning of this log.",
    "p_record": "{log}: the registry log recorded the tree of {size} entries, and it is the beginning of this one.",
    "p_witness": "{log}: cosigned by {witness} at {at}.",
    "p_quorum": "Your policy's quorum of witnesses has seen what is proven here.",
    "p_time": "{log}: this tree existed at {at}, by a time-stamp of {authority}.",
    # not proven
    "n_true": "That what was sent is true: a log holds what a service reported, when it arrived, and that nobody touched it since.",
    "n_sent": "That everything was sent. A decision that never arrived is in no log; numbers of sources make gaps visible, where a source gives them.",
    "n_time": "The times inside the log: they are the server's clock at receipt.",
    "n_beside": "That no entry farther outside the ranges was received in these times: where the server's clock was set back, times do not follow the order.",
    "n_rest": "That there are no other entries than the disclosed ones: this question has no range.",
    "n_case": "That these are the very decisions of the case: they are as many as were put into it and not taken out, as the registry log holds, which has a digest of each of these acts alone.",
    "n_subject": "That these decisions are about the person who was asked for, where the refs parts are not disclosed.",
    "n_later": "That no later log of the AI system exists: ask for the registry log's newest state.",
    "n_tail": "{log}: that nothing was added behind the tree that is here before the bundle was made. It holds what the log held when the bundle was asked for.",
    "n_unseen": "Anything against somebody who holds database, signing key and head store, for what nobody outside has seen: no witness or time-stamp that you trust has seen this.",
    "n_keys": "Who made the bundle. Without a key from elsewhere anybody could have.",
    "n_withheld": "What withheld entries and contents say. Withheld contents: {count}.",
    "n_purged": "What withheld entries and contents say. Withheld contents: {count}, or fewer: retention has purged contents, as the log says, without saying of which decisions.",
    "n_registry": "{log}: what stood in entries of it that were lost, as its successor states. They may have announced or closed logs of the AI system.",
    "n_heads": "That the log is the one you saw before: you gave no head. Keep this one (--save-head) and give it next time.",
    "n_unstamped": "{log}: that it existed at the time of a time-stamp. None that you trust is of this tree, or of a registry log that recorded all of it that is here.",
    "n_head": "{log}: that it is the one you saw before. You gave no head of it.",
    "n_revoked": "That no certificate of a time-stamp authority was revoked.",
    "n_tsa": "{log}: the time {at} of a time-stamp: its authority's certificate (SHA-256 {fingerprint}) is not one that you gave.",
    "n_verifier": "That a verifier which came inside the bundle is honest. Use one that you got from elsewhere.",
}  # fmt: skip


def fill(template: str, facts: Dict[str, Json]) -> str:
    """Put facts into one of the templates above. Numbers are grouped, texts made harmless (`shown`)."""
    return re.sub(r"\{(\w+)\}", lambda found: shown(facts.get(found[1])), template)


def shown(value: Json, most: int = 200) -> str:
    """A value as it may stand on a terminal, a page or in a report, whatever the bundle has put there.

    Printable ASCII stays; everything else, and the backslash, becomes an escape: no control sequence, no line break, no
    bidirectional override gets through.
    """
    if value is None:
        return "none"
    if value is True or value is False:
        return "yes" if value else "no"
    if isinstance(value, int):
        return grouped(value)
    if not isinstance(value, str):
        return "something else"
    cut = value[:most]
    out = "".join(char if " " <= char <= "~" and char != "\\" else _escape(char) for char in cut)
    return out + ("..." if len(value) > most else "")


def _escape(char: str) -> str:
    # as JavaScript sees it: a character beyond U+FFFF is two escapes
    code = ord(char)
    if code > 0xFFFF:
        code -= 0x10000
        return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
    return f"\\u{code:04x}"


def grouped(number: int) -> str:
    """A number with a comma every three digits."""
    return f"{number:,}"


class Finding(NamedTuple):
    """Something that was found: a code of `FINDINGS`, where, and what exactly."""

    code: str
    place: str
    detail: str

    @property
    def level(self) -> str:
        return FINDINGS[self.code][0]


class Report:
    """All that a check says. Of each code the first `LIMITS["listed"]` are kept, and all are counted."""

    def __init__(self) -> None:
        self.findings: List[Finding] = []
        self.counts: Dict[str, int] = {}
        self.proven: List[Tuple[str, Dict[str, Json]]] = []
        self.not_proven: List[Tuple[str, Dict[str, Json]]] = []
        self.facts: Dict[str, Json] = {}

    def add(self, code: str, place: str, detail: str = "") -> None:
        """Note a finding. `detail` holds values of the bundle only through `shown`."""
        self.counts[code] = self.counts.get(code, 0) + 1
        if self.counts[code] <= LIMITS["listed"]:
            self.findings.append(Finding(code, place, detail))

    def count(self, level: str) -> int:
        return sum(number for code, number in self.counts.items() if FINDINGS[code][0] == level)

    @property
    def exit_code(self) -> int:
        if self.count(TAMPERING):
            return TAMPERED
        return INCOMPLETE if self.count(INCOMPLETE_LEVEL) else VERIFIED


class Damage(Exception):
    """Something in the bundle that cannot be read on: a finding."""

    def __init__(self, code: str, place: str, detail: str = "") -> None:
        super().__init__(code)
        self.finding = Finding(code, place, detail)


class UsageError(Exception):
    """What the caller gave is not what it must be: exit code 2."""


class Malformed(ValueError):
    """A text that is not of the form it must have; whoever reads it knows which finding that is."""


class Unsupported(Malformed):
    """Something of a kind that this program does not know: it says nothing for or against anybody."""


def says(name: str, claimed: Json, derived: Json) -> str:
    """The detail of a contradiction between a claim and what was derived."""
    return f"{name}: says {shown(claimed, 80)}, is {shown(derived, 80)}"


class Work:
    """How many public-key operations a check may still take: a million signatures are a day's work, and no bundle's."""

    left: ClassVar[float] = float("inf")

    @classmethod
    def spend(cls, count: int = 1) -> None:
        """So many more. Errors: Damage."""
        cls.left -= count
        if cls.left < 0:
            raise Damage("too-many-signatures", "")


# ======================================================================================================================
# 2  JSON, and other small forms, as strictly as they go
# ======================================================================================================================
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MOMENT = re.compile(
    r"([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(?:\.([0-9]{1,6}))?Z"
)
HEX32 = re.compile(r"[0-9a-f]{64}")
KIND = re.compile(r"[a-z_]+(?:\.[a-z_]+)+")
DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)  # also one without an end: then nothing is tried twice
_NO_SIGNS = bytes(set(range(256)) - set(b"[]{},"))


def _object(pairs: List[Tuple[str, Json]]) -> Dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("a name stands twice")
    return found


def _integer(text: str) -> int:
    if len(text) > LIMITS["digits"]:
        raise Malformed("a number is too long")
    return int(text)


def _fraction(text: str) -> float:
    if len(text) > LIMITS["digits"]:
        raise Malformed("a number is too long")
    return float(text)


def _no_constant(text: str) -> Json:
    raise Malformed("not a number")


_decode_json = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_fraction, parse_constant=_no_constant
).decode


def read_json(text: str, values: int = LIMITS["values"]) -> Json:
    """Read JSON (RFC 8259) that has no name twice, no NaN, no number of over 100 digits, no more than 64 levels.

    In: how many commas and brackets that open it may have at most. Errors: Malformed.
    """
    opened = text.count("{") + text.count("[")
    if opened > LIMITS["depth"] or opened + text.count(",") > values:
        _require_small(text, values)
    try:
        return _decode_json(text)
    except RecursionError:
        raise Malformed("nested too deeply") from None
    except ValueError as error:
        raise error if isinstance(error, Malformed) else Malformed("not JSON") from None


def _require_small(text: str, values: int) -> None:
    """Count before anything is made of it: three bytes become an object of a hundred. Errors: Malformed."""
    depth, left = 0, values
    for sign in _STRINGS.sub("", text).encode("utf-8", "replace").translate(None, _NO_SIGNS):
        if sign not in b"]}":
            left -= 1
        if sign != 0x2C:
            depth += 1 if sign in b"[{" else -1
        if depth > LIMITS["depth"]:
            raise Malformed("nested too deeply")
        if left < 0:
            raise Malformed("too many values")
        if depth < 0:
            return


def is_count(value: Json, most: int = LIMITS["size"]) -> bool:
    """Whether it is an integer of 0 to `most`; true and false are none."""
    return type(value) is int and 0 <= value <= most


def is_uuid(value: Json) -> bool:
    return isinstance(value, str) and UUID.fullmatch(value) is not None


def moment(value: Json) -> Optional[str]:
    """A time (RFC 3339, UTC) with six decimals, so that texts compare as times do; None where it is none."""
    found = MOMENT.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found[3]) > _days_of(int(found[1]), int(found[2])):
        return None
    return f"{value[:19]}.{found[7] or '':0<6}Z"


def _days_of(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def microseconds(at: str) -> int:
    """Microseconds since 1970 of a time that `moment` returned."""
    year, month, day = int(at[:4]), int(at[5:7]), int(at[8:10])
    # days from civil: the year begins in March, so that the leap day is its last
    year -= month <= 2
    era, of_era = year // 400, year % 400
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    days = era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + day_of_year - 719_468
    seconds = days * 86_400 + int(at[11:13]) * 3600 + int(at[14:16]) * 60 + int(at[17:19])
    return seconds * 1_000_000 + int(at[20:26])


def in_words(seconds: int) -> str:
    """POSIX seconds as a time; as a number where the calendar has no such year."""
    if not 0 <= seconds < 253_402_300_800:
        return str(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def decode_base64(text: str) -> bytes:
    """Standard base64 with padding, in its one canonical spelling (RFC 4648 sections 4 and 3.5). Errors: Malformed."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise Malformed("not base64") from None
    if base64.b64encode(data).decode("ascii") != text:
        raise Malformed("not canonical base64")
    return data


def encode_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def fingerprint(data: bytes) -> str:
    """SHA-256 in hex, in groups of four: what people read to each other."""
    digest = sha256(data).hexdigest()
    return " ".join(digest[i : i + 4] for i in range(0, 64, 4))


# ======================================================================================================================
# 3  Ed25519 (RFC 8032), verification alone
# ======================================================================================================================
# Nothing here is secret, so nothing needs constant time. Strict, so that no two verifiers disagree: points and S in their
# one canonical encoding, keys of the prime-order group only, R as well, no cofactor.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
Point = Tuple[int, int, int, int]  # extended coordinates X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z
IDENTITY: Point = (0, 1, 1, 0)


def _add(one: Point, other: Point) -> Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c = 2 * one[3] * other[3] * D % P
    d = 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _double(one: Point) -> Point:
    a, b = one[0] * one[0] % P, one[1] * one[1] % P
    c = 2 * one[2] * one[2] % P
    h = a + b
    e = h - (one[0] + one[1]) * (one[0] + one[1]) % P
    g = a - b
    f = c + g
    return e * f % P, g * h % P, f * g % P, e * h % P


def _combine(one: Point, a: int, other: Point, b: int) -> Point:
    """a times the one point plus b times the other."""
    both, found = _add(one, other), IDENTITY
    for bit in range(max(a.bit_length(), b.bit_length()) - 1, -1, -1):
        found = _double(found)
        which = (a >> bit & 1) + 2 * (b >> bit & 1)
        if which:
            found = _add(found, (one, other, both)[which - 1])
    return found


def _is_identity(point: Point) -> bool:
    return point[0] % P == 0 and (point[1] - point[2]) % P == 0


def _decode_point(data: bytes) -> Optional[Point]:
    """RFC 8032 section 5.1.3, canonical encodings only."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == -u % P:
        x = x * SQRT_M1 % P
    if v * x * x % P != u or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def _encode_point(point: Point) -> bytes:
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _prime_order(data: bytes) -> Optional[Point]:
    Work.spend()
    point = _decode_point(data)
    if point is None or _is_identity(point) or not _is_identity(_combine(point, L, IDENTITY, 0)):
        return None
    return point


_BASE = _decode_point(bytes.fromhex("58" + "66" * 31))
_keys: Dict[bytes, Optional[Point]] = {}


def is_ed25519_key(public_key: bytes) -> bool:
    """Whether 32 bytes are a key at all: a point of prime order in its canonical encoding."""
    if public_key not in _keys:
        if len(_keys) > 10_000:
            _keys.clear()
        _keys[public_key] = _prime_order(public_key) if len(public_key) == 32 else None
    return _keys[public_key] is not None


def ed25519_verifies(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether 64 bytes are the signature of a message under a public key (RFC 8032 section 5.1.7)."""
    Work.spend()
    if not is_ed25519_key(public_key) or len(signature) != 64:
        return False
    key, encoded_r = _keys[public_key], signature[:32]
    s = int.from_bytes(signature[32:], "little")
    r = _decode_point(encoded_r)
    if key is None or _BASE is None or r is None or _is_identity(r) or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(encoded_r + public_key + message).digest(), "little") % L
    negative: Point = (P - key[0], key[1], key[2], P - key[3])
    return _encode_point(_combine(_BASE, s, negative, k)) == encoded_r


# ======================================================================================================================
# 4  Signed notes, checkpoints, keys and policies (C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-policy)
# ======================================================================================================================
ED25519, COSIGNATURE = 1, 4
EM_DASH = "\N{EM DASH}"
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")
_SPACE = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")


class Key(NamedTuple):
    """A public key under a name. `type` is 1 (signs) or 4 (cosigns); any other type verifies nothing."""

    name: str
    type: int
    public: bytes

    @property
    def id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public).digest()[:4]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.id.hex()}+{encode_base64(bytes([self.type]) + self.public)}"


class Signature(NamedTuple):
    """A signature line: the name it states, the four bytes of its key id, and the rest."""

    name: str
    id: bytes
    data: bytes


class Note(NamedTuple):
    """A signed note, taken apart and not believed."""

    text: str
    signatures: List[Signature]


class Checkpoint(NamedTuple):
    """What a checkpoint states, with the note it stands in."""

    origin: str
    size: int
    root: bytes
    note: Note


def is_key_name(name: str) -> bool:
    return bool(name) and "+" not in name and not _SPACE.search(name) and not _CONTROL.search(name)


def parse_vkey(text: str) -> Key:
    """A verifier key `<name>+<id>+<base64>` (signed-note, "Verifier keys"). Errors: Malformed."""
    try:
        name, identifier, encoded = text.split("+", 2)
        material = decode_base64(encoded)
        name.encode()
    except (ValueError, UnicodeEncodeError):
        raise Malformed("not a verifier key of the form name+id+key") from None
    if not material or not is_key_name(name):
        raise Malformed("not a verifier key of the form name+id+key")
    key = Key(name, material[0], material[1:])
    if identifier != key.id.hex():
        raise Malformed("the key id does not belong to this name and key")
    if key.type in (ED25519, COSIGNATURE) and not is_ed25519_key(key.public):
        raise Malformed("not an Ed25519 public key")
    return key


def parse_note(data: bytes) -> Note:
    """Take a note apart (signed-note, "Format"): the LAST blank line separates. Errors: Malformed."""
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None
    body, blank, lines = whole.rpartition("\n\n")
    if _CONTROL.search(whole) or not blank or not lines.endswith("\n"):
        raise Malformed("not a text, a blank line and signature lines")
    rows = lines[:-1].split("\n")
    if len(rows) > LIMITS["signatures"]:
        raise Malformed("too many signatures")
    return Note(body + "\n", [_parse_signature(row) for row in rows])


def _parse_signature(row: str) -> Signature:
    start, name, encoded = [*row.split(" "), "", "", ""][:3]
    if row != f"{start} {name} {encoded}" or start != EM_DASH or not is_key_name(name):
        raise Malformed("not a signature line")
    data = decode_base64(encoded)
    if len(data) < 5:
        raise Malformed("a signature is shorter than its key id")
    return Signature(name, data[:4], data[4:])


def parse_checkpoint(data: bytes) -> Checkpoint:
    """Take a checkpoint apart (tlog-checkpoint): origin, size, root, and no extension. Errors: Malformed."""
    note = parse_note(data)
    lines = note.text.split("\n")
    if len(lines) != 4 or not lines[0] or not DECIMAL.fullmatch(lines[1]) or int(lines[1]) > LIMITS["size"]:
        raise Malformed("not the three lines of a checkpoint")
    root = decode_base64(lines[2])
    if len(root) != 32 or (lines[1] == "0" and root != EMPTY_ROOT):
        raise Malformed("not a root hash of this tree")
    return Checkpoint(lines[0], int(lines[1]), root, note)


def signs(key: Key, note: Note, signature: Signature) -> bool:
    """Whether a signature line, which names this key, verifies. Of a cosignature the time is not judged here."""
    if key.type == ED25519:
        return ed25519_verifies(key.public, note.text.encode(), signature.data)
    if key.type != COSIGNATURE or len(signature.data) != 72:
        return False
    message = f"cosignature/v1\ntime {cosigned_at(signature)}\n{note.text}"
    return cosigned_at(signature) < 2**63 and ed25519_verifies(key.public, message.encode(), signature.data[8:])


def cosigned_at(signature: Signature) -> int:
    """The POSIX seconds that a cosignature states."""
    return int.from_bytes(signature.data[:8], "big")


class Policy(NamedTuple):
    """A tlog-policy: keys of logs, witnesses by name, and the quorum. Names are octets, kept as Latin-1."""

    logs: List[Key]
    witnesses: Dict[str, Key]
    groups: Dict[str, Tuple[int, List[str]]]
    quorum: str

    def is_met_by(self, cosigned: Iterable[str]) -> bool:
        """Whether these witnesses are a quorum."""
        if self.quorum == "none":
            return True
        met = set(cosigned)
        for name, (threshold, members) in self.groups.items():  # a group names only what stands above it
            if sum(member in met for member in members) >= threshold:
                met.add(name)
        return self.quorum in met


def parse_policy(data: bytes) -> Policy:
    """Read a policy file (C2SP tlog-policy). Errors: Malformed, with the number of the line."""
    policy = Policy([], {}, {}, "")
    used: set[str] = set()
    quorum = ""
    for number, line in enumerate(data.decode("latin-1").split("\n"), 1):
        words = [word for word in re.split("[ \t]+", line) if word]
        try:
            if re.search("[\x00-\x08\x0b-\x1f\x7f]", line):
                raise Malformed("a control character")
            if not words or words[0].startswith("#"):
                continue
            if words[0] == "quorum":
                quorum = _policy_quorum(policy, words, quorum)
            else:
                _policy_line(policy, words, used)
        except Malformed as error:
            raise Malformed(f"line {number}: {error}") from None
    if not quorum:
        raise Malformed("there is no quorum line")
    return policy._replace(quorum=quorum)


def _policy_quorum(policy: Policy, words: List[str], quorum: str) -> str:
    if quorum or len(words) != 2:
        raise Malformed("there is one quorum, with one name")
    if words[1] != "none" and words[1] not in policy.witnesses and words[1] not in policy.groups:
        raise Malformed("a quorum names what is defined above it")
    return words[1]


def _policy_line(policy: Policy, words: List[str], used: set[str]) -> None:
    kind, rest = words[0], words[1:]
    if kind == "log" and 1 <= len(rest) <= 2:
        key = _policy_key(rest[0], ED25519)
        if any(key.public == other.public for other in policy.logs):
            raise Malformed("this log's key was named before")
        policy.logs.append(key)
        return
    if kind not in ("witness", "group") or len(rest) < 2 or (kind == "witness" and len(rest) > 3):
        raise Malformed("not a line of a policy")
    if rest[0] == "none" or rest[0] in policy.witnesses or rest[0] in policy.groups:
        raise Malformed("this name is taken")
    if kind == "witness":
        key = _policy_key(rest[1], COSIGNATURE)
        if any(key.public == other.public for other in policy.witnesses.values()):
            raise Malformed("this witness's key was named before")
        policy.witnesses[rest[0]] = key
    else:
        policy.groups[rest[0]] = _policy_group(policy, rest, used)


def _policy_key(text: str, expected: int) -> Key:
    try:
        key = parse_vkey(text.encode("latin-1").decode("utf-8"))
    except UnicodeDecodeError:
        raise Malformed("not a verifier key") from None
    if (key.type == ED25519) != (expected == ED25519):
        raise Malformed("a key of another type")
    return key


def _policy_group(policy: Policy, rest: List[str], used: set[str]) -> Tuple[int, List[str]]:
    members = rest[2:]
    known = all(name in policy.witnesses or name in policy.groups for name in members)
    if not members or not known or len(set(members)) != len(members) or used & set(members):
        raise Malformed("a group names what is defined above it, each once in all groups")
    used |= set(members)
    word = rest[1]
    threshold = {"any": 1, "all": len(members)}.get(word, int(word) if re.fullmatch("[1-9][0-9]{0,5}", word) else 0)
    if not 1 <= threshold <= len(members):
        raise Malformed("a group's threshold is any, all, or a number of its members")
    return threshold, members


# ======================================================================================================================
# 5  RFC 3161 time-stamps (DER; RFC 5652 SignedData; RFC 5816 ESSCertIDv2; RFC 5280 certificates)
# ======================================================================================================================
class Der(NamedTuple):
    """One element: its tag, its contents, and its bytes with tag and length."""

    tag: int
    body: bytes
    whole: bytes

    def items(self) -> List[Der]:
        """The elements in it. Errors: Malformed."""
        return read_der(self.body)


SEQUENCE, SET, INTEGER, OCTETS, OID, BITS, BOOLEAN = 0x30, 0x31, 0x02, 0x04, 0x06, 0x03, 0x01
HASHES = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
RSA, PSS, EC_KEY, ED = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10", "1.2.840.10045.2.1", "1.3.101.112"
RSA_WITH = {
    "1.2.840.113549.1.1.11": "sha256",
    "1.2.840.113549.1.1.12": "sha384",
    "1.2.840.113549.1.1.13": "sha512",
}
ECDSA_WITH = {"1.2.840.10045.4.3.2": "sha256", "1.2.840.10045.4.3.3": "sha384", "1.2.840.10045.4.3.4": "sha512"}
# the DigestInfo that PKCS #1 v1.5 signs (RFC 8017 section 9.2, note 1), up to the digest
DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
SIGNED_DATA, TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
KEY_USAGE, BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE, KEY_IDENTIFIER = "2.5.29.15", "2.5.29.19", "2.5.29.37", "2.5.29.14"
TIME_STAMPING = "1.3.6.1.5.5.7.3.8"


class Curve(NamedTuple):
    """A short Weierstrass curve y^2 = x^3 - 3x + b over a prime, with its base point and order (FIPS 186-4)."""

    p: int
    b: int
    x: int
    y: int
    order: int


CURVES = {
    "1.2.840.10045.3.1.7": Curve(
        0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    ),
    "1.3.132.0.34": Curve(
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFF0000000000000000FFFFFFFF,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
        0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
        0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    ),
    "1.3.132.0.35": Curve(
        2**521 - 1,
        0x0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00,
        0x00C6858E06B70404E9CD9E3ECB662395B4429C648139053FB521F828AF606B4D3DBAA14B5E77EFE75928FE1DC127A2FFA8DE3348B3C1856A429BF97E7E31C2E5BD66,
        0x011839296A789A3BC0045C8A5FB42C7D1BD998F54449579B446817AFBD17273E662C97EE72995EF42640C550B9013FAD0761353C7086A272C24088BE94769FD16650,
        0x01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409,
    ),
}


def read_der(data: bytes) -> List[Der]:
    """Read elements one after the other, to the last byte: definite lengths in their shortest form. Errors: Malformed."""
    found, at = [], 0
    while at < len(data):
        start, tag = at, data[at]
        length = data[at + 1] if at + 1 < len(data) else 0x80
        at += 2
        if tag & 31 == 31 or length == 0x80 or length > 0x84:
            raise Malformed("not DER")
        if length > 0x80:
            octets = data[at : at + length - 0x80]
            at += length - 0x80
            length = int.from_bytes(octets, "big")
            if octets[:1] == b"\0" or length < 0x80:
                raise Malformed("not DER")
        at += length
        if at > len(data):
            raise Malformed("not DER")
        found.append(Der(tag, data[at - length : at], data[start:at]))
    return found


class Fields:
    """The elements of a SEQUENCE, taken one by one."""

    def __init__(self, element: Der, tag: int = SEQUENCE) -> None:
        if element.tag != tag:
            raise Malformed("not the element that was expected")
        self.left = element.items()

    def take(self, tag: int) -> Der:
        found = self.maybe(tag)
        if found is None:
            raise Malformed("not the element that was expected")
        return found

    def maybe(self, tag: int) -> Optional[Der]:
        return self.left.pop(0) if self.left and self.left[0].tag == tag else None

    def end(self) -> None:
        if self.left:
            raise Malformed("an element too many")


def der_integer(element: Der) -> int:
    body = element.body
    if element.tag != INTEGER or not body or (len(body) > 1 and body[0] in (0, 255) and body[0] >> 7 == body[1] >> 7):
        raise Malformed("not an integer")
    return int.from_bytes(body, "big", signed=True)


def der_oid(element: Der) -> str:
    if element.tag != OID or not element.body or len(element.body) > 64 or element.body[-1] & 0x80:
        raise Malformed("not an object identifier")
    arcs, value = [], 0
    for byte in element.body:
        if value == 0 and byte == 0x80:
            raise Malformed("not an object identifier")
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in [first, arcs[0] - 40 * first, *arcs[1:]])


def der_time(element: Der, *, fraction: bool = False) -> str:
    """UTCTime or GeneralizedTime as `moment` writes it (RFC 5280 section 4.1.2.5, RFC 3161 section 2.4.2)."""
    text = element.body.decode("latin-1")
    if element.tag == 0x17 and re.fullmatch("[0-9]{12}Z", text):
        text = ("19" if text[0] >= "5" else "20") + text
    elif element.tag != 0x18 or not re.fullmatch(
        "[0-9]{14}(?:[.][0-9]{0,18}[1-9])?Z" if fraction else "[0-9]{14}Z", text
    ):
        raise Malformed("not a time")
    rest = text[14:-1][:7]
    found = moment(f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:14]}{rest}Z")
    if found is None:
        raise Malformed("not a time")
    return found


def _algorithm(element: Der) -> Tuple[str, Optional[Der]]:
    fields = Fields(element)
    name, parameters = der_oid(fields.take(OID)), fields.left.pop(0) if fields.left else None
    fields.end()
    return name, parameters


def _hash_of(element: Der) -> str:
    name, parameters = _algorithm(element)
    if name not in HASHES:
        raise Unsupported("not a hash that is supported")
    if not (parameters is None or parameters.whole == b"\x05\0"):
        raise Malformed("not a hash")
    return HASHES[name]


class Certificate(NamedTuple):
    """What is needed of an X.509 certificate."""

    whole: bytes
    signed: bytes
    issuer: bytes
    serial: bytes
    begins: str
    ends: str
    subject: bytes
    key: Der
    algorithm: Der
    signature: bytes
    extensions: Dict[str, Tuple[bool, bytes]]

    def is_in_force(self, at: str) -> bool:
        return self.begins <= at <= self.ends

    @property
    def stamps_time(self) -> bool:
        """RFC 3161 section 2.3: one extended key usage, time-stamping, critical. A key usage must let it sign."""
        critical, usage = self.extensions.get(EXTENDED_KEY_USAGE, (False, b""))
        purposes = [der_oid(each) for each in Fields(_one(usage)).left] if usage else []
        return critical and purposes == [TIME_STAMPING] and self._may(0b1100_0000, otherwise=True)

    @property
    def issues(self) -> bool:
        """Whether it may sign certificates (RFC 5280 sections 4.2.1.3 and 4.2.1.9)."""
        _, constraints = self.extensions.get(BASIC_CONSTRAINTS, (False, b""))
        is_authority = constraints[2:5] == b"\x01\x01\xff" and constraints[:1] == b"\x30"
        return is_authority and self._may(0b0000_0100, otherwise=True) and self.is_known

    def _may(self, bits: int, *, otherwise: bool) -> bool:
        if KEY_USAGE not in self.extensions:
            return otherwise
        usage = self.extensions[KEY_USAGE][1]
        return len(usage) >= 4 and usage[0] == BITS and bool(usage[3] & bits)

    @property
    def is_known(self) -> bool:
        """Whether it has no critical extension but those whose meaning is known here (RFC 5280 section 4.2)."""
        known = (KEY_USAGE, BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE, KEY_IDENTIFIER, "2.5.29.32")
        return all(name in known for name, (critical, _) in self.extensions.items() if critical)


def parse_certificate(element: Der) -> Certificate:
    """Read a certificate (RFC 5280 section 4.1). Errors: Malformed."""
    outer = Fields(element)
    signed, algorithm, bits = outer.take(SEQUENCE), outer.take(SEQUENCE), outer.take(BITS)
    outer.end()
    fields = Fields(signed)
    fields.maybe(0xA0)
    serial, inner = fields.take(INTEGER), fields.take(SEQUENCE)
    issuer, validity, subject, key = (fields.take(SEQUENCE) for _ in range(4))
    fields.maybe(0x81)
    fields.maybe(0x82)
    extensions = _extensions(fields.maybe(0xA3))
    fields.end()
    times = validity.items()
    if inner.whole != algorithm.whole or len(times) != 2 or bits.body[:1] != b"\0":
        raise Malformed("not a certificate")
    return Certificate(
        element.whole, signed.whole, issuer.whole, serial.body, der_time(times[0]), der_time(times[1]),
        subject.whole, key, algorithm, bits.body[1:], extensions,
    )  # fmt: skip


def _extensions(element: Optional[Der]) -> Dict[str, Tuple[bool, bytes]]:
    lists = element.items() if element else []
    return _extension_list(Fields(lists[0]).left if len(lists) == 1 else [])


def _extension_list(elements: Sequence[Der]) -> Dict[str, Tuple[bool, bytes]]:
    found: Dict[str, Tuple[bool, bytes]] = {}
    for each in elements:
        fields = Fields(each)
        name, critical = der_oid(fields.take(OID)), fields.maybe(BOOLEAN)
        value = fields.take(OCTETS).body
        fields.end()
        if name in found or (critical and critical.body != b"\xff"):
            raise Malformed("not an extension")
        found[name] = (critical is not None, value)
    return found


def signature_verifies(key: Der, algorithm: Der, digest: str, message: bytes, signature: bytes) -> bool:
    """Whether a signature verifies under a SubjectPublicKeyInfo.

    In: the algorithm of the signature; the hash to use where the algorithm names none. RSA of 2,048 to 8,192 bits with
    PKCS #1 v1.5 or PSS, ECDSA on P-256, P-384 and P-521, Ed25519; SHA-2. Errors: Unsupported for anything else, Malformed.
    """
    fields = Fields(key)
    (key_type, key_parameters), bits = _algorithm(fields.take(SEQUENCE)), fields.take(BITS)
    fields.end()
    name, parameters = _algorithm(algorithm)
    if bits.body[:1] != b"\0":
        raise Malformed("not a public key")
    material = bits.body[1:]
    if key_type == ED and name == ED and parameters is None:
        return ed25519_verifies(material, message, signature)
    if key_type == EC_KEY and name in ECDSA_WITH and key_parameters is not None:
        return _ecdsa_verifies(der_oid(key_parameters), material, hashlib.new(ECDSA_WITH[name], message), signature)
    if key_type in (RSA, PSS) and name == PSS and parameters is not None:
        return _pss_verifies(_rsa_key(material), parameters, message, signature)
    if key_type == RSA and RSA_WITH.get(name, digest if name == RSA else "") in DIGEST_INFO:
        return _pkcs1_verifies(_rsa_key(material), RSA_WITH.get(name, digest), message, signature)
    raise Unsupported("not an algorithm that is supported")


def _rsa_key(material: bytes) -> Tuple[int, int]:
    fields = Fields(_one(material))
    modulus, exponent = der_integer(fields.take(INTEGER)), der_integer(fields.take(INTEGER))
    fields.end()
    if not 2048 <= modulus.bit_length() <= 8192 or modulus % 2 == 0 or not 3 <= exponent < 2**33 or exponent % 2 == 0:
        raise Unsupported("not an RSA key that is supported")
    return modulus, exponent


def _one(data: bytes) -> Der:
    found = read_der(data)
    if len(found) != 1:
        raise Malformed("not one element")
    return found[0]


def _rsa_opened(key: Tuple[int, int], signature: bytes, length: int) -> Optional[bytes]:
    Work.spend()
    modulus, exponent = key
    value = int.from_bytes(signature, "big")
    if len(signature) != (modulus.bit_length() + 7) // 8 or value >= modulus:
        return None
    opened = pow(value, exponent, modulus)
    return opened.to_bytes(length, "big") if opened.bit_length() <= 8 * length else None


def _pkcs1_verifies(key: Tuple[int, int], digest: str, message: bytes, signature: bytes) -> bool:
    # RFC 8017 section 8.2.2: encode and compare, never parse what was opened
    length = (key[0].bit_length() + 7) // 8
    info = DIGEST_INFO[digest] + hashlib.new(digest, message).digest()
    expected = b"\0\1" + b"\xff" * (length - len(info) - 3) + b"\0" + info
    return _rsa_opened(key, signature, length) == expected


def _pss_verifies(key: Tuple[int, int], parameters: Der, message: bytes, signature: bytes) -> bool:
    # RFC 8017 sections 8.1.2 and 9.1.2; parameters: RFC 4055 section 3.1, explicit ones only (the defaults are SHA-1)
    fields = Fields(parameters)
    digest = _hash_of(_one(fields.take(0xA0).body))
    name, mask_hash = _algorithm(_one(fields.take(0xA1).body))
    salted, trailer = fields.maybe(0xA2), fields.maybe(0xA3)
    fields.end()
    salt_length = der_integer(_one(salted.body)) if salted else 20
    if name != "1.2.840.113549.1.1.8" or mask_hash is None or _hash_of(mask_hash) != digest:
        raise Unsupported("not PSS parameters that are supported")
    if trailer and der_integer(_one(trailer.body)) != 1:
        raise Unsupported("not PSS parameters that are supported")
    hashed, size = hashlib.new(digest, message).digest(), hashlib.new(digest).digest_size
    bits = key[0].bit_length() - 1
    length = (bits + 7) // 8
    encoded = _rsa_opened(key, signature, length)
    if encoded is None or not 0 <= salt_length <= length - size - 2 or encoded[-1] != 0xBC:
        return False
    masked, claimed = encoded[: length - size - 1], encoded[length - size - 1 : -1]
    count = -(-len(masked) // size)
    mask = b"".join(hashlib.new(digest, claimed + i.to_bytes(4, "big")).digest() for i in range(count))
    plain = bytearray(a ^ b for a, b in zip(masked, mask))
    unused = 0xFF >> (8 * length - bits)
    if masked[0] & ~unused & 0xFF:
        return False
    plain[0] &= unused
    padding = len(plain) - salt_length - 1
    if any(plain[:padding]) or plain[padding] != 1:
        return False
    return hashlib.new(digest, bytes(8) + hashed + bytes(plain[padding + 1 :])).digest() == claimed


def _ecdsa_verifies(name: str, material: bytes, hashed: Any, signature: bytes) -> bool:
    # FIPS 186-4 section 6.4, with the point uncompressed
    curve = CURVES.get(name)
    if curve is None or material[:1] in (b"\2", b"\3"):
        raise Unsupported("not a curve that is supported")
    size = (curve.p.bit_length() + 7) // 8
    x, y = int.from_bytes(material[1 : 1 + size], "big"), int.from_bytes(material[1 + size :], "big")
    on_curve = (y * y - x * x * x + 3 * x - curve.b) % curve.p == 0
    if len(material) != 1 + 2 * size or material[0] != 4 or x >= curve.p or y >= curve.p or not on_curve:
        raise Malformed("not a point of the curve")
    fields = Fields(_one(signature))
    r, s = der_integer(fields.take(INTEGER)), der_integer(fields.take(INTEGER))
    fields.end()
    if not (0 < r < curve.order and 0 < s < curve.order):
        return False
    digest = hashed.digest()
    e = int.from_bytes(digest, "big") >> max(0, 8 * len(digest) - curve.order.bit_length())
    inverse = pow(s, curve.order - 2, curve.order)
    point = _ec_combine(curve, e * inverse % curve.order, r * inverse % curve.order, (x, y))
    return point is not None and point[0] % curve.order == r


def _ec_combine(curve: Curve, a: int, b: int, other: Tuple[int, int]) -> Optional[Tuple[int, int]]:
    """a times the base point plus b times the other point, affine; None is the point at infinity."""
    Work.spend(10)  # as long as ten of the others
    base = (curve.x, curve.y)
    both, found = _ec_add(curve, base, other), None
    for bit in range(curve.order.bit_length(), -1, -1):
        found = _ec_add(curve, found, found)
        which = (a >> bit & 1) + 2 * (b >> bit & 1)
        if which:
            found = _ec_add(curve, found, (base, other, both)[which - 1])
    return found


def _ec_add(
    curve: Curve, one: Optional[Tuple[int, int]], other: Optional[Tuple[int, int]]
) -> Optional[Tuple[int, int]]:
    if one is None or other is None:
        return one or other
    p = curve.p
    if one[0] == other[0]:
        if (one[1] + other[1]) % p == 0:
            return None
        slope = (3 * one[0] * one[0] - 3) * pow(2 * one[1], -1, p)
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, p)
    x = (slope * slope - one[0] - other[0]) % p
    return x, (slope * (one[0] - x) - one[1]) % p


class Timestamp(NamedTuple):
    """A time-stamp whose signature holds: the time it states, who signed it, and what certificates it brings."""

    at: str
    signer: Certificate
    certificates: List[Certificate]


def check_timestamp(token: bytes, text: bytes) -> Timestamp:
    """Check that a TimeStampResp is of this text and signed by the certificate it names. Errors: Unsupported, Malformed."""
    response = Fields(_one(token))
    status = Fields(response.take(SEQUENCE))
    if der_integer(status.take(INTEGER)) not in (0, 1):
        raise Malformed("the authority refused")
    content = Fields(response.take(SEQUENCE))
    response.end()
    signed = _explicit(content, SIGNED_DATA)
    if der_integer(signed.take(INTEGER)) not in (3, 4, 5):
        raise Unsupported("not a version that is supported")
    signed.take(SET)
    inner = Fields(signed.take(SEQUENCE))
    if der_oid(inner.take(OID)) != TST_INFO:
        raise Malformed("not a time-stamp")
    octets = _one(inner.take(0xA0).body)
    inner.end()
    stated = octets.body if octets.tag == OCTETS else b""
    brought, _, signers = signed.maybe(0xA0), signed.maybe(0xA1), signed.take(SET).items()
    signed.end()
    elements = [each for each in (brought.items() if brought else []) if each.tag == SEQUENCE]
    if len(signers) != 1 or len(elements) > LIMITS["certificates"]:
        raise Malformed("not one signer, or too many certificates")
    certificates = [parse_certificate(each) for each in elements]
    at = _stated_time(stated, text)
    signer = _check_signer(Fields(signers[0]), stated, certificates)
    if not signer.stamps_time or not signer.is_in_force(at):
        raise Malformed("the certificate is not for time-stamps, or was not in force")
    if not signer.is_known:
        raise Unsupported("a critical extension of the certificate that is not supported")
    return Timestamp(at, signer, certificates)


def _explicit(content: Fields, name: str) -> Fields:
    if der_oid(content.take(OID)) != name:
        raise Malformed("not signed data")
    found = _one(content.take(0xA0).body)
    content.end()
    return Fields(found)


def _stated_time(stated: bytes, text: bytes) -> str:
    """RFC 3161 section 2.4.2: what the token says of the text, and when."""
    info = Fields(_one(stated))
    if der_integer(info.take(INTEGER)) != 1:
        raise Unsupported("not a version that is supported")
    info.take(OID)
    imprint = Fields(info.take(SEQUENCE))
    digest, hashed = _hash_of(imprint.take(SEQUENCE)), imprint.take(OCTETS).body
    imprint.end()
    der_integer(info.take(INTEGER))
    at = der_time(info.take(0x18), fraction=True)
    for tag in (SEQUENCE, BOOLEAN, INTEGER, 0xA0):
        info.maybe(tag)
    extended = info.maybe(0xA1)  # eIDAS authorities say here that they are qualified
    extensions = _extension_list(extended.items() if extended else [])
    info.end()
    if digest != "sha256" or hashed != sha256(text).digest():
        raise Malformed("the time-stamp is of something else")
    if any(critical for critical, _ in extensions.values()):
        raise Unsupported("a critical extension that is not supported")
    return at


def _check_signer(fields: Fields, stated: bytes, certificates: List[Certificate]) -> Certificate:
    """RFC 5652 section 5.4 to 5.6: the one signer, its certificate, its signed attributes, its signature."""
    version, identified = der_integer(fields.take(INTEGER)), fields.left.pop(0) if fields.left else None
    found = [each for each in certificates if identified is not None and _is_named(each, identified, version)]
    digest, attributes = _hash_of(fields.take(SEQUENCE)), fields.take(0xA0)
    algorithm, signature = fields.take(SEQUENCE), fields.take(OCTETS).body
    fields.maybe(0xA1)
    fields.end()
    if not found:
        raise Malformed("the signer's certificate is not there")
    signer = found[0]
    by_name = _attributes(attributes)
    (kind,), (hashed,) = by_name.get(CONTENT_TYPE, []), by_name.get(MESSAGE_DIGEST, [])
    if der_oid(kind) != TST_INFO or hashed.tag != OCTETS or hashed.body != hashlib.new(digest, stated).digest():
        raise Malformed("the signed attributes are of something else")
    named = [(each, False) for each in by_name.get(SIGNING_CERTIFICATE, [])]
    named += [(each, True) for each in by_name.get(SIGNING_CERTIFICATE_V2, [])]
    if not named or not all(_names_signer(each, signer, second=second) for each, second in named):
        raise Malformed("the signed attributes name another certificate")
    # the attributes are signed as the SET that they are, not under the tag that they have here
    message = bytes([SET]) + attributes.whole[1:]
    if not signature_verifies(signer.key, algorithm, digest, message, signature):
        raise Malformed("the signature does not verify")
    return signer


def _is_named(certificate: Certificate, identified: Der, version: int) -> bool:
    if version == 1 and identified.tag == SEQUENCE:
        return identified.body == certificate.issuer + _integer_der(certificate.serial)
    identifier = certificate.extensions.get(KEY_IDENTIFIER, (False, b""))[1]
    return version == 3 and identified.tag == 0x80 and len(identifier) > 2 and identifier[2:] == identified.body


def _integer_der(body: bytes) -> bytes:
    return bytes([INTEGER, len(body)]) + body if len(body) < 0x80 else b""


def _attributes(element: Der) -> Dict[str, List[Der]]:
    found: Dict[str, List[Der]] = {}
    for each in element.items():
        fields = Fields(each)
        name, values = der_oid(fields.take(OID)), fields.take(SET).items()
        fields.end()
        if name in found or len(values) != 1:
            raise Malformed("an attribute twice, or with several values")
        found[name] = values
    if CONTENT_TYPE not in found or MESSAGE_DIGEST not in found:
        raise Malformed("a signed attribute is not there")
    return found


def _names_signer(element: Der, signer: Certificate, *, second: bool) -> bool:
    """RFC 5816: the first certificate that the attribute names is the signer's."""
    listed = Fields(Fields(element).take(SEQUENCE)).left
    if not listed:
        return False
    fields, digest = Fields(listed[0]), "sha256" if second else "sha1"
    if second and fields.left and fields.left[0].tag == SEQUENCE:
        digest = _hash_of(fields.take(SEQUENCE))
    hashed, named = fields.take(OCTETS).body, fields.maybe(SEQUENCE)
    fields.end()
    # where issuer and serial number are named too: GeneralNames with the one directory name, and the number
    if named and not (signer.issuer in named.body and named.body.endswith(_integer_der(signer.serial))):
        return False
    # SHA-1 here only names the certificate; what is signed is signed with SHA-2
    return hashed == hashlib.new(digest, signer.whole, usedforsecurity=False).digest()


def is_by_authority(stamp: Timestamp, given: Sequence[Certificate]) -> bool:
    """Whether the signer of a time-stamp is one of the given certificates, or leads to one through those it brought."""
    current = stamp.signer
    for _ in range(LIMITS["chain"]):
        if any(each.whole == current.whole for each in given):
            return current.is_in_force(stamp.at)
        issuer = _issuer(current, given, stamp.at) or _issuer(current, stamp.certificates, stamp.at)
        if issuer is None or issuer.whole == current.whole:
            return False
        current = issuer
    return False


def _issuer(certificate: Certificate, among: Sequence[Certificate], at: str) -> Optional[Certificate]:
    for each in among:
        if each.subject != certificate.issuer or not each.issues or not each.is_in_force(at):
            continue
        try:
            if signature_verifies(each.key, certificate.algorithm, "", certificate.signed, certificate.signature):
                return each
        except Malformed:
            continue
    return None


def parse_pem(text: str) -> List[Certificate]:
    """The certificates of a PEM file. Errors: Malformed where there is none, or one that cannot be read."""
    found = []
    for encoded in re.findall("-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\\s]+)-----END CERTIFICATE-----", text):
        found.append(parse_certificate(_one(decode_base64("".join(encoded.split())))))
    if not found:
        raise Malformed("no certificate")
    return found


# ======================================================================================================================
# 6  Tiles and tree (RFC 6962 section 2.1, C2SP tlog-tiles)
# ======================================================================================================================
EMPTY_ROOT = sha256(b"").digest()
WIDTH = 256
TILE_PATH = re.compile(
    r"tile/(0|[1-9][0-9]?)/((?:x(?!000)[0-9]{3}/(?:x[0-9]{3}/){0,5})?[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?"
)
# A hash object that has eaten the prefix is copied: twice as fast as making one, and nothing is concatenated.
_leaf, _node = sha256(b"\x00").copy, sha256(b"\x01").copy


def leaf_hashes(entries: Sequence[bytes]) -> List[bytes]:
    """SHA-256(0x00 || entry) of each."""
    found = []
    for entry in entries:
        digest = _leaf()
        digest.update(entry)
        found.append(digest.digest())
    return found


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def fold_perfect(row: bytes) -> bytes:
    """The node above 1, 2, 4, ... hashes that stand one behind the other."""
    while len(row) > 32:
        above = []
        for at in range(0, len(row), 64):
            digest = _node()
            digest.update(row[at : at + 64])
            above.append(digest.digest())
        row = b"".join(above)
    return row


def root_of(size: int, tile_of: Callable[[int, int], Optional[bytes]]) -> Optional[bytes]:
    """The root of the tree of the first `size` leaves, from tiles of that tree or a larger one; None where one lacks.

    In: `tile_of(level, index)`. RFC 6962 section 2.1: the hash of a tree is folded, from the right, from the perfect
    subtrees that its size in binary names. Those of heights 8 l to 8 l + 7 are in the one tile of level l on the edge.
    """
    if size == 0:
        return EMPTY_ROOT
    nodes: List[bytes] = []
    for level in range(top_level(size), -1, -1):
        count = size >> 8 * level
        width = count % WIDTH
        tile = tile_of(level, count // WIDTH) if width else b""
        if tile is None or len(tile) < 32 * width:
            return None
        at = 0
        for bit in (128, 64, 32, 16, 8, 4, 2, 1):
            if width & bit:
                nodes.append(fold_perfect(tile[32 * at : 32 * (at + bit)]))
                at += bit
    root = nodes[-1]
    for node in reversed(nodes[:-1]):
        root = node_hash(node, root)
    return root


def top_level(size: int) -> int:
    """The highest level at which a tree of `size` >= 1 leaves has a tile."""
    level = 0
    while size >> 8 * (level + 1):
        level += 1
    return level


def tile_width(size: int, level: int, index: int) -> int:
    """How many hashes a tile has in a tree of `size` leaves; 0 or less where the tree has no such tile."""
    return min(WIDTH, (size >> 8 * level) - index * WIDTH)


def tile_name(level: int, index: int, width: int) -> str:
    """The path of a tile below the log's (tlog-tiles)."""
    path = f"{index % 1000:03d}"
    while index := index // 1000:
        path = f"x{index % 1000:03d}/{path}"
    return f"tile/{level}/{path}" + ("" if width == WIDTH else f".p/{width}")


def parse_tile_name(path: str) -> Optional[Tuple[int, int, int]]:
    """Level, index and width of a tile's path, in its one spelling; None where it is none."""
    found = TILE_PATH.fullmatch(path)
    if found is None or int(found[1]) > 63 or int(found[3] or WIDTH) > (255 if found[3] else WIDTH):
        return None
    index = int(found[2].replace("x", "").replace("/", ""))
    return (int(found[1]), index, int(found[3] or WIDTH)) if index <= LIMITS["size"] else None


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether a leaf hash stands at `index` of a tree (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    fn, sn, computed = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            computed = node_hash(sibling, computed)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            computed = node_hash(computed, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and computed == root


# ======================================================================================================================
# 7  The container: a zip of the plain kind, or a folder
# ======================================================================================================================
# Python's zipfile is made to open what it can. This reader opens what is unambiguous: members without gaps from the first
# byte, the central directory right behind them, its end right behind that. So no other program sees other files.
NAME = re.compile(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*")
_END, _END64, _LOCATOR = struct.Struct("<4s4H2LH"), struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")
_CENTRAL, _LOCAL = struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s5H3L2H")
MAX16, MAX32 = 0xFFFF, 0xFFFFFFFF
_NEEDS = (10, 20, 45)  # versions of the format: stored, deflated, ZIP64
_REGULAR = 0o100644 << 16


class Member(NamedTuple):
    """A file of a zip, as the central directory describes it; `extra` is the length of its local extra field."""

    offset: int
    packed: int
    size: int
    crc: int
    method: int
    flags: int
    stamp: Tuple[int, int]
    extra: int


class Container:
    """Files by name. `sizes` has each name; `chunks` reads a file from beginning to end in pieces of at most 1 MiB."""

    sizes: Dict[str, int]
    beside: Sequence[str] = ()  # of a folder: what lies in it and belongs to no bundle

    def chunks(self, name: str) -> Iterator[bytes]:
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what is open."""


def check_names(names: Iterable[str]) -> None:
    """Refuse names that a bundle cannot have. Errors: Damage."""
    seen: set[str] = set()
    for name in names:
        plain = NAME.fullmatch(name) and len(name) <= LIMITS["name"] and not {".", ".."} & set(name.split("/"))
        if not plain:
            raise Damage("name-refused", shown(name))
        if name.lower() in seen:
            raise Damage("name-repeated", name)
        seen.add(name.lower())


class ZipContainer(Container):
    """A zip of the plain kind. Errors: Damage wherever it is anything else."""

    def __init__(self, path: str) -> None:
        self._file: BinaryIO = open(path, "rb")
        try:
            self.length = self._file.seek(0, os.SEEK_END)
            self.members = self._directory()
        except BaseException:
            self._file.close()
            raise
        self.sizes = {name: member.size for name, member in self.members.items()}

    def close(self) -> None:
        self._file.close()

    def _at(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        data = self._file.read(length)
        if len(data) != length:
            raise Damage("zip-damaged", "", "it is cut off")
        return data

    def _directory(self) -> Dict[str, Member]:
        count, size, offset = self._end()
        if count > LIMITS["files"]:
            raise Damage("too-many-files", "", shown(count))
        if size > count * (46 + LIMITS["name"] + 28):
            raise Damage("zip-not-plain", "", "the central directory is larger than its files need")
        data, at, rows = self._at(offset, size), 0, []
        for _ in range(count):
            name, row, at = self._row(data, at)
            rows.append((name, row))
        if at != len(data):
            raise Damage("zip-damaged", "", "the central directory is longer than its entries")
        check_names(name for name, _ in rows)
        ends = [row.offset for _, row in rows[1:]] + [offset]
        if rows and rows[0][1].offset != 0:
            raise Damage("zip-not-plain", "", "something stands before the first file")
        members = {}
        for (name, row), end in zip(rows, ends):
            extra = end - row.offset - 30 - len(name) - row.packed
            if extra not in (0, 20):
                raise Damage("zip-not-plain", name, "files overlap, or something stands between them")
            members[name] = row._replace(extra=extra)
        return members

    def _end(self) -> Tuple[int, int, int]:
        """Number of files, size and offset of the central directory (APPNOTE 4.3.14 to 4.3.16)."""
        if self.length < 22:
            raise Damage("zip-damaged", "", "it has no end")
        end = self.length - 22
        mark, disk, start, here, count, size, offset, comment = _END.unpack(self._at(end, 22))
        if mark != b"PK\x05\x06" or comment or disk or start or here != count:
            raise Damage("zip-damaged", "", "it does not end as a zip without a comment does")
        if offset + size == end:
            return count, size, offset
        if end < 76:
            raise Damage("zip-damaged", "", "the central directory is not where it must be")
        locator, disk, where, disks = _LOCATOR.unpack(self._at(end - 20, 20))
        record = self._at(end - 76, 56)
        mark, length, maker, needs, disk2, start, here64, count64, size64, offset64 = _END64.unpack(record)
        if needs != 45 or maker not in (45, 3 << 8 | 45):
            raise Damage("zip-damaged", "", "the central directory is not where it must be")
        if (locator, disk, where, disks) != (b"PK\x06\x07", 0, end - 76, 1) or mark != b"PK\x06\x06" or length != 44:
            raise Damage("zip-damaged", "", "the central directory is not where it must be")
        if disk2 or start or here64 != count64 or offset64 + size64 != end - 76:
            raise Damage("zip-damaged", "", "the central directory is not where it must be")
        if count not in (MAX16, count64) or size not in (MAX32, size64) or offset not in (MAX32, offset64):
            raise Damage("zip-not-plain", "", "its two ends contradict each other")
        return count64, size64, offset64

    def _row(self, data: bytes, at: int) -> Tuple[str, Member, int]:
        """One entry of the central directory (APPNOTE 4.3.12)."""
        if at + 46 > len(data):
            raise Damage("zip-damaged", "", "the central directory is cut off")
        fields = _CENTRAL.unpack_from(data, at)
        (
            mark,
            maker,
            needs,
            flags,
            method,
            clock,
            day,
            crc,
            packed,
            size,
            names,
            extras,
            comments,
            disk,
            inner,
            outer,
            offset,
        ) = fields
        at += 46
        name, extra = data[at : at + names].decode("latin-1"), data[at + names : at + names + extras]
        if mark != b"PK\x01\x02" or len(name) != names or len(extra) != extras:
            raise Damage("zip-damaged", "", "the central directory is cut off")
        if (
            flags & ~0x0806
            or method not in (0, 8)
            or disk
            or comments
            or needs not in _NEEDS
            or maker & 0xFF not in _NEEDS
            or maker >> 8 not in (0, 3)  # MS-DOS, Unix
            or inner
            or outer not in (0, _REGULAR)
        ):
            raise Damage("zip-not-plain", shown(name), "encrypted, a data descriptor, a comment, or no regular file")
        large = [value == MAX32 for value in (size, packed, offset)]
        if extras != (4 + 8 * sum(large) if any(large) else 0):
            raise Damage("zip-not-plain", shown(name), "an extra field")
        if any(large):
            values = list(struct.unpack(f"<2H{sum(large)}Q", extra))
            if values[:2] != [1, 8 * sum(large)]:
                raise Damage("zip-not-plain", shown(name), "an extra field")
            rest = iter(values[2:])
            size, packed, offset = (
                next(rest) if is_large else value for is_large, value in zip(large, (size, packed, offset))
            )
        if (method == 0 and packed != size) or packed > 2 * size + 1024:
            raise Damage("zip-not-plain", shown(name), "sizes that no file has")
        return name, Member(offset, packed, size, crc, method, flags, (clock, day), 0), at + names + extras

    def _check_local(self, name: str, member: Member) -> None:
        """The local header says what the central directory says (APPNOTE 4.3.7)."""
        data = self._at(member.offset, 30 + len(name) + member.extra)
        mark, needs, flags, method, clock, day, crc, packed, size, names, extras = _LOCAL.unpack(data[:30])
        said = (mark, flags, method, (clock, day), crc, names, extras, data[30 : 30 + names])
        expected = (
            b"PK\x03\x04", member.flags, member.method, member.stamp, member.crc, len(name), member.extra, name.encode(),
        )  # fmt: skip
        if member.extra:
            one, length, size64, packed64 = struct.unpack("<2H2Q", data[30 + len(name) :])
            plain = (one, length, size, packed) == (1, 16, MAX32, MAX32)
            size, packed = (size64, packed64) if plain else (-1, -1)
        if said != expected or (size, packed) != (member.size, member.packed) or needs not in _NEEDS:
            raise Damage("zip-not-plain", name, "the local header says something else than the central directory")

    def chunks(self, name: str) -> Iterator[bytes]:
        member = self.members[name]
        self._check_local(name, member)
        start = member.offset + 30 + len(name) + member.extra
        crc = found = 0
        for data in self._stored(start, member) if member.method == 0 else self._inflated(name, start, member):
            crc = zlib.crc32(data, crc)
            found += len(data)
            yield data
        if found != member.size or crc != member.crc:
            raise Damage("content-damaged", name)

    def _stored(self, start: int, member: Member) -> Iterator[bytes]:
        for at in range(0, member.packed, CHUNK):
            yield self._at(start + at, min(CHUNK, member.packed - at))

    def _inflated(self, name: str, start: int, member: Member) -> Iterator[bytes]:
        inflate, made = zlib.decompressobj(-15), 0
        for at in range(0, member.packed, CHUNK):
            data, out = self._at(start + at, min(CHUNK, member.packed - at)), b""
            while (data or out) and not inflate.eof:  # what was taken in may not all be given out yet
                try:
                    out = inflate.decompress(data, CHUNK)
                except zlib.error:
                    raise Damage("content-damaged", name) from None
                made += len(out)
                if made > member.size:
                    raise Damage("content-damaged", name, "it is cut off, or larger than it says")
                if out:
                    yield out
                data = inflate.unconsumed_tail
            if inflate.unused_data or (inflate.eof and at + CHUNK < member.packed):
                raise Damage("content-damaged", name, "it goes on after its end")
        if not inflate.eof:
            raise Damage("content-damaged", name, "it is cut off, or larger than it says")


class FolderContainer(Container):
    """A folder with the files of a bundle; nothing in it is followed out of it. Errors: Damage, OSError.

    Whoever follows VERIFYING.txt, or opens the folder, may leave something in it: what no bundle can have there is noted,
    and not looked at. Below `logs` and `parts` nothing is passed over.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.sizes = {}
        self.beside: List[str] = []
        self._walk("")
        check_names(self.sizes)

    def _walk(self, inside: str) -> None:
        with os.scandir(os.path.join(self.path, inside)) as found:
            for each in sorted(found, key=lambda entry: entry.name):
                name = inside + each.name
                if not inside and each.name.lower() not in _TOP_NAMES:
                    if len(self.beside) <= LIMITS["events"]:
                        self.beside.append(name)
                elif each.is_dir(follow_symlinks=False) and len(name) <= LIMITS["name"]:
                    self._walk(name + "/")
                elif each.is_file(follow_symlinks=False):
                    self.sizes[name] = each.stat(follow_symlinks=False).st_size
                else:
                    raise Damage("name-refused", shown(name))
                if len(self.sizes) > LIMITS["files"]:
                    raise Damage("too-many-files", "")

    def chunks(self, name: str) -> Iterator[bytes]:
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with open(os.open(os.path.join(self.path, name), flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Damage("content-damaged", name)
            left = self.sizes[name]
            while data := file.read(min(CHUNK, left + 1)):
                left -= len(data)
                if left < 0:
                    break
                yield data
        if left:
            raise Damage("content-damaged", name, "it changed while it was read")


def open_container(path: str) -> Container:
    """Open a bundle. Errors: UsageError where it is none, Damage where it is a damaged one."""
    try:
        if os.path.isdir(path):
            folder = FolderContainer(path)
            if not any(is_bundle_name(name) for name in folder.sizes):
                raise UsageError(f"{shown(path)} is not an evidence bundle.")
            return folder
        found = ZipContainer(path)
        if not any(is_bundle_name(name) for name in found.sizes):
            found.close()
            raise UsageError(f"{shown(path)} is not an evidence bundle.")
        return found
    except Damage:
        if os.path.isdir(path) or _began_as_bundle(path):
            raise
        raise UsageError(f"{shown(path)} is not an evidence bundle.") from None
    except OSError as error:
        raise UsageError(f"{shown(path)} cannot be read: {shown(error.strerror)}.") from None


def _began_as_bundle(path: str) -> bool:
    """Whether a damaged zip can be read far enough to be a bundle: its first or its last bytes name one of its files."""
    with open(path, "rb") as file:
        head = file.read(30 + LIMITS["name"])
        file.seek(max(0, file.seek(0, os.SEEK_END) - 65_536))
        tail = file.read(65_536)
    if head[:4] == b"PK\x03\x04" and len(head) > 30:
        name = head[30 : 30 + int.from_bytes(head[26:28], "little")].decode("latin-1")
        if is_bundle_name(name):
            return True
    at = tail.find(b"PK\x01\x02")
    if at < 0 or at + 46 > len(tail):
        return False
    name = tail[at + 46 : at + 46 + int.from_bytes(tail[at + 28 : at + 30], "little")].decode("latin-1")
    return is_bundle_name(name)


# ======================================================================================================================
# 8  The manifest, and which files there are
# ======================================================================================================================
PARTS = ("input", "output", "explanation", "context", "refs")
ALL_PARTS = (*PARTS, "state", "particulars", "reason")
FIXED_FILES = (
    "README.html",
    "SHA256SUMS",
    "VERIFYING.txt",
    "manifest.json",
    "manifest.note",
    "verify.html",
    "verify.py",
)
_TOP_NAMES = {"logs", "parts", *map(str.lower, FIXED_FILES)}
UNLISTED = ("README.html", "SHA256SUMS", "manifest.json", "manifest.note")
LOG_FILE = re.compile(
    r"logs/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|registry)/"
    r"(checkpoint|checkpoint\.before|disclosed|timestamps/[0-9]{6}\.tsr|entries/[0-9]{6}\.ndjson|tile/.+)"
)
PART_FILE = re.compile(r"parts/[0-9]{6}\.ndjson")

# The form of manifest.json, as `conforms` reads it. A dict has exactly these members; ["list", x] and ["map", x] hold x;
# ["null", x] is null or x; ["is", x] is x; ["pair", x] is a list of two; ["by", name, forms] is told by a member.
COUNTS = {"disclosed": "count", "withheld": "count", "erased": "count"}
MANIFEST: Json = {
    "format": ["is", FORMAT],
    "id": "uuid",
    "origin": "origin",
    "called": ["null", "text"],
    "made_at": "time",
    "software": {"name": ["is", "answerable"], "version": "text"},
    "asked": {
        "by": "uuid",
        "at": "time",
        "entry": "uuid",
        "approved_by": ["null", "uuid"],
        "approval": ["null", "uuid"],
    },
    "question": [
        "by",
        "kind",
        {
            "range": {"kind": "text", "system": "uuid", "since": ["null", "time"], "until": ["null", "time"]},
            "case": {"kind": "text", "case": "uuid"},
            "decision": {"kind": "text", "decision": "uuid"},
            "subject": {"kind": "text"},
        },
    ],
    "logs": [
        "list",
        {
            "log": "log",
            "origin": "text",
            "kind": ["one", "system", "registry"],
            "system": ["null", "uuid"],
            "tree_size": "count",
            "root_hash": "hash",
            "range": ["null", ["pair", "count"]],
            "disclosed": "count",
            "predecessor": ["null", "text"],
            "before": ["null", "count"],
            "timestamps": "count",
        },
    ],
    "parts": ["map", COUNTS],
    "answer": {
        "entries": "count",
        "decisions": "count",
        "first_at": ["null", "time"],
        "last_at": ["null", "time"],
        "outcomes": ["map", "count"],
        "adverse": "count",
        "flagged": "count",
        "failed": "count",
        "overridden": "count",
        "by_model_version": ["map", "count"],
        "withheld_entries": "count",
    },
    "sources": [
        "null",
        [
            "list",
            {
                "source": "uuid",
                "first_seq": "number",
                "last_seq": "number",
                "decisions": "count",
                "missing": ["list", ["pair", "number"]],
                "missing_count": "number",
                "twice": ["list", "number"],
            },
        ],
    ],
    "whole": "bool",
    "left_out": ["list", "text"],
    "files": ["list", {"path": "text", "size": "count", "sha256": "hash"}],
}
ORIGIN = re.compile(r"[A-Za-z0-9_.:/-]{1,200}")


def conforms(value: Json, form: Json, at: str = "") -> Optional[str]:
    """The place of the first thing in a value that is not of a form; None where it all is."""
    if isinstance(form, str):
        return None if _is_of(value, form) else at or "/"
    if isinstance(form, dict):
        if not isinstance(value, dict):
            return at or "/"
        if sorted(value) != sorted(form):
            return f"{at}/{min(set(value) ^ set(form))}"
        found = (conforms(value[name], form[name], f"{at}/{name}") for name in sorted(form))
        return next((each for each in found if each is not None), None)
    kind, rest = form[0], form[1:]
    if kind in ("is", "one"):
        return None if isinstance(value, str) and value in rest else at
    if kind == "null":
        return None if value is None else conforms(value, rest[0], at)
    if kind == "by":
        named = value.get(rest[0]) if isinstance(value, dict) else None
        chosen = rest[1].get(named) if isinstance(named, str) else None
        return at if chosen is None else conforms(value, chosen, at)
    if kind == "map":
        if not isinstance(value, dict) or not all(_is_of(name, "text") for name in value):
            return at
        found = (conforms(value[name], rest[0], f"{at}/{name}") for name in sorted(value))
        return next((each for each in found if each is not None), None)
    if not isinstance(value, list) or (kind == "pair" and len(value) != 2):
        return at
    found = (conforms(each, rest[0], f"{at}/{number}") for number, each in enumerate(value))
    return next((each for each in found if each is not None), None)


def _is_of(value: Json, form: str) -> bool:
    if form in ("count", "number"):
        return is_count(value, LIMITS["size"] if form == "count" else 2**63)
    if form == "bool":
        return value is True or value is False
    if not isinstance(value, str):
        return False
    if form == "log":
        return value == "registry" or is_uuid(value)
    if form == "time":
        return moment(value) is not None
    if form == "origin":
        return ORIGIN.fullmatch(value) is not None
    if form == "text":
        return 0 < len(value) <= 1000
    return is_uuid(value) if form == "uuid" else HEX32.fullmatch(value) is not None


def parse_manifest(data: bytes) -> Json:
    """Read manifest.json: its form, and its one spelling. Errors: Damage."""
    place = "manifest.json"
    if data.count(b"\n") > LIMITS["lines"]:
        raise Damage("file-too-large", place)
    try:
        text = data.decode("ascii")
        manifest = read_json(text)
    except ValueError as error:
        said = str(error) if isinstance(error, Malformed) else "not ASCII"
        raise Damage("manifest-malformed", place, said) from None
    wrong = conforms(manifest, MANIFEST)
    if wrong is not None:
        raise Damage("manifest-malformed", place, f"not of the form at {shown(wrong)}")
    if not _is_canonical(manifest, text):
        raise Damage("manifest-malformed", place, "not in its canonical spelling")
    wrong = _contradicts_itself(manifest)
    if wrong:
        raise Damage("manifest-malformed", place, wrong)
    return manifest


def _is_canonical(manifest: Json, text: str) -> bool:
    """Whether a text is what json.dumps makes, piece by piece: as a whole it would take several times its size."""
    at = 0
    for piece in json.JSONEncoder(sort_keys=True, indent=2).iterencode(manifest):
        if not text.startswith(piece, at):
            return False
        at += len(piece)
    return text[at:] == "\n"


def _contradicts_itself(manifest: Json) -> str:
    """What the form alone does not say. Empty where all is well."""
    logs, names = manifest["logs"], [each["log"] for each in manifest["logs"]]
    if len(logs) > LIMITS["logs"] or len(set(names)) != len(names):
        return "a log twice, or too many logs"
    kinds = [each["kind"] for each in logs]
    if "registry" not in kinds or kinds != sorted(kinds, key=("system", "registry").index):
        return "registry logs come last, and there is one"
    is_range = manifest["question"]["kind"] == "range"
    for each in logs:
        wrong = _log_contradicts_itself(each, manifest["origin"], is_range)
        if wrong:
            return f"log {each['log']}: {wrong}"
    if (manifest["sources"] is not None) != is_range:
        return "sources belong to a range"
    if manifest["whole"] == bool(manifest["left_out"]):
        return "whole and left_out"
    asked, question = manifest["asked"], manifest["question"]
    since, until = moment(question.get("since")), moment(question.get("until"))
    if since is not None and until is not None and since > until:
        return "it ends before it begins"
    if (asked["approved_by"] is None) != (asked["approval"] is None):
        return "approved_by and approval"
    paths = [each["path"] for each in manifest["files"]]
    if any(one >= other for one, other in zip(paths, paths[1:])):
        return "files are ordered by path, each once"
    if set(manifest["parts"]) - set(PARTS):
        return "parts of decisions"
    return ""


def _log_contradicts_itself(log: Json, origin: str, is_range: bool) -> str:
    span, before = log["range"], log["before"]
    if log["origin"] != f"{origin}/logs/{log['log']}":
        return "its origin is not below the installation's"
    if (log["kind"] == "system") != (log["system"] is not None) or (
        log["kind"] == "system" and log["log"] == "registry"
    ):
        return "an AI system's log has a system"
    if (span is not None) != (is_range and log["kind"] == "system"):
        return "ranges belong to the AI system's logs of a range"
    if span is not None and not span[0] <= span[1] <= log["tree_size"]:
        return "its range is not within its tree"
    if before is not None and before > (span[0] if span else log["tree_size"]):
        return "the earlier checkpoint is of a later tree"
    if log["disclosed"] > log["tree_size"] or log["timestamps"] > LIMITS["timestamps"]:
        return "more than there can be"
    return ""


def is_bundle_name(path: str) -> bool:
    """Whether a path is one that a file of some bundle may have."""
    if path in FIXED_FILES or PART_FILE.fullmatch(path):
        return True
    found = LOG_FILE.fullmatch(path)
    return found is not None and (not found[2].startswith("tile/") or parse_tile_name(found[2]) is not None)


def largest(path: str) -> int:
    """How many bytes a file of this name may have."""
    if path in ("README.html", "VERIFYING.txt", "verify.py", "verify.html"):
        return LIMITS["page"]
    if path == "manifest.note" or path.endswith(("/checkpoint", "/checkpoint.before")):
        return LIMITS["note"]
    if path.endswith(".tsr"):
        return LIMITS["token"]
    return WIDTH * 32 if "/tile/" in path else LIMITS["grows"]


class Bundle:
    """The files of a container with what the manifest says of them. Whatever is read is compared with it as it is read."""

    def __init__(self, container: Container, report: Report, progress: Callable[[int], None]) -> None:
        self.container, self.report, self.progress = container, report, progress
        self.listed: Dict[str, Tuple[int, str]] = {}
        self.digests: Dict[str, str] = {}  # of the files that the manifest does not list
        self.clock = Stages()
        self.noted: set[str] = set()

    def has(self, name: str) -> bool:
        return name in self.container.sizes

    def chunks(self, name: str) -> Iterator[bytes]:
        """A file in pieces. Where it is not the listed one a finding is noted, after its end. Errors: Damage."""
        if self.container.sizes[name] > largest(name):
            raise Damage("file-too-large", name)
        digest, outer = sha256(), self.clock.enter("read")
        for data in self.container.chunks(name):
            self.clock.enter("digests")
            digest.update(data)
            self.clock.enter(outer)
            yield data
            self.progress(len(data))
            outer = self.clock.enter("read")
        self.clock.enter(outer)
        found = digest.hexdigest()
        if name in self.listed:
            if found != self.listed[name][1] and name not in self.noted:
                self.noted.add(name)
                self.report.add("file-altered", name)
        else:
            self.digests[name] = found

    def read(self, name: str) -> bytes:
        """A whole file. Errors: Damage."""
        return b"".join(self.chunks(name))

    def numbered(self, folder: str, ending: str) -> List[str]:
        """The files 000000, 000001, ... of a folder. A number that is left out ends them; what is behind it is extra."""
        names: List[str] = []
        while self.has(name := f"{folder}/{len(names):06d}{ending}"):
            names.append(name)
        return names


class Stages:
    """Seconds by stage of the work: each moment belongs to the stage that was entered last."""

    def __init__(self) -> None:
        self.seconds: Dict[str, float] = {}
        self._stage, self._since = "rest", time.perf_counter()

    def enter(self, stage: str) -> str:
        """Begin a stage. Out: the one that was under way, to be entered again."""
        before, now = self._stage, time.perf_counter()
        self.seconds[before] = self.seconds.get(before, 0.0) + now - self._since
        self._stage, self._since = stage, now
        return before


def check_files(bundle: Bundle, manifest: Json) -> None:
    """Which files there are: those that the manifest lists, with their sizes, and four more; each of a name that fits."""
    report, sizes = bundle.report, bundle.container.sizes
    bundle.listed = {each["path"]: (each["size"], each["sha256"]) for each in manifest["files"]}
    expected = _expected_files(bundle, manifest)
    for name in bundle.container.beside:
        report.add("file-beside", shown(name))
    for name in sorted(set(UNLISTED) | set(bundle.listed) | expected):
        if name not in sizes:
            report.add("file-missing", shown(name))
        elif name in UNLISTED and name in bundle.listed:
            report.add("file-extra", name, "listed in the manifest")
        elif name in bundle.listed and sizes[name] != bundle.listed[name][0]:
            bundle.noted.add(name)
            report.add("file-altered", name, says("size", bundle.listed[name][0], sizes[name]))
    for name in sorted(set(sizes) - set(UNLISTED)):
        if name not in expected:
            report.add("file-extra", name)
        elif name not in bundle.listed:
            report.add("file-extra", name, "not listed in the manifest")


def _expected_files(bundle: Bundle, manifest: Json) -> set[str]:
    """The files that the manifest's logs must have, and those of the container whose names they may have."""
    expected = set(FIXED_FILES) - set(UNLISTED) | set(bundle.numbered("parts", ".ndjson"))
    for log in manifest["logs"]:
        place = f"logs/{log['log']}"
        expected |= {f"{place}/checkpoint", f"{place}/disclosed"}
        expected |= {f"{place}/timestamps/{number:06d}.tsr" for number in range(log["timestamps"])}
        expected |= set(bundle.numbered(f"{place}/entries", ".ndjson"))
        if log["before"] is not None:
            expected.add(f"{place}/checkpoint.before")
    places = {f"logs/{log['log']}/tile/" for log in manifest["logs"]}
    for name in bundle.container.sizes:
        found = LOG_FILE.fullmatch(name)
        if found and found[2].startswith("tile/") and f"logs/{found[1]}/tile/" in places and is_bundle_name(name):
            expected.add(name)
    return expected


def check_sums(bundle: Bundle) -> None:
    """SHA256SUMS names every other file with its digest, each once. All other files must have been read by now."""
    data = bundle.read("SHA256SUMS")
    if data.count(b"\n") > LIMITS["files"]:
        raise Damage("sums-differ", "SHA256SUMS", "more lines than files")
    lines = data.split(b"\n")
    expected = {name: digest for name, (_, digest) in bundle.listed.items()} | bundle.digests
    expected.pop("SHA256SUMS", None)
    if lines.pop() != b"":
        bundle.report.add("sums-differ", "SHA256SUMS", "the last line does not end")
    for number, line in enumerate(lines, 1):
        digest, name = line[:64].decode("latin-1"), line[66:].decode("latin-1")
        if line[64:66] != b"  " or expected.pop(name, None) != digest:
            bundle.report.add("sums-differ", f"SHA256SUMS:{number}")
    for name in sorted(expected):
        bundle.report.add("sums-differ", "SHA256SUMS", f"{shown(name)} is not in it")


# ======================================================================================================================
# 9  The first page, and VERIFYING.txt
# ======================================================================================================================
# README.html is a function of the manifest, to the byte, so that it says nothing that was not checked. Of format /1 it
# never changes; `shown` and `html.escape` make every value harmless.
MOST_ROWS = 100
STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--paper:#fff;--line:#d5dae0;--tint:#f4f6f8;--warn:#8a4600;--wash:#fff4e3}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a4adb8;--paper:#14171a;--line:#353b42;--tint:#1d2126;--warn:#ffb867;--wash:#33240f}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:60rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}
p.over{margin:0;color:var(--soft);font-size:.875rem;letter-spacing:.04em;text-transform:uppercase}
h1{font-size:1.75rem;line-height:1.25;margin:.35rem 0 1rem;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.5rem 0 .75rem;padding-top:1.25rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.5rem 0 .5rem}
p,ul,ol{margin:.5rem 0;max-width:46rem}
ul,ol{padding-left:1.35rem}
li{margin:.3rem 0}
.soft{color:var(--soft)}
.warn{background:var(--wash);color:var(--warn);border:1px solid currentColor;border-radius:.5rem;padding:.75rem 1rem;margin:1rem 0}
dl.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.75rem;margin:1rem 0}
dl.figures div{background:var(--tint);border:1px solid var(--line);border-radius:.5rem;padding:.6rem .8rem}
dl.figures dt{color:var(--soft);font-size:.875rem}
dl.figures dd{margin:0;font-size:1.35rem;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
dl.figures dd.text{font-size:.95rem;padding-top:.35rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:.75rem 0 .35rem}
th,td{text-align:left;vertical-align:top;padding:.4rem .75rem .4rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere;min-width:4.5rem}
th{color:var(--soft);font-weight:600;overflow-wrap:normal}
td:not(.n){min-width:7rem}
td.n,th.n{text-align:right}
code{font:.875em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
pre{background:var(--tint);border:1px solid var(--line);border-radius:.5rem;padding:.75rem 1rem;overflow-x:auto}
@media print{body{font-size:11pt;background:#fff;color:#000}main{max-width:none;padding:0}h2{break-after:avoid}tr,dl.figures div{break-inside:avoid}.scroll{overflow:visible}}
"""


def render_first_page(manifest: Json) -> str:
    """README.html of a manifest that `parse_manifest` would accept. Same manifest, same page, in every verifier."""
    question = question_in_words(manifest["question"])
    made = {"made_at": manifest["made_at"], "software": f"Answerable {manifest['software']['version']}"}
    asked = [_words("asked_by", manifest["asked"])]
    if manifest["asked"]["approval"] is not None:
        asked.append(_words("approved_by", manifest["asked"]))
    body = [
        "<p class=\"over\">Evidence bundle</p>\n",
        f"<h1>{_html(question)}</h1>\n",
        "" if manifest["called"] is None else f"<p>{_html(called_in_words(manifest))}</p>\n",
        f"<p>{_words('made', made)} {' '.join(asked)}</p>\n",
        f"<p class=\"soft\">Bundle <code>{_html(manifest['id'])}</code> of <code>{_html(manifest['origin'])}</code></p>\n",
        _left_out(manifest),
        "<p class=\"warn\">This page says what the bundle says of itself. Nothing on it is proven until a verifier that you got "
        "from elsewhere has said so: see <a href=\"#verify\">how to verify</a>.</p>\n",
        _answer_html(manifest),
        _contents_html(manifest),
        _sources_html(manifest),
        _logs_html(manifest),
        PAGE_PROOF,
    ]  # fmt: skip
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Evidence: {_html(question)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"{''.join(body)}</main>\n</body>\n</html>\n"
    )


def question_in_words(question: Json) -> str:
    """What was asked, as a sentence."""
    if question["kind"] != "range":
        return fill(WORDS[f"q_{question['kind']}"], question)
    since, until = question["since"], question["until"]
    name = "times_both" if since and until else "times_since" if since else "times_until" if until else "times_all"
    return fill(WORDS["q_range"], {"system": question["system"], "times": fill(WORDS[name], question)})


def called_in_words(manifest: Json) -> str:
    """What the organisation calls what was asked for, as a sentence."""
    return fill(WORDS[f"called_{manifest['question']['kind']}"], manifest)


def _html(value: Json) -> str:
    return html.escape(shown(value, 1000))


def _words(name: str, facts: Dict[str, Json]) -> str:
    return html.escape(fill(WORDS[name], facts))


def _left_out(manifest: Json) -> str:
    if manifest["whole"]:
        return ""
    reasons = "".join(f"<li>{_html(each)}</li>\n" for each in manifest["left_out"][:MOST_ROWS])
    return f'<div class="warn"><strong>This bundle is not whole.</strong>\n<ul>\n{reasons}</ul></div>\n'


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[Json]], total: int) -> str:
    """A table whose cells are shown; of a head that ends in # the column is of numbers."""
    numeric = [' class="n"' if head.endswith("#") else "" for head in heads]
    top = "".join(f'<th scope="col"{kind}>{head.rstrip("#")}</th>' for head, kind in zip(heads, numeric))
    lines = [
        "<tr>" + "".join(f"<td{kind}>{_html(cell)}</td>" for cell, kind in zip(row, numeric)) + "</tr>\n"
        for row in rows
    ]
    more = (
        f'<p class="soft">And {grouped(total - len(rows))} more: see manifest.json.</p>\n' if total > len(rows) else ""
    )
    return (
        f'<div class="scroll" tabindex="0"><table>\n<caption>{caption}</caption>\n<thead><tr>{top}</tr></thead>\n'
        f"<tbody>\n{''.join(lines)}</tbody>\n</table></div>\n{more}"
    )


def _share(count: int, whole: int) -> str:
    thousandths = count * 1000 // whole if whole else 0
    return f"{thousandths // 10}.{thousandths % 10} %"


def _answer_html(manifest: Json) -> str:
    answer = manifest["answer"]
    figures = [
        ("Decisions", answer["decisions"]), ("Adverse", answer["adverse"]), ("Flagged", answer["flagged"]),
        ("Failed", answer["failed"]), ("Overridden", answer["overridden"]), ("Entries", answer["entries"]),
        ("Entries withheld", answer["withheld_entries"]),
    ]  # fmt: skip
    cells = "".join(f"<div><dt>{name}</dt><dd>{_html(value)}</dd></div>\n" for name, value in figures)
    for name, value in (("First received", answer["first_at"]), ("Last received", answer["last_at"])):
        cells += f'<div><dt>{name}</dt><dd class="text">{_html(value)}</dd></div>\n'
    out = f'<h2>The answer</h2>\n<dl class="figures">\n{cells}</dl>\n'
    for caption, name in (("Outcomes", "outcomes"), ("Model versions", "by_model_version")):
        counts = sorted(answer[name].items(), key=lambda item: (-item[1], item[0]))
        rows = [(key, count, _share(count, answer["decisions"])) for key, count in counts[:MOST_ROWS]]
        if rows:
            out += _table(caption, (caption[:-1], "Decisions#", "Share#"), rows, len(counts))
    return out


def _contents_html(manifest: Json) -> str:
    parts = [(name, manifest["parts"][name]) for name in PARTS if name in manifest["parts"]]
    rows = [(name, each["disclosed"], each["withheld"], each["erased"]) for name, each in parts]
    if not rows:
        return ""
    return "<h2>Contents</h2>\n" + _table(
        "What decisions held, by part", ("Part", "Disclosed#", "Withheld#", "Erased#"), rows, len(rows)
    )


def _sources_html(manifest: Json) -> str:
    if manifest["sources"] is None:
        return ""
    rows = []
    for each in manifest["sources"][:MOST_ROWS]:
        gaps = [
            f"{grouped(first)} to {grouped(last)}" if first != last else grouped(first)
            for first, last in each["missing"][:10]
        ]
        more = ", ..." if len(each["missing"]) > 10 else ""
        rows.append((
            each["source"], each["first_seq"], each["last_seq"], each["decisions"], each["missing_count"],
            ", ".join(gaps) + more, len(each["twice"]),
        ))  # fmt: skip
    heads = ("Source", "First number#", "Last number#", "Decisions#", "Missing#", "Which", "Twice#")
    out = "<h2>Gaps</h2>\n<p>A source may number what it sends. A number that is missing between the first and the last has no decision among these.</p>\n"
    if not rows:
        return out + "<p>No decision here bears a number.</p>\n"
    return out + _table("Numbers by source", heads, rows, len(manifest["sources"]))


def _logs_html(manifest: Json) -> str:
    rows = []
    for each in manifest["logs"][:MOST_ROWS]:
        first, end = each["range"] or (0, 0)
        span = "" if each["range"] is None else "empty" if first == end else f"{grouped(first)} to {grouped(end - 1)}"
        about = "registry" if each["system"] is None else f"AI system {each['system']}"
        rows.append(
            (each["origin"], about, each["tree_size"], span, each["disclosed"], each["timestamps"], each["root_hash"])
        )
    heads = ("Log", "Of", "Entries#", "Range", "Disclosed#", "Time-stamps#", "Root hash")
    return "<h2>The logs</h2>\n" + _table("What is proven against", heads, rows, len(manifest["logs"]))


PAGE_PROOF = """<h2 id="verify">How to verify</h2>
<p>You need the verifier key of the organisation (it looks like <code>name+id+key</code>), and a verifier. Get both by another way than this bundle.</p>
<pre tabindex="0">python3 -I verify.py BUNDLE.zip --vkey 'THE VERIFIER KEY'</pre>
<p>The verifier needs Python 3.9 or later, nothing else, and no network. <code>verify.html</code> does the same in a browser. <code>VERIFYING.txt</code> says more, and how
to do it with other people's tools.</p>
<h3>What a verifier then has proven</h3>
<ul>
<li>Each disclosed entry stood in the signed log, at its place, as it is here.</li>
<li>Within a range nothing was left out, put in, changed or moved; entries that are withheld are counted.</li>
<li>Each disclosed content is, to the byte, what was sealed.</li>
<li>The figures on this page are those of the entries.</li>
</ul>
<h3>What nobody proves from a bundle</h3>
<ul>
<li>That what was sent is true, or that everything was sent. Numbers of sources make gaps visible where a source gives them.</li>
<li>The times: they are the server's clock at receipt. Only a witness or a time-stamp binds a log to a time.</li>
<li>Anything against somebody who holds database, signing key and head store, for what nobody outside has seen.</li>
<li>Outside a range: that there are no other entries than the disclosed ones.</li>
</ul>
<h3>Words</h3>
<ul>
<li><strong>Entry</strong>: one line of a log: what happened, when the server received it, and by whom. It never changes.</li>
<li><strong>Log</strong>: the entries of one AI system, in the order of receipt. The registry log is the organisation's own.</li>
<li><strong>Origin</strong>: the name of a log, or of the installation: what its signatures are made under.</li>
<li><strong>Checkpoint</strong>, or <strong>head</strong>: how many entries a log had, and one hash over them all, signed.</li>
<li><strong>Root hash</strong>: that hash. With another entry anywhere it would be another one.</li>
<li><strong>Tile</strong>: a file of hashes, by which an entry is found in the root hash without the other entries.</li>
<li><strong>Range</strong>: all entries of a log within the times that were asked for.</li>
<li><strong>Fence</strong>: the entry directly before or behind a range. Its time shows that the range goes as far as it must.</li>
<li><strong>Contents</strong>: what a decision was made of and what came out. A log holds only a commitment to each.</li>
<li><strong>Refs</strong>: the content that says whom or what a decision is about.</li>
<li><strong>Witness</strong>: somebody else, who signs the heads that they saw.</li>
</ul>
"""

VERIFYING = """How to verify this evidence bundle
==================================

Bundle   {id}
Of       {origin}
Asked    {question}
Made at  {made_at}

1. Get the organisation's verifier key from elsewhere than this bundle: from its web site, on paper, from an earlier audit. It
   looks like  {origin}/logs/registry+0123abcd+AbCd...=  . Without it anybody could have made this bundle.

2. Get the verifier from elsewhere too, if you can: the SDK package of this project (sdk/ of its source) brings
   `answerable-verify`. verify.py in this bundle is the same program, if nobody changed it: one file of Python 3.9 or later
   that you can read. Take it out of the zip; it needs no network and nothing that is installed.

       python3 -I verify.py BUNDLE.zip --vkey 'THE VERIFIER KEY'

   It says what is proven and what is not, and its exit code is
       0  verified    1  evidence of tampering    2  wrong usage    3  incomplete (also: no key was given)

   verify.html is the same check in a browser: open the file, and drop the zip on it.

   A checkpoint that you kept earlier:           --head FILE   (--save-head DIR keeps this one)
   Witnesses whom you trust (C2SP tlog-policy):  --policy FILE
   A time-stamp authority that you trust:        --tsa CERT.pem

   What a word in brackets means, and what to do then, the verifier says itself:

       python3 -I verify.py --explain

3. Or with other people's tools. Unpack the bundle into a folder, and work in one of your own beside it, so that nothing is added to
   the bundle. BUNDLE is where you unpacked it, LOG one of its logs:

       mkdir check
       cd check
       BUNDLE=../bundle
       LOG="$BUNDLE/logs/{log}"

   The files are those that were listed:

       (cd "$BUNDLE" && sha256sum -c SHA256SUMS)

   The log's checkpoint is signed, and each disclosed entry stands in its tree, at its index: with Go's golang.org/x/mod
   (sumdb/note and sumdb/tlog). Save the program below as check.go. With a network, or a mirror of Go modules, its first line gets
   the module, once:

       go mod init check && go get golang.org/x/mod@v0.20.0
       go run check.go "$LOG" 'THE VERIFIER KEY'

   Without one, where Debian's packages golang-go and golang-golang-x-mod-dev are installed:

       GO111MODULE=off GOPATH=/usr/share/gocode go run check.go "$LOG" 'THE VERIFIER KEY'

   A time-stamp, where there is one, is of the checkpoint's text, which is all before the blank line: with OpenSSL.

       sed '/^$/,$d' "$LOG/checkpoint" > text
       openssl ts -verify -in "$LOG/timestamps/000000.tsr" -data text -CAfile AUTHORITY.pem

   A content is what was committed to: of a line in parts/*.ndjson, SHA-256 of the 32 bytes of "key" and the bytes of the content is
   what the entry at this index holds in body.commitments (or in body.state, body.reason).

   Everything is a public format: LOG/checkpoint is a C2SP tlog-checkpoint, LOG/tile are the C2SP tlog-tiles that the proof takes,
   LOG/entries/*.ndjson are the entries (SHA-256 of a zero byte and a line without its newline is a leaf hash), at the indexes that
   LOG/disclosed lists as "first count". One key signs for all logs of the organisation, under the name of each (first line of its
   checkpoint). Any other client of these formats will do.

---------------------------------------------------------------- check.go
{go}----------------------------------------------------------------

What a verdict means

0, verified: everything fits, under a key from elsewhere. 1, evidence of tampering: something contradicts something; that is a
fact, and who did it, and whether on purpose, is not in it. Ask for the bundle again, and compare. 3, incomplete: nothing
contradicts, and something that a verdict needs is not there.

What no log proves: that what was sent to it is true, or that everything was sent; its times, which are the server's clock; and
anything against somebody who holds database, signing key and head store, for what nobody outside has seen. So keep checkpoints
(--save-head), and have witnesses.
"""

GO_PROGRAM = r"""// Checks a log of an evidence bundle with golang.org/x/mod alone: go run check.go FOLDER VKEY
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type folder string

func (f folder) Height() int                     { return 8 }
func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}
func (f folder) ReadTiles(want []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range want {
		// tlog names the height of a tile in its path, tlog-tiles does not
		data, err := os.ReadFile(filepath.Join(string(f), strings.Replace(tile.Path(), "tile/8/", "tile/", 1)))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

// key is the verifier key under the name of a log: one key signs for all logs of an installation.
func key(vkey, origin string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 || strings.Split(parts[0], "/logs/")[0] != strings.Split(origin, "/logs/")[0] {
		return nil, errors.New("a key of another installation")
	}
	public, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(append([]byte(origin+"\n"), public...))
	return note.NewVerifier(fmt.Sprintf("%s+%x+%s", origin, id[:4], parts[2]))
}

func must(err error) {
	if err != nil {
		log.Fatal("NOT VERIFIED: ", err)
	}
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("go run check.go FOLDER VKEY")
	}
	where := os.Args[1]
	data, err := os.ReadFile(filepath.Join(where, "checkpoint"))
	must(err)
	origin := strings.Split(string(data), "\n")[0]
	if !strings.HasSuffix(origin, "/logs/"+filepath.Base(where)) {
		log.Fatal("NOT VERIFIED: a checkpoint of another log")
	}
	verifier, err := key(os.Args[2], origin)
	must(err)
	opened, err := note.Open(data, note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := tlog.ParseHash(lines[2])
	must(err)
	reader := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, folder(where))

	var indexes []int64
	runs, err := os.ReadFile(filepath.Join(where, "disclosed"))
	must(err)
	for _, run := range strings.Split(strings.TrimSpace(string(runs)), "\n") {
		var first, count int64
		if _, err := fmt.Sscanf(run, "%d %d", &first, &count); err == nil {
			for index := first; index < first+count; index++ {
				indexes = append(indexes, index)
			}
		}
	}
	names, err := filepath.Glob(filepath.Join(where, "entries", "*.ndjson"))
	must(err)
	sort.Strings(names)
	number := 0
	for _, name := range names {
		file, err := os.Open(name)
		must(err)
		entries := bufio.NewScanner(file)
		entries.Buffer(nil, 1<<20)
		for ; entries.Scan(); number++ {
			if number >= len(indexes) {
				log.Fatal("NOT VERIFIED: more entries than are disclosed")
			}
			hashes, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, indexes[number])})
			must(err)
			if hashes[0] != tlog.RecordHash(entries.Bytes()) {
				log.Fatal("NOT VERIFIED: entry ", indexes[number], " is not the one in the log")
			}
		}
		must(entries.Err())
	}
	if number != len(indexes) {
		log.Fatal("NOT VERIFIED: an entry is missing")
	}
	fmt.Println("verified:", number, "entries of", lines[0], "in a tree of", size)
}
"""


def render_verifying(manifest: Json) -> str:
    """VERIFYING.txt: how to verify, with the facts of this bundle."""
    facts = {
        "id": manifest["id"],
        "origin": manifest["origin"],
        "question": question_in_words(manifest["question"]),
        "made_at": manifest["made_at"],
        "log": manifest["logs"][0]["log"],
    }
    before, after = VERIFYING.split("{go}")
    return fill(before, facts) + GO_PROGRAM + fill(after, facts)


# ======================================================================================================================
# 10  Logs: their tiles, their entries
# ======================================================================================================================
ERASED, OVERRIDDEN, ENTRY, DECISION, DISCLOSED = 1, 2, 4, 8, 16


class Book:
    """What is known of ids, kept on disk where it grows: which entries there are, and what later entries say of them.

    A record is 16 bytes of id, five of its place in the order of reading, one of what (`ENTRY`, `DECISION`, `ERASED`,
    `OVERRIDDEN`), one of the decision's parts that are not disclosed. Runs of sorted records are merged at the end, so that
    all records of one id come together, in the order in which they were read.
    """

    RUN = 1 << 18
    RECORD = 23

    def __init__(self) -> None:
        self._new: List[bytes] = []
        self._count = 0
        self._runs: List[Tuple[int, int]] = []
        self._spool = tempfile.SpooledTemporaryFile(max_size=16 << 20)

    def add(self, identifier: str, what: int, absent: int = 0) -> None:
        """Note something of an id, which is a uuid."""
        self._count += 1
        place = self._count.to_bytes(5, "big")
        self._new.append(bytes.fromhex(identifier.replace("-", "")) + place + bytes((what, absent)))
        if len(self._new) >= self.RUN:
            self._flush()

    def _flush(self) -> None:
        self._new.sort()
        self._spool.seek(0, os.SEEK_END)
        start = self._spool.tell()
        self._spool.write(b"".join(self._new))
        self._runs.append((start, start + self.RECORD * len(self._new)))
        self._new = []

    def _run(self, start: int, end: int) -> Iterator[bytes]:
        step = self.RECORD * 2048
        for at in range(start, end, step):
            self._spool.seek(at)
            data = self._spool.read(min(step, end - at))
            for offset in range(0, len(data), self.RECORD):
                yield data[offset : offset + self.RECORD]

    def by_id(self) -> Iterator[Tuple[str, int, int, int]]:
        """Each id once, in order: how many entries have it, all that is said of it, and its decision's absent parts.

        What was erased was there before: an erasure that stands before the decision is none of it.
        """
        self._flush()
        current, entries, said, absent = b"", 0, 0, 0
        for record in heapq.merge(*(self._run(*run) for run in self._runs)):
            if record[:16] != current:
                if current:
                    yield current.hex(), entries, said, absent
                current, entries, said, absent = record[:16], 0, 0, 0
            what = record[21]
            entries += 1 if what & ENTRY else 0
            said |= what if entries or what != ERASED else 0
            absent |= record[22]
        if current:
            yield current.hex(), entries, said, absent
        self._spool.close()


def lines_of(bundle: Bundle, names: Sequence[str], limit: int, code: str) -> Iterator[Tuple[str, int, List[bytes]]]:
    """The lines of files, some at a time: file, number of the first line, lines. Errors: Damage, which ends them."""
    for name in names:
        rest, number = b"", 1
        for data in bundle.chunks(name):
            outer = bundle.clock.enter("lines")
            lines = (rest + data).split(b"\n")
            rest = lines.pop()
            fitting = lines
            if lines and max(map(len, lines)) > limit:
                fitting = lines[: next(at for at, line in enumerate(lines) if len(line) > limit)]
            bundle.clock.enter(outer)
            if fitting:
                yield name, number, fitting
                number += len(fitting)
            if len(fitting) < len(lines) or len(rest) > limit:
                raise Damage(code, f"{name}:{number}", "a line is too long")
        if rest or number == 1:
            raise Damage(code, f"{name}:{number}", "the last line does not end")


class Log:
    """One log of the bundle: what the manifest says of it, and what is derived while it is checked."""

    def __init__(self, bundle: Bundle, said: Json, number: int) -> None:
        self.bundle, self.report, self.said, self.number = bundle, bundle.report, said, number
        self.name, self.origin, self.place = said["log"], said["origin"], f"logs/{said['log']}"
        self.span: Span = tuple(said["range"]) if said["range"] else (0, 0)
        self.size, self.root = said["tree_size"], bytes.fromhex(said["root_hash"])
        self.checkpoint: Optional[Checkpoint] = None
        self.widths: Dict[Tuple[int, int], int] = {}
        self.disclosed = self.disclosed_in_range = self.needed = 0
        self.opening: Json = None
        self.times: Dict[int, str] = {}  # receipt times at the ends of the range, by index
        self.events: List[Tuple[int, str, str, Json]] = []
        self.announced: Dict[bytes, int] = {}
        self.retired: Dict[bytes, int] = {}
        self.signed = ""
        self._latest = ""
        self.newest_at = ""  # of the disclosed entries
        self.behind: Dict[int, str] = {}  # by size of a tree that somebody saw: the earliest time of an entry behind it
        self._tiles: Dict[Tuple[int, int], Optional[bytes]] = {}
        self._missing: set[str] = set()

    @property
    def is_system(self) -> bool:
        return bool(self.said["kind"] == "system")

    @property
    def title(self) -> str:
        """What it is called in sentences."""
        return f"Log {self.name}" if self.is_system else "Registry log" + f" {self.name}" * (self.name != "registry")

    # --- checkpoint and tiles -----------------------------------------------------------------------------------------
    def read_checkpoint(self) -> bool:
        """Read the checkpoint and compare it with the manifest. Out: whether there is one."""
        place = f"{self.place}/checkpoint"
        if not self.bundle.has(place):
            return False
        try:
            found = parse_checkpoint(self.bundle.read(place))
        except Malformed as error:
            self.report.add("checkpoint-malformed", place, str(error))
            return False
        except Damage as damage:
            self.report.add(*damage.finding)
            return False
        claims = (("origin", self.origin, found.origin), ("tree_size", self.size, found.size))
        for name, claimed, derived in (*claims, ("root_hash", self.root.hex(), found.root.hex())):
            if claimed != derived:
                self.report.add("checkpoint-differs", place, says(name, claimed, derived))
        self.checkpoint, self.size, self.root = found, found.size, found.root
        return True

    def tile(self, level: int, index: int) -> Optional[bytes]:
        """A tile's hashes; None where it is not there. A few are kept: neighbours are asked for again and again."""
        key = (level, index)
        if key not in self._tiles:
            if len(self._tiles) >= 16:
                self._tiles.pop(next(iter(self._tiles)))
            self._tiles[key] = self._read_tile(level, index)
        return self._tiles[key]

    def _read_tile(self, level: int, index: int) -> Optional[bytes]:
        width = self.widths.get((level, index))
        if width is None:
            return None
        name = f"{self.place}/{tile_name(level, index, width)}"
        try:
            data = self.bundle.read(name)
        except Damage as damage:
            self.widths.pop((level, index))
            self.report.add(*damage.finding)
            return None
        if len(data) != 32 * width:
            self.widths.pop((level, index))
            self.report.add("tile-altered", name, says("bytes", 32 * width, len(data)))
            return None
        return data

    def _miss(self, level: int, index: int) -> None:
        name = f"{self.place}/{tile_name(level, index, tile_width(self.size, level, index))}"
        if name not in self._missing and len(self._missing) <= LIMITS["listed"]:
            self._missing.add(name)
            self.report.add("tile-missing", name)

    def check_tiles(self, names: Iterable[str]) -> None:
        """Each tile is one of the tree, and each hash in it is proven: by its parent, up to the edge and the root."""
        for name in names:
            level, index, width = parse_tile_name(name[len(self.place) + 1 :]) or (0, 0, 0)
            if width != tile_width(self.size, level, index):
                self.report.add("tile-unexpected", name)
            else:
                self.widths[level, index] = width
        for level in range(top_level(self.size), -1, -1) if self.size else ():
            count = self.size >> 8 * level
            if count % WIDTH and (level, count // WIDTH) not in self.widths:
                self._miss(level, count // WIDTH)
        root = root_of(self.size, self.tile)
        if root is not None and root != self.root:
            self.report.add("root-differs", f"{self.place}/checkpoint")
        for level, index in sorted(self.widths, key=lambda key: (-key[0], key[1])):
            if self.widths.get((level, index)) == WIDTH:
                self._check_full_tile(level, index)

    def _check_full_tile(self, level: int, index: int) -> None:
        above = self.tile(level + 1, index // WIDTH)
        if above is None:
            return self._miss(level + 1, index // WIDTH)
        data = self.tile(level, index)
        outer, at = self.bundle.clock.enter("tiles"), 32 * (index % WIDTH)
        altered = data is not None and fold_perfect(data) != above[at : at + 32]
        self.bundle.clock.enter(outer)
        if altered:
            self.report.add("tile-altered", f"{self.place}/{tile_name(level, index, WIDTH)}")
        return None

    def check_range_tiles(self) -> None:
        """The tiles of the range are there. What is missing is listed up to a limit, so that a lie costs no time."""
        first, end = self.span
        if first < end:
            for index in range(first // WIDTH, (end - 1) // WIDTH + 1):
                if (0, index) not in self.widths:
                    self._miss(0, index)
                    if len(self._missing) > LIMITS["listed"]:
                        break

    def root_at(self, size: int) -> Optional[bytes]:
        """The root of the tree of the first `size` entries, where the tiles in the bundle suffice."""
        return root_of(size, self.tile) if size <= self.size else None

    # --- entries ------------------------------------------------------------------------------------------------------
    def runs(self) -> Iterator[Span]:
        """The disclosed runs as first index and end. Errors: Damage."""
        place, before = f"{self.place}/disclosed", -1
        if not self.bundle.has(place) or self.bundle.container.sizes[place] == 0:
            if self.bundle.has(place):
                self.bundle.read(place)
            return
        for name, number, lines in lines_of(self.bundle, [place], 64, "disclosed-malformed"):
            for offset, line in enumerate(lines):
                found = re.fullmatch(rb"(0|[1-9][0-9]{0,15}) ([1-9][0-9]{0,15})", line)
                first, count = (int(found[1]), int(found[2])) if found else (-1, 0)
                if first <= before or first + count > self.size:
                    raise Damage("disclosed-malformed", f"{name}:{number + offset}")
                before = first + count
                yield first, before

    def check_entries(self, read: Callable[[Log, int, bytes, str], None]) -> None:
        """Each disclosed entry is the one whose leaf hash stands in the tree. `read` is told each, in order."""
        runs = self.runs()
        index, end = next(runs, (-1, -1))
        names = self.bundle.numbered(f"{self.place}/entries", ".ndjson")
        for name, number, lines in lines_of(self.bundle, names, LIMITS["line"], "entries-malformed"):
            outer = self.bundle.clock.enter("leaves")
            hashes = leaf_hashes(lines)
            self.bundle.clock.enter(outer)
            at = 0
            while at < len(lines):
                if index < 0:
                    raise Damage("entry-extra", f"{name}:{number + at}")
                count = min(len(lines) - at, end - index, WIDTH - index % WIDTH)
                self._compare(index, hashes[at : at + count], name, number + at)
                self._tell(read, index, lines[at : at + count], name, number + at)
                at, index = at + count, index + count
                if index == end:
                    index, end = next(runs, (-1, -1))
        if index >= 0:
            raise Damage("entry-missing", f"{self.place}/entries", f"from index {grouped(index)} on")

    def _compare(self, index: int, hashes: List[bytes], name: str, number: int) -> None:
        outer = self.bundle.clock.enter("leaves")
        tile, at = self.tile(0, index // WIDTH), 32 * (index % WIDTH)
        if tile is None:
            # nothing here can be proven, and whoever says that there are more entries than tiles gets no time for it
            self._miss(0, index // WIDTH)
            raise Damage("tile-missing", f"{self.place}/entries", f"from index {grouped(index)} on nothing is checked")
        if tile[at : at + 32 * len(hashes)] != b"".join(hashes):
            for offset, found in enumerate(hashes):
                if tile[at + 32 * offset : at + 32 * offset + 32] != found:
                    self.report.add("entry-altered", f"{name}:{number + offset}", f"index {grouped(index + offset)}")
        self.disclosed += len(hashes)
        self.needed = index + len(hashes)
        self.disclosed_in_range += max(0, min(self.span[1], self.needed) - max(self.span[0], index))
        self.bundle.clock.enter(outer)

    def _tell(
        self, read: Callable[[Log, int, bytes, str], None], index: int, lines: List[bytes], name: str, number: int
    ) -> None:
        outer = self.bundle.clock.enter("entries")
        for offset, line in enumerate(lines):
            read(self, index + offset, line, f"{name}:{number + offset}")
        self.bundle.clock.enter(outer)

    def heard(self, index: int, at: str) -> None:
        """Note when an entry was received, to be compared with clocks outside."""
        self.newest_at = max(self.newest_at, at)
        for size, earliest in self.behind.items():
            if index >= size and (not earliest or at < earliest):
                self.behind[size] = at

    def contradicts(self, at: int, size: int) -> str:
        """Which receipt time says that nobody can have seen the tree of this size at these microseconds; empty: none does.

        Of the whole tree, one that is later; of an earlier one, that of an entry behind it which is earlier.
        """
        if size >= self.size and self.newest_at and microseconds(self.newest_at) - at > CLOCKS_APART:
            return self.newest_at
        earliest = self.behind.get(size, "")
        return earliest if earliest and at - microseconds(earliest) > CLOCKS_APART else ""

    def saw(self, index: int, at: str, place: str) -> None:
        """Note when an entry was received: the ends of the range, and a clock that goes back in it."""
        first, end = self.span
        if index in (first - 1, first, end - 1, end):
            self.times[index] = at
        if first - 1 <= index <= end:
            if at >= self._latest:
                self._latest = at
            elif microseconds(self._latest) - microseconds(at) > CLOCK_BACK:
                self.report.add("clock-back", place)


def parse_entry(line: bytes) -> Json:
    """An entry as docs/log-format.md has it. Errors: Malformed."""
    if len(line) > LIMITS["entry"]:
        raise Malformed("too long")
    try:
        text = line.decode("ascii")
    except UnicodeDecodeError:
        raise Malformed("not ASCII") from None
    if not text.isprintable():
        raise Malformed("a control character")
    entry = read_json(text)
    if not isinstance(entry, dict) or type(entry.get("v")) is not int or entry["v"] != 1:
        raise Malformed("not an entry of version 1")
    kind, actor, at = entry.get("kind"), entry.get("actor"), entry.get("at")
    if not is_uuid(entry.get("id")) or not isinstance(kind, str) or len(kind) > 100 or not KIND.fullmatch(kind):
        raise Malformed("no id, or no kind")
    if at is None or moment(at) != at:
        raise Malformed("no time")
    if not isinstance(actor, dict) or not isinstance(actor.get("type"), str) or not isinstance(entry.get("body"), dict):
        raise Malformed("no actor, or no body")
    return entry


def check_decision(body: Json) -> None:
    """What is read of a decision is of the type it must have. Errors: Malformed."""
    get = body.get
    flags, commitments, adverse = get("flags"), get("commitments"), get("adverse")
    if not isinstance(get("system"), str) or not isinstance(get("outcome"), str):
        raise Malformed("a decision without system or outcome")
    if not isinstance(get("model_version"), str) or not isinstance(get("error_type", ""), (str, type(None))):
        raise Malformed("a decision without model version")
    if not isinstance(commitments, dict) or not all(name in PARTS for name in commitments):
        raise Malformed("a decision without commitments")
    if not all(isinstance(each, str) and HEX32.fullmatch(each) for each in commitments.values()):
        raise Malformed("a commitment that is none")
    if (adverse is not None and type(adverse) is not bool) or (flags is not None and not isinstance(flags, list)):
        raise Malformed("adverse or flags")
    source, number = get("source_id"), get("source_seq")
    if (source is not None and not is_uuid(source)) or (number is not None and not is_count(number, 2**63 - 1)):
        raise Malformed("source or number")


# --- contents ---------------------------------------------------------------------------------------------------------
class Part(NamedTuple):
    """A disclosed content."""

    log: int
    leaf: int
    name: str
    key: bytes
    data: bytes
    place: str


class Contents:
    """The lines of parts/*.ndjson, read beside the entries: both are in the same order."""

    def __init__(self, bundle: Bundle, logs: Sequence[Log]) -> None:
        self.bundle, self.report = bundle, bundle.report
        self._numbers = {log.name: log.number for log in logs}
        self.disclosed = self._wrong = 0
        self.names: set[str] = set()  # of the parts that are disclosed
        self._parts = self._read()
        self._next = next(self._parts, None)

    def _read(self) -> Iterator[Part]:
        names, before = self.bundle.numbered("parts", ".ndjson"), (-1, -1, -1)
        try:
            for name, number, lines in lines_of(self.bundle, names, LIMITS["part"], "part-malformed"):
                for offset, line in enumerate(lines):
                    place = f"{name}:{number + offset}"
                    try:
                        part = self._parse(line, place)
                    except Malformed as error:
                        self._refuse("part-malformed", place, str(error))
                        self._require_patience(place)
                        continue
                    order = (part.log, part.leaf, ALL_PARTS.index(part.name))
                    if order <= before:
                        raise Damage("part-malformed", place, "out of order")
                    before = order
                    yield part
                    self._require_patience(place)
        except Damage as damage:
            self.report.add(*damage.finding)

    def _require_patience(self, place: str) -> None:
        if self._wrong > LIMITS["wrong parts"]:
            raise Damage("part-malformed", place, "too many lines are wrong: no more are read")

    def _refuse(self, code: str, place: str, detail: str = "") -> None:
        self._wrong += 1
        self.report.add(code, place, detail)

    def _parse(self, line: bytes, place: str) -> Part:
        try:
            row = read_json(line.decode("utf-8"), LIMITS["part values"])
        except UnicodeDecodeError:
            raise Malformed("not UTF-8") from None
        form = "text" if isinstance(row, dict) and "text" in row else "base64"
        if not isinstance(row, dict) or sorted(row) != sorted(("index", "key", "log", "part", form)):
            raise Malformed("not the members of a part")
        log, index, name, key, text = row["log"], row["index"], row["part"], row["key"], row[form]
        if not is_count(index) or name not in ALL_PARTS or not isinstance(key, str) or not HEX32.fullmatch(key):
            raise Malformed("index, part or key")
        if not isinstance(text, str) or not isinstance(log, str) or log not in self._numbers:
            raise Malformed("log or content")
        try:
            data = text.encode("utf-8") if form == "text" else decode_base64(text)
        except UnicodeEncodeError:
            raise Malformed("a lone surrogate") from None
        return Part(self._numbers[log], index, name, bytes.fromhex(key), data, place)

    def of(self, log: int, index: int) -> List[Part]:
        """The parts of an entry. Those of entries before it, which nobody asked for, belong to none."""
        if self._next is None or (self._next.log, self._next.leaf) > (log, index):
            return []
        outer, found = self.bundle.clock.enter("parts"), []
        while self._next is not None and (self._next.log, self._next.leaf) <= (log, index):
            if (self._next.log, self._next.leaf) == (log, index):
                found.append(self._next)
            else:
                self._refuse("part-unknown", self._next.place)
            self._next = next(self._parts, None)
        self.bundle.clock.enter(outer)
        return found

    def end(self) -> None:
        """Whatever is left belongs to no disclosed entry."""
        while self._next is not None:
            self._refuse("part-unknown", self._next.place)
            self._next = next(self._parts, None)

    def open(self, parts: List[Part], kind: str, body: Json) -> set[str]:
        """Compare an entry's parts with its commitments. Out: the names of those that fit."""
        fit: set[str] = set()
        state, outer = b"", self.bundle.clock.enter("parts")
        for part in parts:
            expected = self._committed(part.name, kind, body, state)
            if expected is None:
                self.report.add("part-unknown", part.place)
            elif sha256(part.key + part.data).hexdigest() != expected:
                self.report.add("part-altered", part.place)
            else:
                fit.add(part.name)
                state = part.data if part.name == "state" else state
        self.disclosed += len(fit)
        self.names |= fit
        self.bundle.clock.enter(outer)
        return fit

    def _committed(self, name: str, kind: str, body: Json, state: bytes) -> Optional[str]:
        if name in PARTS:
            held = body.get("commitments") if kind == "decision.recorded" else None
        elif name == "particulars":
            try:
                held = read_json(state.decode("utf-8")) if state else None
            except ValueError:
                held = None
        else:
            held = body
        found = held.get(name) if isinstance(held, dict) else None
        return found if isinstance(found, str) and HEX32.fullmatch(found) else None


# --- the answer -------------------------------------------------------------------------------------------------------
class Source:
    """The numbers of one source: 8 bytes each, in runs that are merged when they are needed in order."""

    RUN = 1 << 18

    def __init__(self) -> None:
        self.count = 0
        self._runs = [array("q")]

    def add(self, number: int) -> None:
        self.count += 1
        self._runs[-1].append(number)
        if len(self._runs[-1]) >= self.RUN:
            self._runs[-1] = array("q", sorted(self._runs[-1]))
            self._runs.append(array("q"))

    def summary(self, source: str) -> Json:
        """What the manifest says of a source. Of more gaps than a manifest can name it does not list all."""
        missing: List[List[int]] = []
        twice: List[int] = []
        first = one = None
        total = 0
        for other in heapq.merge(*self._runs[:-1], sorted(self._runs[-1])):
            if one is None:
                first = other
            elif other == one:
                if (not twice or twice[-1] != one) and len(twice) <= LIMITS["lines"]:
                    twice.append(one)
            elif other > one + 1:
                total += other - one - 1
                if len(missing) <= LIMITS["lines"]:
                    missing.append([one + 1, other - 1])
            one = other
        return {
            "source": source, "first_seq": first, "last_seq": one, "decisions": self.count,
            "missing": missing, "missing_count": total, "twice": twice,
        }  # fmt: skip


class Answer:
    """The figures of the decisions that the question asks for, counted from the entries."""

    def __init__(self, manifest: Json) -> None:
        self.manifest, self.question = manifest, manifest["question"]
        self.since, self.until = moment(self.question.get("since")), moment(self.question.get("until"))
        self.book = Book()
        self.figures = dict.fromkeys(("decisions", "adverse", "flagged", "failed", "overridden"), 0)
        self.first: Optional[str] = None
        self.last: Optional[str] = None
        # by the names that the manifest has: any other is one contradiction, however many there are
        self.counts = {name: dict.fromkeys(manifest["answer"][name], 0) for name in ("outcomes", "by_model_version")}
        self.others: set[str] = set()
        self.sources = {each["source"]: Source() for each in manifest["sources"] or ()}
        self.parts = {name: {"disclosed": 0, "withheld": 0, "erased": 0} for name in PARTS}
        self.digest = ""  # of the ids of a case's decisions, in order

    def asks_for(self, log: Log, index: int, entry: Json) -> bool:
        """Whether a decision's entry is one that the question asks for."""
        if not log.is_system:
            return False
        kind, at = self.question["kind"], entry["at"]
        if kind == "decision":
            return bool(entry["id"] == self.question["decision"])
        if kind != "range":
            return True
        is_within = (self.since is None or at >= self.since) and (self.until is None or at < self.until)
        return is_within and log.span[0] <= index < log.span[1]

    def count(self, entry: Json, disclosed: set[str]) -> None:
        """Count one of the decisions, of which these parts are disclosed."""
        body, at, figures = entry["body"], entry["at"], self.figures
        figures["decisions"] += 1
        figures["adverse"] += body.get("adverse") is True
        figures["flagged"] += bool(body.get("flags"))
        figures["failed"] += body.get("error_type") is not None
        self.first = at if self.first is None or at < self.first else self.first
        self.last = at if self.last is None or at > self.last else self.last
        for name, key in (("outcomes", body["outcome"]), ("by_model_version", body["model_version"])):
            if key in self.counts[name]:
                self.counts[name][key] += 1
            else:
                self.others.add(name)
        source, number = body.get("source_id"), body.get("source_seq")
        if source is not None and number is not None and self.question["kind"] == "range":
            if source in self.sources:
                self.sources[source].add(number)
            else:
                self.others.add("sources")
        absent = 0
        for bit, name in enumerate(PARTS):
            if name in body["commitments"]:
                if name in disclosed:
                    self.parts[name]["disclosed"] += 1
                else:
                    absent |= 1 << bit
        self.book.add(entry["id"], ENTRY | DECISION | (DISCLOSED if disclosed else 0), absent)

    def settle(self, report: Report) -> None:
        """What is only known once every entry was read: ids that occur twice, what was erased, what was overridden."""
        decisions = sha256()
        for identifier, entries, said, absent in self.book.by_id():
            parts = (identifier[:8], identifier[8:12], identifier[12:16], identifier[16:20], identifier[20:])
            if entries > 1:
                report.add("entry-repeated", "-".join(parts))
            if said & ERASED and said & DISCLOSED:
                report.add("erased-disclosed", "-".join(parts))
            if said & DECISION:
                decisions.update(bytes.fromhex(identifier))
                self.figures["overridden"] += bool(said & OVERRIDDEN)
                for bit, name in enumerate(PARTS):
                    if absent >> bit & 1:
                        self.parts[name]["erased" if said & ERASED else "withheld"] += 1
        self.digest = decisions.hexdigest()

    def compare(self, report: Report, logs: Sequence[Log]) -> None:
        """Compare the manifest's figures with those that were counted."""
        is_range = self.question["kind"] == "range"
        systems = [log for log in logs if log.is_system]
        disclosed = sum(log.disclosed for log in systems)
        entries = sum(log.span[1] - log.span[0] for log in systems)
        withheld = entries - sum(log.disclosed_in_range for log in systems)
        derived: Dict[str, Json] = {
            **self.figures,
            "entries": entries if is_range else disclosed,
            "withheld_entries": withheld if is_range else 0,
            "first_at": self.first,
            "last_at": self.last,
        }
        claimed = self.manifest["answer"]
        for name in sorted(derived):
            said = moment(claimed[name]) if name in ("first_at", "last_at") else claimed[name]
            if said != derived[name]:
                report.add("manifest-differs", "manifest.json", says(f"answer.{name}", claimed[name], derived[name]))
        for name, counts in self.counts.items():
            wrong = sorted(key for key in counts if counts[key] != claimed[name][key] or not counts[key])
            for key in wrong[: LIMITS["listed"]]:
                said = says(f"answer.{name}.{shown(key)}", claimed[name][key], counts[key])
                report.add("manifest-differs", "manifest.json", said)
        for name in sorted(self.others):
            report.add("manifest-differs", "manifest.json", f"{name}: not all that occur are named")
        self._compare_parts(report)
        self._compare_sources(report)
        report.facts["answer"] = {**derived, **self.counts, "parts": self.parts}

    def _compare_parts(self, report: Report) -> None:
        nothing = {"disclosed": 0, "withheld": 0, "erased": 0}
        for name in PARTS:
            claimed = self.manifest["parts"].get(name, nothing)
            for what in ("disclosed", "withheld", "erased"):
                if claimed[what] != self.parts[name][what]:
                    said = says(f"parts.{name}.{what}", claimed[what], self.parts[name][what])
                    report.add("manifest-differs", "manifest.json", said)

    def _compare_sources(self, report: Report) -> None:
        before = ""
        for claimed in self.manifest["sources"] or ():
            source = claimed["source"]
            if source <= before:
                report.add("manifest-differs", "manifest.json", f"sources.{source}: not in order")
            elif not self.sources[source].count:
                report.add("manifest-differs", "manifest.json", f"sources.{source}: it has no decision")
            else:
                derived = self.sources[source].summary(source)
                for name in sorted(derived):
                    if claimed[name] != derived[name]:
                        said = says(f"sources.{source}.{name}", *_brief(claimed[name], derived[name]))
                        report.add("manifest-differs", "manifest.json", said)
            before = source


def _brief(claimed: Json, derived: Json) -> Tuple[Json, Json]:
    """Of two lists, how many they hold, or, of as many, which place differs first."""
    if not isinstance(claimed, list):
        return claimed, derived
    if len(claimed) != len(derived):
        return f"{len(claimed)} of them", f"{len(derived)} of them"
    at = next(number for number, (one, other) in enumerate(zip(claimed, derived)) if one != other)
    return f"another number {at + 1}", "not that"


def _text(value: Json) -> Optional[str]:
    return value if isinstance(value, str) else None


def brief_of(body: Json, *names: str) -> Json:
    """Some members of an entry, without what is longer than any of them can be: entries are kept until the end."""
    found = {name: body[name] for name in names if name in body}
    return {name: value if _weight(value) <= 1000 else "too long" for name, value in found.items()}


def predecessor_of(stated: Json) -> Json:
    """What an entry 0 says of the log before it: of the trees that others hold the first hundred, and how many they are."""
    if not isinstance(stated, dict):
        return "none"
    found = brief_of(stated, "origin", "tree_size", "root_hash", "missing", "tail")
    outside = stated.get("contradicted", [])
    if not isinstance(outside, list) or not all(map(_is_tree, outside)):
        return "none"
    found["contradicted"], found["contradictions"] = outside[:100], len(outside)
    return found


def _is_tree(value: Json) -> bool:
    """Whether it is a size and a root hash."""
    if not isinstance(value, list) or len(value) != 2:
        return False
    return is_count(value[0]) and isinstance(value[1], str) and HEX32.fullmatch(value[1]) is not None


def _is_named_tree(value: Json) -> bool:
    """Whether it is the origin of a log, with a size and a root hash."""
    return isinstance(value, list) and len(value) == 3 and isinstance(value[0], str) and _is_tree(value[1:])


def _weight(value: Json) -> int:
    """About how long a value is: of a text its UTF-16 units, so that a browser counts the same."""
    if isinstance(value, str):
        return len(value) + sum(char > "\uffff" for char in value)
    if isinstance(value, list):
        return 1 + sum(map(_weight, value))
    return 1 + sum(_weight(name) + _weight(each) for name, each in value.items()) if isinstance(value, dict) else 1


# --- reading the entries ----------------------------------------------------------------------------------------------
class Reading:
    """Told of every disclosed entry, in order: keeps what later questions need, and nothing else."""

    def __init__(self, manifest: Json, logs: Sequence[Log], contents: Contents, answer: Answer) -> None:
        self.manifest, self.contents, self.answer = manifest, contents, answer
        self.logs = {log.name: log for log in logs}
        self.by_origin = {log.origin: log for log in logs}
        self.announced: Dict[str, Tuple[int, int, Json]] = {}  # by log: place in the registry logs, and what it says
        self.closed: Dict[str, str] = {}  # by origin: the successor's
        self.records: Dict[Tuple[int, str], Tuple[int, str]] = {}  # by registry log and origin: the largest tree
        self.larger: Dict[str, Tuple[str, int]] = {}  # by origin: when a larger tree than this one was first recorded
        self.besides: List[str] = []  # logs of the AI system that are announced, and are not in the manifest
        self.largest: Dict[str, int] = {}  # by origin: the size of the largest tree that was recorded at all
        self.outside: Dict[str, List[Tuple[int, str]]] = {}  # by origin: trees that others hold and that contradict it
        self.case: Optional[str] = None  # the reference of the case that is asked for
        self.in_cases: Dict[str, Tuple[int, int, str]] = {}  # by reference: decisions, acts, digest of the last one
        self.has_purged = False  # whether an AI system's log says that retention has purged something
        self.asked: Dict[str, Json] = {}  # by id: the entries that the manifest's `asked` names
        self._wanted = {manifest["asked"]["entry"], manifest["asked"]["approval"]} - {None}

    def __call__(self, log: Log, index: int, line: bytes, place: str) -> None:
        parts = self.contents.of(log.number, index)
        try:
            entry = parse_entry(line)
            is_decision = entry["kind"] == "decision.recorded"
            if is_decision:
                check_decision(entry["body"])
        except Malformed as error:
            log.report.add("entry-malformed", place, f"index {grouped(index)}: {error}")
            return
        log.heard(index, entry["at"])
        if log.said["range"] is not None:
            log.saw(index, entry["at"], place)
        if index == 0:
            body = brief_of(entry["body"], "origin", "about", "system", "registry")
            if entry["body"].get("predecessor") is not None:
                body["predecessor"] = predecessor_of(entry["body"]["predecessor"])
            log.opening = {"kind": entry["kind"], "body": body}
        fit = self.contents.open(parts, entry["kind"], entry["body"]) if parts else set()
        if is_decision:
            if entry["body"]["system"] != log.said["system"]:
                log.report.add("entry-misplaced", place, f"index {grouped(index)}")
            if self.answer.asks_for(log, index, entry):
                self.answer.count(entry, fit)
                return
        self.answer.book.add(entry["id"], ENTRY | (DISCLOSED if is_decision and fit else 0))
        keep = self._KEEP.get(entry["kind"])
        if keep is not None:
            keep(self, log, index, entry, place)

    def _about(self, log: Log, index: int, entry: Json, place: str) -> None:
        erased = entry["kind"] == "erasure.performed"
        if erased and ("place" in entry["body"] or not log.is_system):
            return  # of something else than a decision's contents
        about = entry["body"].get("about" if erased else "decision")
        if is_uuid(about):
            self.answer.book.add(about, ERASED if erased else OVERRIDDEN)

    def _purge(self, log: Log, index: int, entry: Json, place: str) -> None:
        self.has_purged = self.has_purged or log.is_system

    def _key(self, log: Log, index: int, entry: Json, place: str) -> None:
        body = entry["body"]
        public, origin = body.get("public_key"), body.get("origin")
        well_formed = isinstance(public, str) and HEX32.fullmatch(public) is not None and origin == log.origin
        if not well_formed or not is_ed25519_key(bytes.fromhex(public)) or len(log.events) >= LIMITS["events"]:
            log.report.add("announcement-invalid", place, f"index {grouped(index)}")
            return
        if not log.is_system:
            log.events.append(
                (index, place, entry["kind"], brief_of(body, "public_key", "key_id", "previous", "signature"))
            )
        by_key = log.retired if entry["kind"] == "key.retired" else log.announced
        by_key.setdefault(bytes.fromhex(public), index)

    def _announcement(self, log: Log, index: int, entry: Json, place: str) -> None:
        body = entry["body"]
        name, system = body.get("log"), body.get("system")
        if log.is_system or not isinstance(name, str):
            return
        if name not in self.logs:
            is_asked = is_uuid(system) and system == self.manifest["question"].get("system")
            if is_asked and len(self.besides) < LIMITS["events"]:
                self.besides.append(shown(body.get("origin")))
            return
        known = self.announced.setdefault(name, (log.number, index, brief_of(body, "system", "origin")))
        if any(_text(known[2].get(each)) != _text(body.get(each)) for each in ("system", "origin")):
            log.report.add("log-unannounced", place, "announced twice, differently")

    def _closure(self, log: Log, index: int, entry: Json, place: str) -> None:
        origin, successor = entry["body"].get("origin"), entry["body"].get("successor")
        if log.is_system or not isinstance(successor, str) or not isinstance(origin, str):
            return
        if origin in self.by_origin and self.closed.setdefault(origin, successor) != successor:
            log.report.add("record-differs", place, f"{origin} was closed twice, differently")

    def _record(self, log: Log, index: int, entry: Json, place: str) -> None:
        body = entry["body"]
        origin, size, root = body.get("origin"), body.get("tree_size"), body.get("root_hash")
        if log.is_system or not isinstance(origin, str) or origin not in self.by_origin:
            return
        if not is_count(size) or not isinstance(root, str) or not HEX32.fullmatch(root):
            log.report.add("entry-malformed", place, f"index {grouped(index)}: no tree")
            return
        about = self.by_origin[origin]
        self.largest[origin] = max(size, self.largest.get(origin, 0))
        if size > about.size:
            self.larger[origin] = min((entry["at"], size), self.larger.get(origin, (entry["at"], size)))
        if size == about.size and root != about.root.hex():
            log.report.add(
                "record-differs", place, says(f"root of {origin} at {grouped(size)}", about.root.hex(), root)
            )
        if size <= about.size and self.records.get((log.number, origin), (-1, ""))[0] < size:
            self.records[log.number, origin] = (size, root)

    def _contradiction(self, log: Log, index: int, entry: Json, place: str) -> None:
        body = entry["body"]
        origin, tree = body.get("origin"), [body.get("tree_size"), body.get("root_hash")]
        if log.is_system or not isinstance(origin, str) or origin not in self.by_origin:
            return
        if not _is_tree(tree):
            log.report.add("entry-malformed", place, f"index {grouped(index)}: no tree")
            return
        trees = self.outside.setdefault(origin, [])
        if len(trees) < LIMITS["events"]:
            trees.append((tree[0], tree[1]))
        else:
            log.report.add("history-elsewhere", place, origin)

    def _in_case(self, log: Log, index: int, entry: Json, place: str) -> None:
        body, kind = entry["body"], entry["kind"]
        reference, count, digest = body.get("case"), body.get("count"), body.get("digest")
        if log.is_system or not isinstance(reference, str) or len(reference) > LIMITS["name"]:
            return
        if kind == "case.opened":
            if body.get("about") == self.manifest["question"].get("case") and self.case is None:
                self.case = reference
            return
        if not is_count(count) or not isinstance(digest, str) or not HEX32.fullmatch(digest):
            log.report.add("entry-malformed", place, f"index {grouped(index)}: no count and digest")
            return
        decisions, acts, _ = self.in_cases.get(reference, (0, 0, ""))
        if reference in self.in_cases or len(self.in_cases) < LIMITS["events"]:
            more = count if kind == "case.attached" else -count
            self.in_cases[reference] = (decisions + more, acts + 1, digest)

    def _asking(self, log: Log, index: int, entry: Json, place: str) -> None:
        if not log.is_system and entry["id"] in self._wanted:
            self.asked[entry["id"]] = {**entry, "place": (log.number, index)}

    _KEEP: ClassVar[Dict[str, Callable[[Reading, Log, int, Json, str], None]]] = {
        "erasure.performed": _about,
        "decision.overridden": _about,
        "retention.purged": _purge,
        "key.announced": _key,
        "key.retired": _key,
        "log.announced": _announcement,
        "log.closed": _closure,
        "checkpoint.recorded": _record,
        "checkpoint.contradicted": _contradiction,
        "case.opened": _in_case,
        "case.attached": _in_case,
        "case.detached": _in_case,
        "export.requested": _asking,
        "export.approved": _asking,
    }


# --- which keys may be trusted ----------------------------------------------------------------------------------------
STATEMENT = "answerable/key-announcement/v1"
LOG_NAME = re.compile(r"([A-Za-z0-9_.:/-]{1,200})/logs/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|registry)")
Place = Tuple[int, int]


class Trust:
    """The keys of the installation: those given from elsewhere, and those to which announcements lead from them.

    One key signs for all logs, under the name of each. `chain` are all keys to which the registry log leads from the first
    that it announces; without a key from elsewhere they are what there is, and they prove nothing of who made the bundle.
    """

    def __init__(self, given: Sequence[bytes]) -> None:
        self.given = set(given)
        self.trusted = set(given)
        self.chain: set[bytes] = set()
        self.retired: Dict[bytes, Place] = {}
        self.places: Dict[bytes, Place] = {}  # where each was announced first

    @property
    def has_key(self) -> bool:
        return bool(self.given)

    @property
    def known(self) -> set[bytes]:
        """Keys whose failing signature refuses a note."""
        return self.trusted | self.chain

    def read(self, registries: Sequence[Log]) -> None:
        """Follow the announcements and retirements in the registry logs, from the first on."""
        for order, log in enumerate(registries):
            for index, place, kind, body in log.events:
                public = bytes.fromhex(body["public_key"])
                if kind == "key.retired":
                    if public in self.known:
                        self.retired.setdefault(public, (order, index))
                elif self._announce(log, public, body):
                    self.places.setdefault(public, (order, index))
                else:
                    log.report.add("announcement-invalid", place, f"index {grouped(index)}")

    def _announce(self, log: Log, public: bytes, body: Json) -> bool:
        """Take a key in. Out: whether it was announced as it must be."""
        if body.get("key_id") != Key(log.origin, ED25519, public).id.hex():
            return False
        if not self.chain:
            # the first of all is announced by nobody: it comes from elsewhere, or proves nothing
            self.chain.add(public)
            if not self.given:
                self.trusted.add(public)
            return True
        if public in self.chain:
            return True
        if public in self.given and body.get("previous") is None:
            return True  # a registry log that succeeds another names the keys in use; whose they are is known
        previous = body.get("previous")
        by = bytes.fromhex(previous) if isinstance(previous, str) and HEX32.fullmatch(previous) else b""
        if by not in self.known or by in self.retired or not self._has_signed(by, log, public, body.get("signature")):
            return False
        if by in self.chain:
            self.chain.add(public)
        if by in self.trusted:
            self.trusted.add(public)
        return True

    @staticmethod
    def _has_signed(by: bytes, log: Log, public: bytes, signature: Json) -> bool:
        if not isinstance(signature, str) or len(signature) > 200 or "=" in signature:
            return False
        try:
            data = decode_base64(signature + "=" * (-len(signature) % 4))
        except Malformed:
            return False
        statement = f"{STATEMENT}\n{Key(log.origin, ED25519, public).vkey}\n"
        return ed25519_verifies(by, statement.encode(), data)

    def counts(self, public: bytes, log: Log, opened: Optional[Place], size: int) -> bool:
        """Whether a key's signature under a tree of `size` entries of a log counts."""
        retired, announced, gone = log.retired.get(public), log.announced.get(public), self.retired.get(public)
        if (retired is not None and size > retired) or (gone is not None and opened is not None and gone < opened):
            return False
        return public in self.given or announced is None or size > announced

    def lacks_newer(self, by: Sequence[bytes], log: Log, size: int) -> bool:
        """Whether a key that was announced in the log, after those that signed a tree of it, should have signed it too.

        From its announcement on a newer key signs beside the older one. So an older one alone, of which it is withheld that
        it was retired, does not do.
        """
        newest = max(self.places.get(public, (-1, 0)) for public in by)
        return any(
            index < size and newest < self.places.get(public, newest) and public not in self.retired
            for public, index in log.announced.items()
        )

    def signers(self, note: Note, log: Log, opened: Optional[Place], size: int, place: str) -> Tuple[str, List[bytes]]:
        """Who of the log's keys has signed a note: a word for it, and the keys. A known key's bad signature is a finding.

        The words: `trusted`, `earlier` (a key of the chain that was not given), `retired`, `unknown`, `invalid`.
        """
        by_id: Dict[bytes, List[bytes]] = {}
        for public in self.known:
            by_id.setdefault(Key(log.origin, ED25519, public).id, []).append(public)
        valid: List[bytes] = []
        for line in note.signatures:
            keys = by_id.get(line.id, []) if line.name == log.origin else []
            found = [each for each in keys if ed25519_verifies(each, note.text.encode(), line.data)]
            if keys and not found:
                log.report.add("signature-invalid", place, f"key {line.id.hex()}")
                return "invalid", []
            valid += found
        counting = [each for each in valid if self.counts(each, log, opened, size)]
        trusted = sorted(set(counting) & self.trusted)
        if trusted:
            return "trusted", trusted
        if counting and self.trusted & self.chain:
            return "earlier", sorted(set(counting))
        return ("retired" if set(valid) & self.trusted else "unknown"), []


# --- one check, from beginning to end ---------------------------------------------------------------------------------
class Options(NamedTuple):
    """What the caller brings from elsewhere."""

    keys: Sequence[Key] = ()
    policy: Optional[Policy] = None
    heads: Sequence[Tuple[str, Checkpoint]] = ()
    certificates: Sequence[Certificate] = ()
    now: int = 0


class Check:
    """What the steps below share. `check_bundle` makes one and takes the steps, in order."""

    def __init__(self, bundle: Bundle, manifest: Json, options: Options) -> None:
        self.bundle, self.report, self.manifest, self.options = bundle, bundle.report, manifest, options
        self.logs = [Log(bundle, said, number) for number, said in enumerate(manifest["logs"])]
        self.systems = [log for log in self.logs if log.is_system]
        self.registries = [log for log in self.logs if not log.is_system]
        self.by_origin = {log.origin: log for log in self.logs}
        self.answer = Answer(manifest)
        self.contents = Contents(bundle, self.logs)
        self.reading = Reading(manifest, self.logs, self.contents, self.answer)
        given = [key.public for key in options.keys if self._is_ours(key)]
        self.trust = Trust(given)
        for log in self.logs if options.policy else ():
            sizes = {head.size for _, head in options.heads if head.origin == log.origin} | {log.said["before"]} - {
                None
            }
            log.behind = dict.fromkeys(sorted(sizes)[: LIMITS["timestamps"]], "")
        self.lost: List[Log] = []  # registry logs of which entries were lost
        self.is_case_proven = False  # that its decisions are the very ones
        self.compared: set[int] = set()  # logs whose heads the caller kept
        self._outside: set[Tuple[str, int, str]] = set()  # trees that others hold, and of which all is said

    def _is_ours(self, key: Key) -> bool:
        found = LOG_NAME.fullmatch(key.name)
        return found is not None and found[1] == self.manifest["origin"]

    def opened(self, log: Log) -> Optional[Place]:
        """The place in the registry logs from which on a log is there: what was retired before never signs it."""
        if not log.is_system:
            return self.registries.index(log), 0
        told = self.reading.announced.get(log.name)
        return (told[0] - len(self.systems), told[1]) if told else None

    # --- the logs -----------------------------------------------------------------------------------------------------
    def read_logs(self) -> None:
        """Tiles and entries of each log; contents beside them."""
        tiles: Dict[str, List[str]] = {log.name: [] for log in self.logs}
        for name in self.bundle.container.sizes:
            found = LOG_FILE.fullmatch(name)
            if found and found[1] in tiles and found[2].startswith("tile/") and is_bundle_name(name):
                tiles[found[1]].append(name)
        for log in self.logs:
            if not log.read_checkpoint():
                continue
            log.check_tiles(tiles.pop(log.name))
            try:
                log.check_range_tiles()
                log.check_entries(self.reading)
            except Damage as damage:
                self.report.add(*damage.finding)
            if log.disclosed != log.said["disclosed"]:
                said = says(f"logs.{log.name}.disclosed", log.said["disclosed"], log.disclosed)
                self.report.add("manifest-differs", "manifest.json", said)
        self.contents.end()

    def check_openings(self) -> None:
        """Entry 0 of each log says that it is this log, and the registry log announces it."""
        registries = {log.origin for log in self.registries}
        for log in self.logs:
            if log.checkpoint is None or (log.size == 0 and log.is_system):
                continue
            body = log.opening["body"] if log.opening else {}
            kind = "log.opened" if log.is_system else "registry.opened"
            if log.opening is None or log.opening["kind"] != kind or body.get("origin") != log.origin:
                self.report.add("log-differs", log.place, "entry 0 is not disclosed, or opens another log")
                continue
            if log.name != "registry" and body.get("about") != log.name:
                self.report.add("log-differs", log.place, "entry 0 is about another log")
            registry = body.get("registry")
            is_registry = registry in registries or (self._lacks_first_registry and isinstance(registry, str))
            if log.is_system and (body.get("system") != log.said["system"] or not is_registry):
                self.report.add("log-differs", log.place, "entry 0 names another AI system or registry log")
            self._check_predecessor(log, body.get("predecessor"))
        for log in self.systems:
            told = self.reading.announced.get(log.name)
            body = told[2] if told else {}
            if told is None and self._lacks_first_registry:
                continue  # it may have been announced in the registry log that is left out
            if body.get("system") != log.said["system"] or body.get("origin") != log.origin:
                self.report.add("log-unannounced", log.place)
        self._check_chains()

    @property
    def _lacks_first_registry(self) -> bool:
        """Whether the bundle, which says that it is not whole, begins with a registry log that succeeded another."""
        return not self.manifest["whole"] and self.registries[0].said["predecessor"] is not None

    def _lacks_log(self, place: str, detail: str) -> None:
        self.report.add("log-missing" if self.manifest["whole"] else "log-left-out", place, detail)

    def _check_chains(self) -> None:
        """One chain of registry logs, from the first; of an AI system no two logs that follow the same one, or none."""
        before: Optional[str] = None
        if self._lacks_first_registry:
            before = self.registries[0].said["predecessor"]
        for log in self.registries:
            if log.said["predecessor"] != before or (before is None) != (log.name == "registry"):
                self.report.add("chain-broken", log.place, says("predecessor", log.said["predecessor"], before))
            before = log.origin
        followed: set[Tuple[Json, Json]] = set()
        for log in self.systems:
            key = (log.said["system"], log.said["predecessor"])
            if key in followed:
                self.report.add("chain-broken", log.place, "two logs of one AI system follow the same one")
            followed.add(key)

    def _check_predecessor(self, log: Log, stated: Json) -> None:
        claimed = log.said["predecessor"]
        if stated is None:
            if claimed is not None:
                self.report.add("chain-broken", log.place, says("predecessor", claimed, None))
            return
        span = stated.get("missing") if isinstance(stated, dict) else None
        fits = isinstance(span, list) and len(span) == 2 and all(is_count(each) for each in span) and span[0] <= span[1]
        fits = fits and stated.get("tail", "unknown") == "unknown"
        if not fits or not is_count(stated.get("tree_size")) or not isinstance(stated.get("root_hash"), str):
            self.report.add("log-differs", log.place, "entry 0 states no predecessor")
            return
        if stated.get("origin") != claimed:
            self.report.add("chain-broken", log.place, says("predecessor", claimed, stated.get("origin")))
            return
        before = self.by_origin.get(claimed)
        if before is None:
            if not log.is_system or (log.said["range"] is not None and log.span[0] == 0):
                self._lacks_log(log.place, shown(claimed))
            return
        self._check_succession(log, before, stated)

    def _check_succession(self, log: Log, before: Log, stated: Json) -> None:
        if before.number >= log.number or before.said["system"] != log.said["system"]:
            self.report.add("chain-broken", log.place, "its predecessor is another AI system's, or comes after it")
        size, root = stated["tree_size"], stated["root_hash"]
        if before.size > size or (before.size == size and before.root.hex() != root):
            self.report.add("record-differs", log.place, says(f"tree of {before.origin}", size, before.size))
        recorded = self.reading.largest.get(before.origin, 0)
        if recorded > size:
            self.report.add("record-differs", log.place, says(f"tree of {before.origin}", size, recorded))
        first, end = stated["missing"]
        # where nothing is missing, the log before this one goes as far as it was signed
        first = first if first < end else max(size, end)
        is_within = log.said["range"] is not None and before.span[1] == before.size and log.span[0] == 0
        for held, hashed in stated["contradicted"]:
            tree = (held, hashed)
            is_tail = before.size < tree[0] <= size and (not is_within or tree == (size, root))
            self._check_outside(log.place, before, tree, is_tail=is_tail)
        if len(stated["contradicted"]) < stated["contradictions"]:
            more = stated["contradictions"] - len(stated["contradicted"])
            self.report.add("history-elsewhere", log.place, f"{before.origin}: {grouped(more)} more")
        if not log.is_system and ("tail" in stated or first < end or before.size < first):
            self.lost.append(before)
        if is_within and "tail" in stated:
            said = f"{before.origin}: from {grouped(before.size)} on, nobody knows how many"
            self.report.add("entries-lost", log.place, said)
        elif is_within and (first < end or before.size < first):
            # from where this bundle ends to where the successor begins
            lost = f"{before.origin}: {grouped(min(first, before.size))} to {grouped(max(end, first) - 1)}"
            self.report.add("entries-lost", log.place, lost)

    def _check_outside(self, place: str, log: Log, tree: Tuple[int, str], *, is_tail: bool = False) -> None:
        """A tree of a log that somebody outside holds is its beginning; said once. `is_tail`: of what is said to be lost."""
        size, root = tree
        if (log.origin, size, root) in self._outside:
            return
        self._outside.add((log.origin, size, root))
        found = None if is_tail else log.root_at(size)
        if found is not None and found.hex() != root:
            said = says(f"root of {log.origin} at {grouped(size)}", found.hex(), root)
            self.report.add("history-forked", place, said)
        elif found is None and not is_tail:
            self.report.add("history-elsewhere", place, f"{log.origin} at {grouped(size)}: root {root}")

    def check_question(self) -> None:
        """The logs and the ranges are those of the question."""
        question = self.manifest["question"]
        if question["kind"] == "decision" and self.manifest["whole"] and not self.answer.figures["decisions"]:
            self.report.add("whole-claimed", "manifest.json", "the decision is not there")
        if question["kind"] == "case":
            self._check_case()
        if question["kind"] != "range":
            return
        if not self.systems:
            self._lacks_log("manifest.json", "no log of the AI system")
        for number, log in enumerate(self.systems):
            if log.said["system"] != question["system"]:
                self.report.add("log-differs", log.place, says("system", question["system"], log.said["system"]))
            if number and log.said["predecessor"] != self.systems[number - 1].origin:
                self.report.add(
                    "chain-broken",
                    log.place,
                    says("predecessor", log.said["predecessor"], self.systems[number - 1].origin),
                )
            successor = self.reading.closed.get(log.origin)
            if successor is not None and successor in self.by_origin:
                after = self.by_origin[successor]
                if not after.is_system or after.said["predecessor"] != log.origin:
                    self.report.add("chain-broken", log.place, f"it was succeeded by {shown(successor)}")
            elif successor is not None and log.span[1] == log.size:
                self._lacks_log(log.place, f"it was succeeded by {shown(successor)}")
            if log.checkpoint is not None:
                self._check_range(log)
        for origin in self.reading.besides:
            self._lacks_log("manifest.json", f"{origin} is announced as a log of the AI system")

    def _check_case(self) -> None:
        """The decisions are as many as were put into the case; where that was one act, the very ones."""
        case, called = self.reading.case, self.manifest["called"]
        if case is not None and called is not None and case != called:
            self.report.add("manifest-differs", "manifest.json", says("called", called, case))
        if not self.manifest["whole"]:
            return
        if case is None:
            self.report.add("whole-claimed", "manifest.json", "that the case was opened is not disclosed")
            return
        decisions, acts, digest = self.reading.in_cases.get(case, (0, 0, ""))
        found = self.answer.figures["decisions"]
        if decisions != found:
            self.report.add("whole-claimed", "manifest.json", says("decisions of the case", found, decisions))
        elif acts == 1 and digest != self.answer.digest:
            self.report.add("whole-claimed", "manifest.json", "other decisions than those of the case")
        self.is_case_proven = acts <= 1

    def _check_range(self, log: Log) -> None:
        since, until = self.answer.since, self.answer.until
        (first, end), times, place = log.span, log.times, log.place
        if first and since is None:
            self.report.add("range-wrong", place, says("first", first, 0))
        elif first and since is not None:
            if first - 1 not in times:
                self.report.add("fence-missing", place, f"index {grouped(first - 1)}")
            elif times[first - 1] >= since:
                self.report.add("range-wrong", place, f"index {grouped(first - 1)} was received since {since}")
        if since is not None and first in times and times[first] < since:
            self.report.add("range-wrong", place, f"index {grouped(first)} was received before {since}")
        if end < log.size and until is None:
            self.report.add("range-wrong", place, says("end", end, log.size))
        elif end < log.size and until is not None:
            if end not in times:
                self.report.add("fence-missing", place, f"index {grouped(end)}")
            elif times[end] < until:
                self.report.add("range-wrong", place, f"index {grouped(end)} was received before {until}")
        self._check_end(log)
        if until is not None and end and times.get(end - 1, "") >= until:
            self.report.add("range-wrong", place, f"index {grouped(end - 1)} was received since {until}")

    def _check_end(self, log: Log) -> None:
        """A range that ends with its tree: no larger one was recorded before what was asked for was over."""
        at, size = self.reading.larger.get(log.origin, ("", 0))
        over = self.answer.until or moment(self.manifest["asked"]["at"])
        if not at or over is None or log.span[1] < log.size or not self.manifest["whole"]:
            return
        if any(each.said["predecessor"] == log.origin for each in self.systems):
            return  # what its successor states of it says more
        if microseconds(at) + CLOCK_BACK <= microseconds(over):
            self.report.add("range-wrong", log.place, f"a tree of {grouped(size)} entries was recorded at {at}")

    def _has_fences(self) -> bool:
        """Whether an entry beside a range shows where it begins or ends."""
        begins = self.answer.since is not None and any(log.span[0] for log in self.systems)
        ends = self.answer.until is not None and any(log.span[1] < log.size for log in self.systems)
        return begins or ends

    def check_asked(self) -> None:
        """Who asked, when and for what is what the registry log holds."""
        asked, place = self.manifest["asked"], "manifest.json"
        self._check_made_at()
        self._check_asking("asked", asked["entry"], "export.requested", asked["by"])
        entry = self.reading.asked.get(asked["entry"])
        parts: List[str] = []
        if entry is not None:
            if moment(asked["at"]) != entry["at"]:
                self.report.add("asked-differs", place, says("at", asked["at"], entry["at"]))
            parts = self._check_wish("", entry["body"])
            for name in sorted(self.contents.names - set(parts)):
                self.report.add("asked-differs", place, f"{name} was not asked for, and is disclosed")
            if self.manifest["question"]["kind"] == "range":
                self._check_as_asked(entry)
        if asked["approval"] is None:
            if self.contents.disclosed:
                self.report.add("asked-differs", place, "contents are disclosed, and nobody approved it")
            return
        self._check_asking("approval", asked["approval"], "export.approved", asked["approved_by"])
        approval = self.reading.asked.get(asked["approval"])
        if asked["approved_by"] == asked["by"]:
            self.report.add("asked-differs", place, "approval: by whoever asked")
        if approval is not None and entry is not None:
            if self._check_wish("approval: ", approval["body"]) != parts:
                self.report.add("asked-differs", place, "approval: of other contents")
            if approval["place"] < entry["place"]:
                self.report.add("asked-differs", place, "approval: from before it was asked for")

    def _check_as_asked(self, entry: Json) -> None:
        """Each log that the AI system had when it was asked for is there, and no smaller where its range ends with it."""
        place, trees = "manifest.json", entry["body"].get("logs")
        if self.answer.until is not None and self.answer.until > entry["at"]:
            self.report.add("range-wrong", place, "it ends after it was asked for")
        if not isinstance(trees, list) or not all(map(_is_named_tree, trees)):
            self.report.add("asked-differs", place, "no list of the AI system's logs was sealed")
            return
        for origin, size, root in trees:
            log = self.by_origin.get(origin)
            if log is None or not log.is_system:
                self._lacks_log(place, f"{shown(origin)} was there when it was asked for")
            elif log.checkpoint is not None and size > log.size:
                if log.span[1] == log.size and self.manifest["whole"]:
                    self.report.add("range-wrong", log.place, says("tree when it was asked for", size, log.size))
            elif log.checkpoint is not None:
                found = log.root_at(size)
                if found is None:
                    self.report.add("record-not-comparable", log.place, f"{origin} at {grouped(size)}")
                elif found.hex() != root:
                    said = says(f"root of {origin} at {grouped(size)}", found.hex(), root)
                    self.report.add("record-differs", log.place, said)

    def _check_made_at(self) -> None:
        """It was made after it was asked for and approved, and after what it holds was received; clocks may differ a little."""
        asked, made = self.manifest["asked"], moment(self.manifest["made_at"])
        found = [self.reading.asked.get(asked[name] or "") for name in ("entry", "approval")]
        # a clock that was set back, which is told, says nothing of when it was made
        last = "" if self.report.counts.get("clock-back") else self.answer.last or ""
        times = [entry["at"] for entry in found if entry is not None] + [last]
        if made is not None and max(times) and microseconds(max(times)) - microseconds(made) > CLOCK_BACK:
            self.report.add("manifest-differs", "manifest.json", says("made_at", self.manifest["made_at"], max(times)))

    def _check_wish(self, name: str, body: Json) -> List[str]:
        """What was asked for, or approved, is the manifest's question as a bundle. Out: the contents that it names."""
        place, question = "manifest.json", self.manifest["question"]
        said, parts = body.get("question"), body.get("parts")
        if not isinstance(said, dict):
            self.report.add("asked-differs", place, f"{name}no question was sealed")
        for each in sorted(question) if isinstance(said, dict) else ():
            if not _same(said.get(each), question[each]):
                self.report.add("asked-differs", place, name + says(f"question.{each}", question[each], said.get(each)))
        if body.get("form") != "bundle":
            self.report.add("asked-differs", place, name + says("form", "bundle", body.get("form")))
        if not isinstance(parts, list) or not all(isinstance(each, str) for each in parts):
            self.report.add("asked-differs", place, f"{name}no list of contents was sealed")
            return []
        return parts

    def _check_asking(self, name: str, identifier: str, kind: str, person: str) -> None:
        entry = self.reading.asked.get(identifier)
        if entry is None or entry["kind"] != kind:
            self.report.add("asked-differs", "manifest.json", f"{name}: no such entry is disclosed")
        elif entry["actor"].get("type") != "person" or entry["actor"].get("id") != person:
            self.report.add("asked-differs", "manifest.json", f"{name}: by somebody else")
        elif entry["body"].get("about") != self.manifest["id"]:
            self.report.add("asked-differs", "manifest.json", f"{name}: of another export")

    def check_whole(self) -> None:
        """What is left out is said, and makes the bundle incomplete."""
        withheld = sum(log.span[1] - log.span[0] - log.disclosed_in_range for log in self.systems)
        if withheld:
            self.report.add("entries-withheld", "manifest.json", grouped(withheld))
            if self.manifest["whole"]:
                self.report.add("whole-claimed", "manifest.json", f"withheld entries: {grouped(withheld)}")
        if not self.manifest["whole"]:
            self.report.add("not-whole", "manifest.json", shown("; ".join(self.manifest["left_out"][:5]), 500))

    # --- who signed ---------------------------------------------------------------------------------------------------
    def check_signatures(self) -> None:
        """Every checkpoint, and the manifest, is signed by a key of the installation."""
        if self.options.keys and not self.trust.has_key:
            names = ", ".join(sorted({shown(key.name) for key in self.options.keys})[:3])
            self.report.add("origin-foreign", "manifest.json", says("origin", self.manifest["origin"], names))
        elif not self.trust.has_key:
            self.report.add("no-key", "manifest.json")
        self.trust.read(self.registries)
        words = {"retired": "signature-retired", "unknown": "signature-untrusted", "earlier": "key-not-given"}
        # the newest registry log first: that an earlier key is the installation's, it alone can say
        newest: List[bytes] = []
        for log in reversed(self.logs):
            if log.checkpoint is None:
                continue
            place = f"{log.place}/checkpoint"
            log.signed, keys = self.trust.signers(log.checkpoint.note, log, self.opened(log), log.size, place)
            if log.signed == "earlier" and self.registries[-1].signed != "trusted":
                log.signed = "unknown"
            if log.signed in words:
                self.report.add(words[log.signed], place)
            elif log.signed == "trusted" and self.trust.lacks_newer(keys, log, log.size):
                self.report.add("signature-lacking", place)
            if log is self.registries[-1]:
                newest = keys
        self._check_manifest_note()
        self.report.facts["keys"] = [
            {
                "vkey": Key(self.registries[-1].origin, ED25519, public).vkey,
                "fingerprint": fingerprint(public),
                "given": public in self.trust.given,
            }
            for public in newest
        ]

    def _check_manifest_note(self) -> None:
        log, place = self.registries[-1], "manifest.note"
        if not self.bundle.has(place):
            return
        try:
            note = parse_note(self.bundle.read(place))
        except Malformed as error:
            self.report.add("manifest-note-malformed", place, str(error))
            return
        digest = self.bundle.digests["manifest.json"]
        if note.text != f"answerable/evidence-bundle/v1\n{self.manifest['id']}\n{digest}\n":
            self.report.add("manifest-note-differs", place)
        signed, _ = self.trust.signers(note, log, self.opened(log), log.size, place)
        if signed == "earlier" and log.signed == "trusted":
            self.report.add("key-not-given", place)
        elif signed not in ("trusted", "invalid"):
            self.report.add("manifest-unsigned", place)

    # --- what others have seen ----------------------------------------------------------------------------------------
    def check_before(self) -> None:
        """The earlier checkpoints in the bundle are of the beginning of their logs."""
        for log in self.logs:
            place = f"{log.place}/checkpoint.before"
            if log.said["before"] is None or log.checkpoint is None or not self.bundle.has(place):
                continue
            try:
                found = parse_checkpoint(self.bundle.read(place))
            except Malformed as error:
                self.report.add("before-differs", place, str(error))
                continue
            if found.origin != log.origin or found.size != log.said["before"]:
                self.report.add("before-differs", place, says("tree_size", log.said["before"], found.size))
                continue
            root = log.root_at(found.size)
            if root != found.root:
                self.report.add("tile-missing" if root is None else "before-differs", place)
                continue
            self._check_seen(log, found, place)
            word, _ = self.trust.signers(found.note, log, self.opened(log), found.size, place)
            if word != "trusted":
                self.report.add("before-unsigned", place)
            else:
                self.report.proven.append(("p_before", {"log": log.title, "size": found.size}))

    def check_heads(self) -> None:
        """The heads that the caller kept are of the beginning of their logs."""
        for path, head in self.options.heads:
            log, place = self.by_origin.get(head.origin), f"--head {shown(path)}"
            if log is None:
                self.report.add("head-elsewhere", place, shown(head.origin))
                continue
            if log.checkpoint is None:
                continue  # that it lacks one is said
            root = log.root_at(head.size)
            if root is None:
                why = "it is of a larger tree" if head.size > log.size else "the tiles do not suffice"
                self.report.add("head-not-comparable", place, why)
            elif root != head.root:
                self.report.add("head-forked", place, f"{log.origin} at {grouped(head.size)}")
            else:
                self.compared.add(log.number)
                self._check_seen(log, head, place)
                self.report.proven.append(("p_head", {"log": log.title, "size": head.size}))

    def _check_seen(self, log: Log, seen: Checkpoint, place: str) -> None:
        """What stands behind an earlier tree was not received long before a witness of the policy saw that tree."""
        for line in seen.note.signatures if self.options.policy else ():
            for key in self.options.policy.witnesses.values() if self.options.policy else ():
                is_key = (line.name, line.id, key.type) == (key.name, key.id, COSIGNATURE)
                if is_key and cosigned_at(line) <= self.options.now + CLOCK_SLACK and signs(key, seen.note, line):
                    self._is_contradicted(log, cosigned_at(line) * 1_000_000, seen.size, f"{place}: {shown(key.name)}")

    def _is_contradicted(self, log: Log, at: int, size: int, place: str) -> bool:
        """Whether receipt times in the log contradict that somebody saw its tree at these microseconds; it is noted."""
        received = log.contradicts(at, size)
        if received:
            self.report.add("clock-contradicted", place, f"{in_words(at // 1_000_000)}, and {received}")
        return bool(received)

    def check_witnesses(self) -> bool:
        """The policy's quorum has cosigned each log, or a registry log that recorded it. Out: whether it has."""
        policy = self.options.policy
        if policy is None:
            return False
        met = {}
        for log in self.logs:
            if log.checkpoint is not None:
                met[log.name] = policy.is_met_by(self._cosigners(log, log.checkpoint, policy))
        seen = {log.number for log in self.registries if met.get(log.name)}
        for log in self.logs:
            if (
                log.checkpoint is not None
                and not met[log.name]
                and not (log.is_system and self._is_recorded(log, seen))
            ):
                self.report.add("quorum-not-met", f"{log.place}/checkpoint")
        return policy.quorum != "none" and not self.report.counts.get("quorum-not-met")

    def _cosigners(self, log: Log, checkpoint: Checkpoint, policy: Policy) -> List[str]:
        names, place = [], f"{log.place}/checkpoint"
        for line in checkpoint.note.signatures:
            for name, key in policy.witnesses.items():
                if (line.name, line.id) != (key.name, key.id) or key.type != COSIGNATURE:
                    continue
                at = cosigned_at(line)
                if not signs(key, checkpoint.note, line):
                    self.report.add("cosignature-invalid", place, shown(key.name))
                elif key.public in self.trust.known or at == 0 or at > self.options.now + CLOCK_SLACK:
                    self.report.add("cosignature-ignored", place, shown(key.name))
                elif not self._is_contradicted(log, at * 1_000_000, log.size, f"{place}: {shown(key.name)}"):
                    names.append(name)
                    facts = {"log": log.title, "witness": key.name, "at": in_words(at)}
                    self.report.proven.append(("p_witness", facts))
        return names

    def _is_recorded(self, log: Log, registries: set[int]) -> bool:
        """Whether a registry log that was cosigned has recorded a tree of this log that holds all that is proven here."""
        for number in registries:
            size, root = self.reading.records.get((number, log.origin), (-1, ""))
            if size >= max(log.needed, log.span[1]):
                found = log.root_at(size)
                if found is not None and found.hex() == root:
                    return True
        return False

    def check_records(self) -> None:
        """What the registry logs recorded of a log is its beginning, and so is what others hold of it."""
        for origin, trees in sorted(self.reading.outside.items()):
            for tree in trees:
                self._check_outside(self.by_origin[origin].place, self.by_origin[origin], tree)
        newest: Dict[str, int] = {}
        for (_, origin), (size, _) in self.reading.records.items():
            newest[origin] = max(size, newest.get(origin, 0))
        for (_, origin), (size, root) in sorted(self.reading.records.items()):
            log = self.by_origin[origin]
            found = log.root_at(size)
            if found is None and size == newest[origin]:
                self.report.add("record-not-comparable", log.place, f"{origin} at {grouped(size)}")
            elif found is not None and found.hex() != root and size != log.size:
                said = says(f"root of {origin} at {grouped(size)}", found.hex(), root)
                self.report.add("record-differs", log.place, said)
            elif found is not None and found.hex() == root:
                self.report.proven.append(("p_record", {"log": log.title, "size": size}))

    def check_timestamps(self) -> set[int]:
        """Each time-stamp is one of its checkpoint. Out: the logs with one by an authority that the caller knows."""
        stamped: set[int] = set()
        for log in self.logs:
            for number in range(log.said["timestamps"]):
                place = f"{log.place}/timestamps/{number:06d}.tsr"
                if log.checkpoint is None or not self.bundle.has(place):
                    continue
                try:
                    stamp = check_timestamp(self.bundle.read(place), log.checkpoint.note.text.encode())
                    known = is_by_authority(stamp, self.options.certificates)
                except Unsupported as error:
                    self.report.add("timestamp-unsupported", place, str(error))
                    continue
                except Malformed as error:
                    self.report.add("timestamp-invalid", place, str(error))
                    continue
                if self._is_contradicted(log, microseconds(stamp.at), log.size, place):
                    continue
                facts = {"log": log.title, "at": stamp.at, "fingerprint": fingerprint(stamp.signer.whole)}
                if known:
                    stamped.add(log.number)
                    self.report.proven.append(("p_time", {**facts, "authority": facts["fingerprint"]}))
                else:
                    self.report.add("timestamp-unknown", place)
                    self.report.not_proven.append(("n_tsa", facts))
        if self.options.certificates and not stamped:
            self.report.add("timestamp-unproven", "")
        return stamped

    # --- what is said -------------------------------------------------------------------------------------------------
    def conclude(self, seen: bool, stamped: set[int]) -> None:
        """Say what is proven and what is not. Of a bundle that contradicts itself nothing is."""
        report, answer = self.report, self.answer
        report.facts.update(bundle=self._bundle_facts(), logs=[self._log_facts(log) for log in self.logs])
        if report.count(TAMPERING):
            report.proven, report.not_proven = [], []
            return
        anchors, report.proven = report.proven, []
        is_range = answer.question["kind"] == "range"
        for log in self.logs:
            word = "p_signed" if self.trust.has_key and log.signed == "trusted" else "p_consistent"
            self._say(word, log=log.title, tree_size=log.size)
            if log.said["range"] is not None and log.span[0] == log.span[1]:
                self._say("p_range_none", log=log.title)
            elif log.said["range"] is not None:
                self._say("p_range", log=log.title, first=log.span[0], last=log.span[1] - 1)
            if log.disclosed:
                self._say("p_disclosed", log=log.title, count=log.disclosed)
        facts = {"p_times": is_range and self._has_fences(), "p_system": is_range, "p_case": self.is_case_proven}
        for name in [name for name, holds in facts.items() if holds] + ["p_answer"]:
            self._say(name)
        if is_range:
            sources = self.manifest["sources"]
            self._say("p_sources", missing=sum(each["missing_count"] for each in sources))
        if self.contents.disclosed:
            self._say("p_parts", count=self.contents.disclosed)
        erased = sum(each["erased"] for each in answer.parts.values())
        if erased:
            self._say("p_erased", count=erased)
        self._say("p_asked")
        if self.trust.has_key:
            self._say("p_manifest")
        report.proven += anchors
        if seen:
            self._say("p_quorum")
        self._say_not(is_range, seen, stamped)

    def _say_not(self, is_range: bool, seen: bool, stamped: set[int]) -> None:
        names = [] if self.trust.has_key else ["n_keys"]
        names += ["n_true", "n_sent", "n_time", *(["n_beside"] if is_range and self._has_fences() else [])]
        names += ["n_later" if is_range else "n_rest"]
        asks_for = self.manifest["question"]["kind"]
        names += ["n_case"] if asks_for == "case" and not self.is_case_proven else []
        names += ["n_subject"] if asks_for == "subject" else []
        names += [] if seen or stamped else ["n_unseen"]
        names += [] if self.options.heads else ["n_heads"]
        names += ["n_revoked"] if stamped else []
        withheld = sum(each["withheld"] for each in self.answer.parts.values())
        said: List[Tuple[str, Dict[str, Json]]] = [(name, {}) for name in [*names, "n_verifier"]]
        for log in self.logs if stamped and not seen else ():
            if log.number not in stamped and not (log.is_system and self._is_recorded(log, stamped)):
                said.append(("n_unstamped", {"log": log.title}))
        for log in self.logs if self.options.heads else ():
            if log.number not in self.compared:
                said.append(("n_head", {"log": log.title}))
        followed = {log.said["predecessor"] for log in self.systems}
        for log in self.systems if is_range else ():
            if log.span[1] == log.size and log.origin not in followed:
                said.append(("n_tail", {"log": log.title}))
        said += [("n_registry", {"log": log.title}) for log in self.lost]
        if withheld or self.report.counts.get("entries-withheld"):
            said.append(("n_purged" if withheld and self.reading.has_purged else "n_withheld", {"count": withheld}))
        self.report.not_proven = said + self.report.not_proven

    def _say(self, name: str, **facts: Json) -> None:
        self.report.proven.append((name, facts))

    def _bundle_facts(self) -> Json:
        names = ("id", "origin", "called", "made_at", "software", "asked", "question", "whole", "left_out")
        return {name: self.manifest[name] for name in names}

    def _log_facts(self, log: Log) -> Json:
        return {
            "origin": log.origin,
            "kind": log.said["kind"],
            "tree_size": log.size,
            "root_hash": log.root.hex(),
            "range": log.said["range"],
            "disclosed": log.disclosed,
            "signed": log.signed or "unknown",
            "vkeys": [Key(log.origin, ED25519, public).vkey for public in sorted(self.trust.trusted)],
        }


def _same(one: Json, other: Json) -> bool:
    """Equal, or the same time."""
    return bool(one == other) or (moment(one) is not None and moment(one) == moment(other))


def check_bundle(container: Container, options: Options, progress: Callable[[int], None] = lambda _: None) -> Report:
    """Check a bundle. Out: the report; its `exit_code` is the verdict. Errors: OSError where the disk fails."""
    report = Report()
    Work.left = LIMITS["work"]
    try:
        bundle = Bundle(container, report, progress)
        report.facts["seconds"] = bundle.clock.seconds
        if not bundle.has("manifest.json"):
            raise Damage("file-missing", "manifest.json")
        manifest = parse_manifest(bundle.read("manifest.json"))
        check_files(bundle, manifest)
        check = Check(bundle, manifest, options)
        check.read_logs()
        check.answer.settle(report)
        check.answer.compare(report, check.logs)
        check.check_openings()
        check.check_question()
        check.check_asked()
        check.check_whole()
        check.check_signatures()
        check.check_before()
        check.check_heads()
        check.check_records()
        seen = check.check_witnesses()
        stamped = check.check_timestamps()
        check_pages(bundle, manifest)
        check.conclude(seen, stamped)
        bundle.clock.enter("rest")
    except Damage as damage:
        report.add(*damage.finding)
        report.proven, report.not_proven = [], []
    finally:
        Work.left = float("inf")
    return report


def check_pages(bundle: Bundle, manifest: Json) -> None:
    """The first page is the one that follows from the manifest; the rest is what is listed."""
    for name in sorted(set(FIXED_FILES) - {"manifest.json", "manifest.note", "SHA256SUMS"}):
        if not bundle.has(name):
            continue
        data = bundle.read(name)
        if name == "README.html" and data != render_first_page(manifest).encode():
            bundle.report.add("first-page-differs", name)
    if bundle.has("manifest.note") and bundle.has("SHA256SUMS"):
        check_sums(bundle)


# --- what is printed --------------------------------------------------------------------------------------------------
def compose(report: Report) -> List[Tuple[str, List[str]]]:
    """The report in words: headings, each with its lines. The browser's page shows the same."""
    sections = []
    bundle, answer = report.facts.get("bundle"), report.facts.get("answer")
    if bundle is not None:
        sections.append((WORDS["head_question"], _asked_lines(bundle)))
    tampered = report.count(TAMPERING) > 0
    if answer is not None and bundle is not None and not tampered:
        lines = [fill(WORDS["figures"], answer)]
        lines += [fill(WORDS["figures_more"], answer)]
        lines += [f"{shown(name)}: {grouped(count)}" for name, count in sorted(answer["outcomes"].items())[:20]]
        sections.append((WORDS["head_answer"], lines))
    # an announced key, to which one that was given leads, is as good as that one
    named = report.facts.get("keys", ()) if report.counts.get("no-key") else ()
    fits = "head_fits" if report.counts.get("no-key") else "head_proven"
    for heading, said in ((fits, report.proven), ("head_not_proven", report.not_proven)):
        if said:
            sections.append((WORDS[heading], [fill(WORDS[name], facts) for name, facts in said]))
    levels = ((NOTE_LEVEL, "head_notes"), (INCOMPLETE_LEVEL, "head_open"), (TAMPERING, "head_findings"))
    for level, heading in levels:
        lines = _finding_lines(report, level)
        if lines and (level == TAMPERING or not tampered):
            sections.append((WORDS[heading], lines))
    if named:
        sections.append((WORDS["head_keys"], [f"{key['fingerprint']}  ({key['vkey']})" for key in named]))
    return sections


def _asked_lines(bundle: Json) -> List[str]:
    software = f"Answerable {bundle['software']['version']}"
    lines = [
        question_in_words(bundle["question"]),
        *([] if bundle["called"] is None else [called_in_words(bundle)]),
        fill(WORDS["title"], bundle),
        fill(WORDS["made"], {"made_at": bundle["made_at"], "software": software})
        + " "
        + fill(WORDS["asked_by"], bundle["asked"]),
    ]
    if bundle["asked"]["approval"] is not None:
        lines.append(fill(WORDS["approved_by"], bundle["asked"]))
    return lines


def _finding_lines(report: Report, level: str) -> List[str]:
    lines = []
    for code in FINDINGS:
        if FINDINGS[code][0] != level or code not in report.counts:
            continue
        lines.append(f"{FINDINGS[code][1]} [{code}]")
        listed = [each for each in report.findings if each.code == code]
        lines += [
            "  " + ": ".join(filter(None, (each.place, each.detail))) for each in listed if each.place or each.detail
        ]
        if report.counts[code] > len(listed):
            lines.append("  " + fill(WORDS["and_more"], {"count": report.counts[code] - len(listed)}))
    return lines


def verdict_line(report: Report) -> str:
    """The last line."""
    name = VERDICTS[report.exit_code]
    return fill(WORDS[f"verdict_{name}"], {"count": report.count(TAMPERING)})


def as_json(report: Report) -> Json:
    """The report for programs: docs/verifying-a-bundle.md describes it. Members are only ever added."""
    return {
        "format": REPORT_FORMAT,
        "verdict": VERDICTS[report.exit_code],
        "exit_code": report.exit_code,
        "error": None,
        "bundle": report.facts.get("bundle"),
        "answer": report.facts.get("answer"),
        "keys": report.facts.get("keys", []),
        "logs": report.facts.get("logs", []),
        "counts": report.counts,
        "findings": [
            {"code": each.code, "level": each.level, "place": each.place, "detail": each.detail, "text": FINDINGS[each.code][1]}
            for each in report.findings
        ],
        "proven": [{"code": name, "text": fill(WORDS[name], facts)} for name, facts in report.proven],
        "not_proven": [{"code": name, "text": fill(WORDS[name], facts)} for name, facts in report.not_proven],
    }  # fmt: skip


# --- the command ------------------------------------------------------------------------------------------------------
class Progress:
    """How much of the bundle was read, on a terminal."""

    def __init__(self, total: int, *, is_wanted: bool) -> None:
        self._total, self._read, self._said = max(total, 1), 0, -1
        self._is_wanted = is_wanted and sys.stderr.isatty()

    def __call__(self, count: int) -> None:
        self._read += count
        percent = min(99, 100 * self._read // self._total)
        if self._is_wanted and percent != self._said:
            self._said = percent
            sys.stderr.write(f"\rChecking: {percent} % ")
            sys.stderr.flush()

    def end(self) -> None:
        if self._is_wanted and self._said >= 0:
            sys.stderr.write("\r" + " " * 20 + "\r")
            sys.stderr.flush()


def read_given(path: str, most: int = 1 << 20) -> bytes:
    """A file that the caller names. Errors: UsageError."""
    try:
        with open(path, "rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise UsageError(f"{shown(path)} cannot be read: {shown(error.strerror)}.") from None
    if len(data) > most:
        raise UsageError(f"{shown(path)} is too large.")
    return data


def given_options(arguments: argparse.Namespace) -> Options:
    """What the caller brings from elsewhere. Errors: UsageError."""
    keys = [_given_key(text) for text in arguments.vkey]
    policy, heads, certificates = None, [], []
    if arguments.policy:
        try:
            policy = parse_policy(read_given(arguments.policy))
        except Malformed as error:
            raise UsageError(f"--policy: {shown(str(error))}.") from None
        keys += policy.logs
    witnesses = {key.public for key in policy.witnesses.values()} if policy else set()
    if witnesses & {key.public for key in keys}:
        raise UsageError("--policy: a witness has the key of a log.")
    for path in arguments.head:
        try:
            heads.append((path, parse_checkpoint(read_given(path, LIMITS["note"]))))
        except Malformed as error:
            raise UsageError(f"--head {shown(path)}: {error}.") from None
    for path in arguments.tsa:
        try:
            certificates += parse_pem(read_given(path).decode("latin-1"))
        except Malformed as error:
            raise UsageError(f"--tsa {shown(path)}: {error}.") from None
    return Options(keys, policy, heads, certificates, int(time.time()))


def _given_key(text: str) -> Key:
    try:
        key = parse_vkey(text.strip())
    except Malformed as error:
        raise UsageError(f"--vkey: {error}.") from None
    if key.type != ED25519:
        raise UsageError("--vkey: this is the key of a witness, not of a log.")
    return key


def save_heads(check: Report, container: Container, folder: str) -> List[str]:
    """Keep the checkpoints of a bundle that does not contradict itself, for --head the next time. Nothing is replaced."""
    lines = []
    os.makedirs(folder, exist_ok=True)
    for log in check.facts["logs"]:
        if log["signed"] != "trusted":
            continue
        path = os.path.join(folder, f"{re.sub('[^A-Za-z0-9.-]', '_', log['origin'])}-{log['tree_size']}.checkpoint")
        data = b"".join(container.chunks(f"logs/{log['origin'].rpartition('/')[2]}/checkpoint"))
        try:
            with open(path, "xb") as file:
                file.write(data)
            lines.append(f"Kept {shown(path)}.")
        except FileExistsError:
            lines.append(f"{shown(path)} is there already.")
    return lines


def verify_bundle(arguments: argparse.Namespace) -> int:
    """The command for a bundle."""
    options = given_options(arguments)
    container = open_damaged(arguments.bundle)
    if isinstance(container, Report):
        return tell(container, arguments, [])
    try:
        progress = Progress(sum(container.sizes.values()), is_wanted=not (arguments.quiet or arguments.json))
        report = check_bundle(container, options, progress)
        progress.end()
        kept: List[str] = []
        if arguments.save_head and report.exit_code != TAMPERED and not report.counts.get("no-key"):
            kept = save_heads(report, container, arguments.save_head)
        elif arguments.save_head:
            kept = ["No head was kept: it would have to be signed by a key that you gave."]
    except OSError as error:
        raise UsageError(f"{shown(error.filename or arguments.bundle)}: {shown(error.strerror)}.") from None
    finally:
        container.close()
    return tell(report, arguments, kept)


def open_damaged(path: str) -> Any:
    """A container, or the report of a bundle that is too damaged to be one. Errors: UsageError."""
    try:
        return open_container(path)
    except Damage as damage:
        report = Report()
        report.add(*damage.finding)
        return report


def tell(report: Report, arguments: argparse.Namespace, kept: Sequence[str]) -> int:
    """Print a report. Out: its exit code."""
    if arguments.json:
        sys.stdout.write(json.dumps(as_json(report), indent=2, sort_keys=True) + "\n")
    elif arguments.quiet:
        sys.stdout.write(verdict_line(report) + "\n")
    else:
        for heading, lines in compose(report):
            sys.stdout.write(f"{heading}\n" + "".join(f"  {line}\n" for line in lines) + "\n")
        sys.stdout.write("".join(f"{line}\n" for line in kept) + verdict_line(report) + "\n")
    sys.stdout.flush()
    return report.exit_code


def verify_proof(arguments: argparse.Namespace) -> int:
    """The command for one entry and its `.tlog-proof` (C2SP tlog-proof v1)."""
    data, entry = read_given(arguments.file), read_given(arguments.entry)
    given = [_given_key(text) for text in arguments.vkey]
    try:
        index, path, note = parse_proof(data)
    except Malformed as error:
        raise UsageError(f"{shown(arguments.file)} is not a .tlog-proof file: {error}.") from None
    try:
        checkpoint = parse_checkpoint(note)
    except Malformed as error:
        sys.stdout.write(f"NOT VERIFIED. The checkpoint in it is none: {error}.\n")
        return TAMPERED
    place = f"{shown(checkpoint.origin)}, index {grouped(index)} of {grouped(checkpoint.size)}"
    keys = sorted({_key_under(key, checkpoint.origin) for key in given})
    if len({key.name for key in keys}) > 1:
        raise UsageError("--vkey: these are keys of different installations.")
    signed = [_proof_signed(key, checkpoint) for key in keys]
    wrong = ""
    if not check_inclusion(leaf_hashes([entry])[0], index, checkpoint.size, path, checkpoint.root):
        wrong = "The checkpoint's tree does not hold this entry where the proof says."
    elif keys and checkpoint.origin != keys[0].name:
        wrong = "The checkpoint is of another installation's log than the key."
    elif False in signed:
        wrong = "A signature by a known key does not verify."
    elif keys and True not in signed:
        wrong = "The checkpoint is not signed by this key."
    if wrong:
        sys.stdout.write(f"NOT VERIFIED. {wrong}\n")
        return TAMPERED
    if not keys:
        sys.stdout.write(
            f"INCOMPLETE. Entry and checkpoint fit ({place}); without a verifier key anybody could have signed it.\n"
        )
        return INCOMPLETE
    sys.stdout.write(f"VERIFIED. The log holds exactly this entry: {place}.\n")
    return VERIFIED


def _key_under(key: Key, origin: str) -> Key:
    """A key under a log's name: of an installation, one key signs for all logs."""
    known, asked = LOG_NAME.fullmatch(key.name), LOG_NAME.fullmatch(origin)
    return key._replace(name=origin) if known and asked and known[1] == asked[1] else key


def _proof_signed(key: Key, checkpoint: Checkpoint) -> Optional[bool]:
    lines = [line for line in checkpoint.note.signatures if (line.name, line.id) == (key.name, key.id)]
    return all(signs(key, checkpoint.note, line) for line in lines) if lines else None


def parse_proof(data: bytes) -> Tuple[int, List[bytes], bytes]:
    """Take a `.tlog-proof` apart: index, path, and the signed checkpoint. Errors: Malformed."""
    head, blank, checkpoint = data.partition(b"\n\n")
    lines = head.decode("latin-1").split("\n")
    if lines.pop(0) != "c2sp.org/tlog-proof@v1" or not blank:
        raise Malformed("not its first line")
    if lines and lines[0].startswith("extra "):
        decode_base64(lines.pop(0)[6:])
    number = lines.pop(0)[6:] if lines and lines[0].startswith("index ") else ""
    path = [decode_base64(line) for line in lines]
    if not DECIMAL.fullmatch(number) or len(path) > 63 or any(len(each) != 32 for each in path):
        raise Malformed("not an index and a path")
    return int(number), path, checkpoint


def bundle_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="verify.py",
        description="Verify an evidence bundle of Answerable, offline. `verify.py proof` verifies one entry, `verify.py "
        "--explain [CODE...]` says what a code means.",
        epilog="Exit codes: 0 verified, 1 evidence of tampering, 2 wrong usage, 3 incomplete (also: no key was given).",
    )
    parser.add_argument("bundle", metavar="BUNDLE", help="the zip, or a folder with the same files")
    parser.add_argument(
        "--vkey", action="append", default=[], help="a verifier key of the installation, from elsewhere"
    )
    parser.add_argument("--policy", metavar="FILE", help="a C2SP tlog-policy: keys of logs, witnesses, their quorum")
    parser.add_argument(
        "--head", metavar="FILE", action="append", default=[], help="a checkpoint that you kept earlier"
    )
    parser.add_argument("--save-head", metavar="DIR", help="keep the bundle's checkpoints, for --head the next time")
    parser.add_argument(
        "--tsa", metavar="CERT.pem", action="append", default=[], help="certificates of a time-stamp authority"
    )
    parser.add_argument("--json", action="store_true", help="print the report for programs")
    parser.add_argument("--quiet", action="store_true", help="print the verdict alone")
    return parser


ADVICE = {
    TAMPERING: "Something contradicts something: exit code 1. A file may be damaged on its way, edited by hand, or of a log that was rewritten. "
    "Keep the bundle, ask for it again by another way, and compare; then ask what this finding names.",
    INCOMPLETE_LEVEL: "Nothing contradicts, and something that a verdict needs is missing: exit code 3, unless something else is worse. "
    "Give it to the verifier, or ask the organisation for it.",
    NOTE_LEVEL: "It changes no verdict. Know of it when you rely on times, heads or time-stamps.",
}  # fmt: skip


def explain(codes: Sequence[str]) -> int:
    """Say what codes mean; all, where none is named. Out: the exit code."""
    unknown = [code for code in codes if code not in FINDINGS and code not in WORDS]
    if unknown:
        raise UsageError(f"There is no code {', '.join(map(shown, unknown))}.")
    findings = [code for code in codes if code in FINDINGS] if codes else list(FINDINGS)
    for level, advice in ADVICE.items():
        named = [code for code in findings if FINDINGS[code][0] == level]
        if named:
            sys.stdout.write(
                f"{level}: {advice}\n\n" + "".join(f"  {code}\n      {FINDINGS[code][1]}\n" for code in named)
            )
            sys.stdout.write("\n")
    sys.stdout.write("".join(f"{code}: {WORDS[code]}\n" for code in codes if code not in FINDINGS))
    return VERIFIED


def proof_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="verify.py proof", description="Verify that a log holds an entry.")
    parser.add_argument("file", metavar="FILE", help="the .tlog-proof")
    parser.add_argument("--entry", required=True, help="the file with the exact bytes of the entry")
    parser.add_argument(
        "--vkey", action="append", default=[], help="a verifier key of the installation, from elsewhere"
    )
    return parser


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the command. In: its arguments, else the process's. Out: the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given[:1] == ["--explain"]:
            return explain(given[1:])
        if given[:1] == ["proof"]:
            return verify_proof(proof_parser().parse_args(given[1:]))
        return verify_bundle(bundle_parser().parse_args(given))
    except UsageError as error:
        return _not_checked(str(error), given)
    except MemoryError:
        return _not_checked("There is not memory enough on this machine.", given)
    except BrokenPipeError:
        # whoever reads has gone, so the interpreter has nobody to tell at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return USAGE
    except KeyboardInterrupt:
        return _not_checked("It was stopped.", given)
    except Exception:  # noqa: BLE001  (a fault of this program: Python would exit with 1, which says "tampering" here)
        traceback.print_exc()
        return _not_checked("The verifier itself has failed. Please report what stands above.", given)


def _not_checked(error: str, given: Sequence[str]) -> int:
    if "--json" in given:
        empty = {**as_json(Report()), "verdict": VERDICTS[USAGE], "exit_code": USAGE, "error": error}
        sys.stdout.write(json.dumps(empty, indent=2, sort_keys=True) + "\n")
    sys.stderr.write(f"NOT CHECKED. {error}\n")
    return USAGE


if __name__ == "__main__":
    sys.exit(main())
