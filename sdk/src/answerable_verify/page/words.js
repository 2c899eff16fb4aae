/** Made from verify.py by tools/verifier_page.py: change it there. */

export const FINDINGS = {
  "zip-damaged": [
    "tampering",
    "The zip is damaged: it is cut off, or what it says of itself does not fit."
  ],
  "zip-not-plain": [
    "tampering",
    "The zip is not of the plain kind that a bundle is: another program may see other files in it."
  ],
  "name-refused": [
    "tampering",
    "A file has a name, or is of a kind, that no file of a bundle has."
  ],
  "name-repeated": [
    "tampering",
    "Two files have the same name, or one that differs by case alone."
  ],
  "content-damaged": [
    "tampering",
    "A file cannot be unpacked to what the zip says of it."
  ],
  "file-too-large": [
    "tampering",
    "A file is larger than one of its name may be."
  ],
  "too-many-files": [
    "tampering",
    "There are more files than a bundle may have."
  ],
  "too-many-signatures": [
    "tampering",
    "There are more signatures than a bundle may have."
  ],
  "manifest-malformed": [
    "tampering",
    "manifest.json is not in the one form that it may have."
  ],
  "manifest-note-malformed": [
    "tampering",
    "manifest.note is not a signed note of a manifest."
  ],
  "manifest-note-differs": [
    "tampering",
    "manifest.note is of another manifest, or of another export."
  ],
  "manifest-unsigned": [
    "tampering",
    "manifest.note is not signed by a key that may be trusted, under the newest registry log's name."
  ],
  "manifest-differs": [
    "tampering",
    "The manifest says something else than what the entries show."
  ],
  "file-missing": [
    "tampering",
    "A file that belongs to the bundle is not there."
  ],
  "file-extra": [
    "tampering",
    "A file is there that does not belong to the bundle."
  ],
  "file-beside": [
    "note",
    "A file lies in the folder that belongs to no bundle. It was not looked at."
  ],
  "file-altered": [
    "tampering",
    "A file is not the one that the manifest lists."
  ],
  "sums-differ": [
    "tampering",
    "SHA256SUMS is not the list of the files that are there."
  ],
  "first-page-differs": [
    "tampering",
    "README.html is not the page that follows from the manifest."
  ],
  "whole-claimed": [
    "tampering",
    "The manifest calls the bundle whole, and it is not."
  ],
  "checkpoint-malformed": [
    "tampering",
    "A checkpoint is not one."
  ],
  "checkpoint-differs": [
    "tampering",
    "A checkpoint is of another log or of another tree than the manifest says."
  ],
  "signature-invalid": [
    "tampering",
    "A signature by a known key does not verify: text or signature were changed."
  ],
  "signature-untrusted": [
    "tampering",
    "A checkpoint is not signed by a key that may be trusted. Of a bundle from before a key was replaced, give the earlier key too."
  ],
  "signature-retired": [
    "tampering",
    "A checkpoint is signed only by a key that was not in force for this tree."
  ],
  "origin-foreign": [
    "tampering",
    "The bundle is of another installation than every key that was given."
  ],
  "announcement-invalid": [
    "tampering",
    "A key was announced, and no key in force has signed for it."
  ],
  "signature-lacking": [
    "incomplete",
    "A newer key was announced in this log, and has not signed its checkpoint: was the key that did retired?"
  ],
  "key-not-given": [
    "incomplete",
    "A log is signed only by an earlier key of the installation: give that verifier key too."
  ],
  "no-key": [
    "incomplete",
    "No verifier key from elsewhere was given: anybody could have made this bundle. Compare the fingerprint."
  ],
  "tile-missing": [
    "tampering",
    "A hash tile that the proof needs is not there."
  ],
  "tile-unexpected": [
    "tampering",
    "A hash tile is there that the tree of this size does not have, or that nothing proves."
  ],
  "tile-altered": [
    "tampering",
    "A hash tile is not the one that the tree holds."
  ],
  "root-differs": [
    "tampering",
    "The tiles do not fold to the root that the checkpoint states."
  ],
  "disclosed-malformed": [
    "tampering",
    "The list of disclosed entries is not one."
  ],
  "entries-malformed": [
    "tampering",
    "A file of entries is not lines that each end in one newline."
  ],
  "entry-missing": [
    "tampering",
    "Entries that the bundle says it discloses are not there."
  ],
  "entry-extra": [
    "tampering",
    "There are more entries than the bundle says it discloses."
  ],
  "entry-altered": [
    "tampering",
    "An entry is not the one that stands in the log at this place."
  ],
  "entry-malformed": [
    "tampering",
    "An entry is not an entry."
  ],
  "entry-repeated": [
    "tampering",
    "The id of an entry occurs twice."
  ],
  "entry-misplaced": [
    "tampering",
    "A decision stands in the log of another AI system."
  ],
  "entries-withheld": [
    "incomplete",
    "Entries of the range are withheld: that they are there is proven, what they say is not."
  ],
  "clock-back": [
    "note",
    "Receipt times go back by more than 60 s here: the server's clock was set, or differs between hosts."
  ],
  "log-differs": [
    "tampering",
    "Entry 0 of a log is missing, or says that the log is another one."
  ],
  "log-unannounced": [
    "tampering",
    "The registry log does not announce this log as the AI system's."
  ],
  "log-missing": [
    "tampering",
    "A log is not there that the answer needs."
  ],
  "log-left-out": [
    "incomplete",
    "A log is not there that the answer needs; the bundle says that it is not whole."
  ],
  "chain-broken": [
    "tampering",
    "The logs are not one chain, each naming the one before it."
  ],
  "record-differs": [
    "tampering",
    "The registry log recorded another tree of this log: two histories of it were signed."
  ],
  "record-not-comparable": [
    "incomplete",
    "The registry log recorded a tree of this log that cannot be compared with the one that is here."
  ],
  "history-forked": [
    "tampering",
    "Two histories of a log were signed: somebody outside holds a tree of it that is no beginning of this one, as is sealed here."
  ],
  "history-elsewhere": [
    "incomplete",
    "Somebody outside holds a signed tree of a log, as is sealed here, that cannot be compared with this one."
  ],
  "entries-lost": [
    "incomplete",
    "Entries were lost, as the log's successor states, or stand where this bundle does not reach."
  ],
  "fence-missing": [
    "tampering",
    "The entry beside the range is not disclosed: nothing shows that the range goes as far as it must."
  ],
  "range-wrong": [
    "tampering",
    "The range is not that of the times that were asked for."
  ],
  "asked-differs": [
    "tampering",
    "Who asked, when and for what is not what the registry log holds."
  ],
  "not-whole": [
    "incomplete",
    "The bundle itself says that it is not whole."
  ],
  "part-malformed": [
    "tampering",
    "A line of disclosed contents is not one, or is out of order."
  ],
  "part-unknown": [
    "tampering",
    "Contents are there that no disclosed entry has committed to."
  ],
  "part-altered": [
    "tampering",
    "Contents are not those that the entry has committed to."
  ],
  "erased-disclosed": [
    "tampering",
    "Contents are disclosed of a decision whose contents were erased, as is sealed here."
  ],
  "before-differs": [
    "tampering",
    "The earlier checkpoint in the bundle is not of an earlier tree of this log."
  ],
  "before-unsigned": [
    "note",
    "The earlier checkpoint fits the log, and is not signed by a key that you gave."
  ],
  "head-forked": [
    "tampering",
    "A head that you kept is not of this log's history: the log was rewritten."
  ],
  "head-elsewhere": [
    "note",
    "A head that you kept is of a log that is not in this bundle: nothing was compared with it."
  ],
  "head-not-comparable": [
    "incomplete",
    "A head that you kept cannot be compared with this bundle."
  ],
  "cosignature-invalid": [
    "tampering",
    "A known witness's cosignature does not verify."
  ],
  "cosignature-ignored": [
    "note",
    "A witness's cosignature counts for nothing."
  ],
  "clock-contradicted": [
    "note",
    "A witness or a time-stamp authority saw the log at a time that its receipt times contradict by more than an hour: one of the clocks was wrong, and what this one says counts for nothing."
  ],
  "quorum-not-met": [
    "incomplete",
    "The witnesses that the policy asks for have not cosigned."
  ],
  "timestamp-invalid": [
    "tampering",
    "A time-stamp is not one of this checkpoint."
  ],
  "timestamp-unknown": [
    "note",
    "A time-stamp fits, and its authority is not one whose certificate you gave."
  ],
  "timestamp-unsupported": [
    "note",
    "A time-stamp is of a kind that this verifier cannot check: it counts for nothing."
  ],
  "timestamp-unproven": [
    "incomplete",
    "No time-stamp in the bundle is by an authority whose certificate you gave."
  ]
};

export const WORDS = {
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
  "n_verifier": "That a verifier which came inside the bundle is honest. Use one that you got from elsewhere."
};

export const LIMITS = {
  "files": 200000,
  "name": 200,
  "grows": 67108864,
  "lines": 1000000,
  "note": 100000,
  "token": 262144,
  "page": 8388608,
  "entry": 65535,
  "line": 1048576,
  "part": 33554432,
  "size": 9007199254740991,
  "depth": 64,
  "digits": 100,
  "values": 2000000,
  "part values": 10,
  "wrong parts": 10000,
  "signatures": 100,
  "events": 1000,
  "certificates": 20,
  "timestamps": 100,
  "logs": 2000,
  "work": 20000,
  "chain": 5,
  "listed": 50
};

export const MANIFEST = {
  "format": [
    "is",
    "answerable-evidence/1"
  ],
  "id": "uuid",
  "origin": "origin",
  "called": [
    "null",
    "text"
  ],
  "made_at": "time",
  "software": {
    "name": [
      "is",
      "answerable"
    ],
    "version": "text"
  },
  "asked": {
    "by": "uuid",
    "at": "time",
    "entry": "uuid",
    "approved_by": [
      "null",
      "uuid"
    ],
    "approval": [
      "null",
      "uuid"
    ]
  },
  "question": [
    "by",
    "kind",
    {
      "range": {
        "kind": "text",
        "system": "uuid",
        "since": [
          "null",
          "time"
        ],
        "until": [
          "null",
          "time"
        ]
      },
      "case": {
        "kind": "text",
        "case": "uuid"
      },
      "decision": {
        "kind": "text",
        "decision": "uuid"
      },
      "subject": {
        "kind": "text"
      }
    }
  ],
  "logs": [
    "list",
    {
      "log": "log",
      "origin": "text",
      "kind": [
        "one",
        "system",
        "registry"
      ],
      "system": [
        "null",
        "uuid"
      ],
      "tree_size": "count",
      "root_hash": "hash",
      "range": [
        "null",
        [
          "pair",
          "count"
        ]
      ],
      "disclosed": "count",
      "predecessor": [
        "null",
        "text"
      ],
      "before": [
        "null",
        "count"
      ],
      "timestamps": "count"
    }
  ],
  "parts": [
    "map",
    {
      "disclosed": "count",
      "withheld": "count",
      "erased": "count"
    }
  ],
  "answer": {
    "entries": "count",
    "decisions": "count",
    "first_at": [
      "null",
      "time"
    ],
    "last_at": [
      "null",
      "time"
    ],
    "outcomes": [
      "map",
      "count"
    ],
    "adverse": "count",
    "flagged": "count",
    "failed": "count",
    "overridden": "count",
    "by_model_version": [
      "map",
      "count"
    ],
    "withheld_entries": "count"
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
        "missing": [
          "list",
          [
            "pair",
            "number"
          ]
        ],
        "missing_count": "number",
        "twice": [
          "list",
          "number"
        ]
      }
    ]
  ],
  "whole": "bool",
  "left_out": [
    "list",
    "text"
  ],
  "files": [
    "list",
    {
      "path": "text",
      "size": "count",
      "sha256": "hash"
    }
  ]
};

export const FIXED_FILES = [
  "README.html",
  "SHA256SUMS",
  "VERIFYING.txt",
  "manifest.json",
  "manifest.note",
  "verify.html",
  "verify.py"
];

export const UNLISTED = [
  "README.html",
  "SHA256SUMS",
  "manifest.json",
  "manifest.note"
];

export const PARTS = [
  "input",
  "output",
  "explanation",
  "context",
  "refs"
];

export const ALL_PARTS = [
  "input",
  "output",
  "explanation",
  "context",
  "refs",
  "state",
  "particulars",
  "reason"
];

export const REPORT_FORMAT = "answerable-verification/1";

export const CLOCK_SLACK = 86400;

export const CLOCK_BACK = 60000000;

export const CLOCKS_APART = 3600000000;

export const MOST_ROWS = 100;

export const STYLE = "\n:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--paper:#fff;--line:#d5dae0;--tint:#f4f6f8;--warn:#8a4600;--wash:#fff4e3}\n@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a4adb8;--paper:#14171a;--line:#353b42;--tint:#1d2126;--warn:#ffb867;--wash:#33240f}}\n*{box-sizing:border-box}\nhtml{-webkit-text-size-adjust:100%}\nbody{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",Arial,sans-serif}\nmain{max-width:60rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}\np.over{margin:0;color:var(--soft);font-size:.875rem;letter-spacing:.04em;text-transform:uppercase}\nh1{font-size:1.75rem;line-height:1.25;margin:.35rem 0 1rem;overflow-wrap:anywhere}\nh2{font-size:1.2rem;margin:2.5rem 0 .75rem;padding-top:1.25rem;border-top:1px solid var(--line)}\nh3{font-size:1rem;margin:1.5rem 0 .5rem}\np,ul,ol{margin:.5rem 0;max-width:46rem}\nul,ol{padding-left:1.35rem}\nli{margin:.3rem 0}\n.soft{color:var(--soft)}\n.warn{background:var(--wash);color:var(--warn);border:1px solid currentColor;border-radius:.5rem;padding:.75rem 1rem;margin:1rem 0}\ndl.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.75rem;margin:1rem 0}\ndl.figures div{background:var(--tint);border:1px solid var(--line);border-radius:.5rem;padding:.6rem .8rem}\ndl.figures dt{color:var(--soft);font-size:.875rem}\ndl.figures dd{margin:0;font-size:1.35rem;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}\ndl.figures dd.text{font-size:.95rem;padding-top:.35rem}\n.scroll{overflow-x:auto}\ntable{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}\ncaption{text-align:left;font-weight:600;padding:.75rem 0 .35rem}\nth,td{text-align:left;vertical-align:top;padding:.4rem .75rem .4rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere;min-width:4.5rem}\nth{color:var(--soft);font-weight:600;overflow-wrap:normal}\ntd:not(.n){min-width:7rem}\ntd.n,th.n{text-align:right}\ncode{font:.875em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\",monospace;overflow-wrap:anywhere}\npre{background:var(--tint);border:1px solid var(--line);border-radius:.5rem;padding:.75rem 1rem;overflow-x:auto}\n@media print{body{font-size:11pt;background:#fff;color:#000}main{max-width:none;padding:0}h2{break-after:avoid}tr,dl.figures div{break-inside:avoid}.scroll{overflow:visible}}\n";

export const PAGE_PROOF = "<h2 id=\"verify\">How to verify</h2>\n<p>You need the verifier key of the organisation (it looks like <code>name+id+key</code>), and a verifier. Get both by another way than this bundle.</p>\n<pre tabindex=\"0\">python3 -I verify.py BUNDLE.zip --vkey 'THE VERIFIER KEY'</pre>\n<p>The verifier needs Python 3.9 or later, nothing else, and no network. <code>verify.html</code> does the same in a browser. <code>VERIFYING.txt</code> says more, and how\nto do it with other people's tools.</p>\n<h3>What a verifier then has proven</h3>\n<ul>\n<li>Each disclosed entry stood in the signed log, at its place, as it is here.</li>\n<li>Within a range nothing was left out, put in, changed or moved; entries that are withheld are counted.</li>\n<li>Each disclosed content is, to the byte, what was sealed.</li>\n<li>The figures on this page are those of the entries.</li>\n</ul>\n<h3>What nobody proves from a bundle</h3>\n<ul>\n<li>That what was sent is true, or that everything was sent. Numbers of sources make gaps visible where a source gives them.</li>\n<li>The times: they are the server's clock at receipt. Only a witness or a time-stamp binds a log to a time.</li>\n<li>Anything against somebody who holds database, signing key and head store, for what nobody outside has seen.</li>\n<li>Outside a range: that there are no other entries than the disclosed ones.</li>\n</ul>\n<h3>Words</h3>\n<ul>\n<li><strong>Entry</strong>: one line of a log: what happened, when the server received it, and by whom. It never changes.</li>\n<li><strong>Log</strong>: the entries of one AI system, in the order of receipt. The registry log is the organisation's own.</li>\n<li><strong>Origin</strong>: the name of a log, or of the installation: what its signatures are made under.</li>\n<li><strong>Checkpoint</strong>, or <strong>head</strong>: how many entries a log had, and one hash over them all, signed.</li>\n<li><strong>Root hash</strong>: that hash. With another entry anywhere it would be another one.</li>\n<li><strong>Tile</strong>: a file of hashes, by which an entry is found in the root hash without the other entries.</li>\n<li><strong>Range</strong>: all entries of a log within the times that were asked for.</li>\n<li><strong>Fence</strong>: the entry directly before or behind a range. Its time shows that the range goes as far as it must.</li>\n<li><strong>Contents</strong>: what a decision was made of and what came out. A log holds only a commitment to each.</li>\n<li><strong>Refs</strong>: the content that says whom or what a decision is about.</li>\n<li><strong>Witness</strong>: somebody else, who signs the heads that they saw.</li>\n</ul>\n";
