/** The figures of the decisions that the question asks for, and what is kept of every entry. Twin of `Answer` and `Reading`. */

import { Malformed, expect, fromHex, byCodePoint, grouped, isCount, isHex32, isObject, isUuid, moment, says, shown, toHex } from "./basics.js";
import { isEd25519Key } from "./ed25519.js";
import { Sha256 } from "./hashes.js";
import { checkDecision, parseEntry } from "./logs.js";
import { LIMITS, PARTS } from "./words.js";

const [ERASED, OVERRIDDEN, ENTRY, DECISION, TWICE, DISCLOSED] = [1, 2, 4, 8, 16, 32];

// Whoever chose the ids does not know these, so that no choice makes the table slow.
const MIX = Array.from({ length: 4 }, () => Math.floor(Math.random() * 2 ** 32) | 1);

/** What is known of ids: a hash table of 20 bytes a place, so that millions fit. */
class Book {
  constructor(places = 1024) {
    this.count = 0;
    this.ids = new Uint32Array(4 * places);
    this.said = new Uint16Array(places);
  }

  /** Note something of an id, which is a uuid. */
  add(identifier, what, absent = 0) {
    if (this.count * 5 > this.said.length * 3) this.grow();
    const hex = identifier.replaceAll("-", "");
    // what was erased was there before: an erasure that stands before the decision is none of it
    this.put([0, 8, 16, 24].map((at) => parseInt(hex.slice(at, at + 8), 16)), what | (absent << 8));
  }

  put(words, said) {
    const mask = this.said.length - 1;
    let mixed = 0;
    for (let n = 0; n < 4; n++) mixed += Math.imul(words[n], MIX[n]);
    let at = (mixed >>> 7) & mask;
    for (; this.said[at]; at = (at + 1) & mask) {
      const place = 4 * at;
      if (words.every((word, n) => this.ids[place + n] === word)) {
        if (said & ENTRY && this.said[at] & ENTRY) said |= TWICE;
        if (said !== ERASED || this.said[at] & ENTRY) this.said[at] |= said;
        return;
      }
    }
    if (said === ERASED) return;
    this.ids.set(words, 4 * at);
    this.said[at] = said;
    this.count++;
  }

  grow() {
    const larger = new Book(2 * this.said.length);
    for (const [words, said] of this.rows()) larger.put(words, said);
    Object.assign(this, larger);
  }

  *rows() {
    for (let at = 0; at < this.said.length; at++) {
      if (this.said[at]) yield [[...this.ids.subarray(4 * at, 4 * at + 4)], this.said[at]];
    }
  }
}

/** Numbers of a source, 8 bytes each. */
class Numbers {
  constructor() {
    this.values = new BigInt64Array(16);
    this.count = 0;
  }

  push(number) {
    if (this.count === this.values.length) {
      const larger = new BigInt64Array(2 * this.count);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.count++] = BigInt(number);
  }

  /** What the manifest says of a source; numbers that a double holds as such, larger ones as BigInts. */
  summary(source) {
    const numbers = this.values.slice(0, this.count).sort();
    const missing = [];
    const twice = [];
    let total = 0n;
    for (let at = 1; at < numbers.length; at++) {
      const [one, other] = [numbers[at - 1], numbers[at]];
      if (other === one) {
        if (twice[twice.length - 1] !== one && twice.length <= LIMITS.lines) twice.push(one);
      } else if (other > one + 1n) {
        if (missing.length <= LIMITS.lines) missing.push([one + 1n, other - 1n]);
        total += other - one - 1n;
      }
    }
    const found = { source, first_seq: numbers[0], last_seq: numbers[this.count - 1], decisions: this.count };
    return plain({ ...found, missing, missing_count: total, twice });
  }
}

function plain(value) {
  if (typeof value === "bigint") return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
  if (Array.isArray(value)) return value.map(plain);
  return value !== null && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)])) : value;
}

export class Answer {
  constructor(manifest) {
    const { question, answer, sources } = manifest;
    Object.assign(this, { manifest, question, since: moment(question.since), until: moment(question.until), book: new Book() });
    Object.assign(this, { figures: { decisions: 0, adverse: 0, flagged: 0, failed: 0, overridden: 0 }, first: null, last: null });
    const zeroes = (names) => new Map(Object.keys(names).sort(byCodePoint).map((name) => [name, 0]));
    this.counts = { outcomes: zeroes(answer.outcomes), by_model_version: zeroes(answer.by_model_version) };
    this.others = new Set();
    this.sources = new Map((sources ?? []).map((each) => [each.source, new Numbers()]));
    this.parts = Object.fromEntries(PARTS.map((name) => [name, { disclosed: 0, withheld: 0, erased: 0 }]));
  }

  /** Whether a decision's entry is one that the question asks for. */
  asksFor(log, index, entry) {
    if (!log.isSystem) return false;
    if (this.question.kind === "decision") return entry.id === this.question.decision;
    if (this.question.kind !== "range") return true;
    const isWithin = (this.since === null || entry.at >= this.since) && (this.until === null || entry.at < this.until);
    return isWithin && log.span[0] <= index && index < log.span[1];
  }

  /** Count one of the decisions, of which these parts are disclosed. */
  count(entry, disclosed) {
    const { body, at } = entry;
    const { figures } = this;
    figures.decisions++;
    figures.adverse += body.adverse === true ? 1 : 0;
    figures.flagged += body.flags?.length ? 1 : 0;
    figures.failed += (body.error_type ?? null) !== null ? 1 : 0;
    if (this.first === null || at < this.first) this.first = at;
    if (this.last === null || at > this.last) this.last = at;
    for (const [name, key] of [["outcomes", body.outcome], ["by_model_version", body.model_version]]) {
      const counts = this.counts[name];
      if (counts.has(key)) counts.set(key, counts.get(key) + 1);
      else this.others.add(name);
    }
    const [source, number] = [body.source_id ?? null, body.source_seq ?? null];
    if (source !== null && number !== null && this.question.kind === "range") {
      if (this.sources.has(source)) this.sources.get(source).push(number);
      else this.others.add("sources");
    }
    let absent = 0;
    PARTS.forEach((name, bit) => {
      if (!(name in body.commitments)) return;
      if (disclosed.has(name)) this.parts[name].disclosed++;
      else absent |= 1 << bit;
    });
    this.book.add(entry.id, ENTRY | DECISION | (disclosed.size ? DISCLOSED : 0), absent);
  }

  /** What is only known once every entry was read. */
  settle(report) {
    const twice = [];
    const erased = [];
    const decisions = [];
    for (const [words, said] of this.book.rows()) {
      if (said & TWICE) twice.push(inHex(words));
      if (said & ERASED && said & DISCLOSED) erased.push(inHex(words));
      if (!(said & DECISION)) continue;
      if (this.question.kind === "case") decisions.push(inHex(words));
      this.figures.overridden += said & OVERRIDDEN ? 1 : 0;
      PARTS.forEach((name, bit) => {
        if ((said >> (8 + bit)) & 1) this.parts[name][said & ERASED ? "erased" : "withheld"]++;
      });
    }
    const digest = new Sha256();
    for (const hex of decisions.sort()) digest.update(fromHex(hex));
    this.digest = toHex(digest.digest());
    const twiceOrErased = [...twice.map((hex) => [hex, "entry-repeated"]), ...erased.map((hex) => [hex, "erased-disclosed"])].sort(([one, a], [other, b]) => (one + a < other + b ? -1 : 1));
    for (const [hex, code] of twiceOrErased) report.add(code, hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"));
  }

  /** Compare the manifest's figures with those that were counted. */
  compare(report, logs) {
    const place = "manifest.json";
    const isRange = this.question.kind === "range";
    const systems = logs.filter((log) => log.isSystem);
    const sum = (of) => systems.reduce((total, log) => total + of(log), 0);
    const entries = sum((log) => log.span[1] - log.span[0]);
    const derived = {
      ...this.figures,
      entries: isRange ? entries : sum((log) => log.disclosed),
      withheld_entries: isRange ? entries - sum((log) => log.disclosedInRange) : 0,
      first_at: this.first,
      last_at: this.last,
    };
    const claimed = this.manifest.answer;
    for (const name of Object.keys(derived).sort()) {
      const said = name.endsWith("_at") ? moment(claimed[name]) : claimed[name];
      if (said !== derived[name]) report.add("manifest-differs", place, says(`answer.${name}`, claimed[name], derived[name]));
    }
    for (const [name, counts] of Object.entries(this.counts)) {
      const wrong = [...counts].filter(([key, count]) => count !== claimed[name][key] || !count).slice(0, LIMITS.listed);
      for (const [key, count] of wrong) report.add("manifest-differs", place, says(`answer.${name}.${shown(key)}`, claimed[name][key], count));
    }
    for (const name of [...this.others].sort()) report.add("manifest-differs", place, `${name}: not all that occur are named`);
    this.compareParts(report);
    this.compareSources(report);
    const counted = Object.fromEntries(Object.entries(this.counts).map(([name, counts]) => [name, Object.fromEntries(counts)]));
    report.facts.answer = { ...derived, ...counted, parts: this.parts };
  }

  compareParts(report) {
    for (const name of PARTS) {
      const claimed = this.manifest.parts[name] ?? { disclosed: 0, withheld: 0, erased: 0 };
      for (const what of ["disclosed", "withheld", "erased"]) {
        const derived = this.parts[name][what];
        if (claimed[what] !== derived) report.add("manifest-differs", "manifest.json", says(`parts.${name}.${what}`, claimed[what], derived));
      }
    }
  }

  compareSources(report) {
    let before = "";
    for (const claimed of this.manifest.sources ?? []) {
      const { source } = claimed;
      const differs = (detail) => report.add("manifest-differs", "manifest.json", detail);
      if (source <= before) {
        differs(`sources.${source}: not in order`);
      } else if (!this.sources.get(source).count) {
        differs(`sources.${source}: it has no decision`);
      } else {
        const derived = this.sources.get(source).summary(source);
        for (const name of Object.keys(derived).sort()) {
          if (!alike(claimed[name], derived[name])) differs(says(`sources.${source}.${name}`, ...brief(claimed[name], derived[name])));
        }
      }
      before = source;
    }
  }
}

function alike(one, other) {
  if (!Array.isArray(one)) return one === other;
  return one.length === other.length && one.every((each, at) => alike(each, other[at]));
}

/** Of two lists, how many they hold, or, of as many, which place differs first. */
function brief(claimed, derived) {
  if (!Array.isArray(claimed)) return [claimed, derived];
  if (claimed.length !== derived.length) return [`${claimed.length} of them`, `${derived.length} of them`];
  return [`another number ${claimed.findIndex((each, at) => !alike(each, derived[at])) + 1}`, "not that"];
}

/** Told of every disclosed entry, in order: keeps what later questions need, and nothing else. */
export class Reading {
  constructor(manifest, logs, contents, answer) {
    Object.assign(this, { manifest, contents, answer, announced: new Map(), closed: new Map(), records: new Map(), asked: new Map() });
    Object.assign(this, { case: null, inCases: new Map(), hasPurged: false });
    Object.assign(this, { largest: new Map(), larger: new Map(), outside: new Map(), besides: [] });
    this.logs = new Map(logs.map((log) => [log.name, log]));
    this.byOrigin = new Map(logs.map((log) => [log.origin, log]));
    this.wanted = [manifest.asked.entry, manifest.asked.approval];
  }

  /** Out: a promise where contents must be waited for; most entries are read without. */
  entry(log, index, text, place) {
    if (this.contents.isDue(log.number, index)) return this.contents.of(log.number, index).then((parts) => this.take(log, index, text, place, parts));
    return this.take(log, index, text, place, []);
  }

  take(log, index, text, place, parts) {
    let entry;
    try {
      entry = parseEntry(text);
      if (entry.kind === "decision.recorded") checkDecision(entry.body);
    } catch (error) {
      log.report.add("entry-malformed", place, `index ${grouped(index)}: ${expect(error, Malformed).message}`);
      return;
    }
    log.heard(index, entry.at);
    if (log.said.range !== null) log.saw(index, entry.at, place);
    if (index === 0) {
      const body = briefOf(entry.body, "origin", "about", "system", "registry");
      if ((entry.body.predecessor ?? null) !== null) body.predecessor = predecessorOf(entry.body.predecessor);
      log.opening = { kind: entry.kind, body };
    }
    const fit = parts.length ? this.contents.open(parts, entry.kind, entry.body) : NOTHING;
    if (entry.kind === "decision.recorded") {
      if (entry.body.system !== log.said.system) log.report.add("entry-misplaced", place, `index ${grouped(index)}`);
      if (this.answer.asksFor(log, index, entry)) {
        this.answer.count(entry, fit);
        return;
      }
    }
    this.answer.book.add(entry.id, ENTRY | (entry.kind === "decision.recorded" && fit.size ? DISCLOSED : 0));
    if (Object.hasOwn(KEEP, entry.kind)) KEEP[entry.kind](this, log, index, entry, place);
  }
}

/** Some members of an entry, without what is longer than any of them can be: entries are kept until the end. */
function briefOf(body, ...names) {
  const found = Object.create(null);
  for (const name of names.filter((each) => each in body)) found[name] = weight(body[name]) <= 1000 ? body[name] : "too long";
  return found;
}

/** What an entry 0 says of the log before it: of the trees that others hold the first hundred, and how many they are. */
function predecessorOf(stated) {
  if (!isObject(stated)) return "none";
  const found = briefOf(stated, "origin", "tree_size", "root_hash", "missing", "tail");
  const outside = "contradicted" in stated ? stated.contradicted : [];
  if (!Array.isArray(outside) || !outside.every(isTree)) return "none";
  return Object.assign(found, { contradicted: outside.slice(0, 100), contradictions: outside.length });
}

/** Whether it is a size and a root hash. */
export function isTree(value) {
  return Array.isArray(value) && value.length === 2 && isCount(value[0]) && isHex32(value[1]);
}

const inHex = (words) => words.map((word) => word.toString(16).padStart(8, "0")).join("");

/** About how long a value is: of a text its UTF-16 units. */
function weight(value) {
  if (typeof value === "string") return value.length;
  if (Array.isArray(value)) return value.reduce((total, each) => total + weight(each), 1);
  return isObject(value) ? Object.entries(value).reduce((total, [name, each]) => total + name.length + weight(each), 1) : 1;
}

const NOTHING = new Set();
const KEEP = {
  // one with a place is of something else than a decision's contents
  "erasure.performed": (reading, log, index, { body }) => log.isSystem && !("place" in body) && isUuid(body.about) && reading.answer.book.add(body.about, ERASED),
  "retention.purged": (reading, log) => (reading.hasPurged ||= log.isSystem),
  "decision.overridden": (reading, log, index, { body }) => isUuid(body.decision) && reading.answer.book.add(body.decision, OVERRIDDEN),
  "key.announced": keepKey,
  "key.retired": keepKey,
  "log.announced": keepAnnouncement,
  "log.closed": keepClosure,
  "checkpoint.recorded": keepRecord,
  "checkpoint.contradicted": keepContradiction,
  "case.opened": keepCase,
  "case.attached": keepCase,
  "case.detached": keepCase,
  "export.requested": keepAsking,
  "export.approved": keepAsking,
};

function keepKey(reading, log, index, entry, place) {
  const { public_key: key, origin } = entry.body;
  if (!isHex32(key) || origin !== log.origin || !isEd25519Key(fromHex(key)) || log.events.length >= LIMITS.events) {
    log.report.add("announcement-invalid", place, `index ${grouped(index)}`);
    return;
  }
  const body = briefOf(entry.body, "public_key", "key_id", "previous", "signature");
  if (!log.isSystem) log.events.push({ index, place, kind: entry.kind, body });
  const byKey = entry.kind === "key.retired" ? log.retired : log.announced;
  if (!byKey.has(key)) byKey.set(key, index);
}

function keepAnnouncement(reading, log, index, { body }, place) {
  if (log.isSystem || typeof body.log !== "string") return;
  if (!reading.logs.has(body.log)) {
    const isAsked = isUuid(body.system) && body.system === reading.manifest.question.system;
    if (isAsked && reading.besides.length < LIMITS.events) reading.besides.push(shown(body.origin ?? null));
    return;
  }
  if (!reading.announced.has(body.log)) reading.announced.set(body.log, { number: log.number, index, body: briefOf(body, "system", "origin") });
  const known = reading.announced.get(body.log).body;
  const isSame = ["system", "origin"].every((name) => typeof known[name] === "string" ? known[name] === body[name] : typeof body[name] !== "string");
  if (!isSame) log.report.add("log-unannounced", place, "announced twice, differently");
}

function keepClosure(reading, log, index, { body }, place) {
  const { origin, successor } = body;
  if (log.isSystem || typeof successor !== "string" || !reading.byOrigin.has(origin)) return;
  if (!reading.closed.has(origin)) reading.closed.set(origin, successor);
  if (reading.closed.get(origin) !== successor) log.report.add("record-differs", place, `${origin} was closed twice, differently`);
}

function keepRecord(reading, log, index, { body, at }, place) {
  const { origin, tree_size: size, root_hash: root } = body;
  if (log.isSystem || typeof origin !== "string" || !reading.byOrigin.has(origin)) return;
  if (!isCount(size) || !isHex32(root)) {
    log.report.add("entry-malformed", place, `index ${grouped(index)}: no tree`);
    return;
  }
  const about = reading.byOrigin.get(origin);
  const held = toHex(about.root);
  const larger = reading.larger.get(origin);
  if (size > about.size && (!larger || at < larger.at || (at === larger.at && size < larger.size))) reading.larger.set(origin, { at, size });
  reading.largest.set(origin, Math.max(size, reading.largest.get(origin) ?? 0));
  if (size === about.size && root !== held) log.report.add("record-differs", place, says(`root of ${origin} at ${grouped(size)}`, held, root));
  const key = `${String(log.number).padStart(8, "0")} ${origin}`;
  if (size <= about.size && (reading.records.get(key)?.size ?? -1) < size) reading.records.set(key, { number: log.number, origin, size, root });
}

function keepContradiction(reading, log, index, { body }, place) {
  const { origin, tree_size: size, root_hash: root } = body;
  if (log.isSystem || typeof origin !== "string" || !reading.byOrigin.has(origin)) return;
  if (!isTree([size, root])) {
    log.report.add("entry-malformed", place, `index ${grouped(index)}: no tree`);
    return;
  }
  const trees = reading.outside.get(origin) ?? [];
  reading.outside.set(origin, trees);
  if (trees.length < LIMITS.events) trees.push([size, root]);
  else log.report.add("history-elsewhere", place, origin);
}

function keepCase(reading, log, index, { body, kind }, place) {
  const { case: reference, count, digest } = body;
  if (log.isSystem || typeof reference !== "string" || reference.length > LIMITS.name) return;
  if (kind === "case.opened") {
    const asked = reading.manifest.question.case;
    if (asked !== undefined && body.about === asked && reading.case === null) reading.case = reference;
    return;
  }
  if (!isCount(count) || !isHex32(digest)) {
    log.report.add("entry-malformed", place, `index ${grouped(index)}: no count and digest`);
    return;
  }
  const known = reading.inCases.get(reference) ?? { decisions: 0, acts: 0 };
  if (!reading.inCases.has(reference) && reading.inCases.size >= LIMITS.events) return;
  reading.inCases.set(reference, { decisions: known.decisions + (kind === "case.attached" ? count : -count), acts: known.acts + 1, digest });
}

function keepAsking(reading, log, index, entry) {
  if (!log.isSystem && reading.wanted.includes(entry.id)) reading.asked.set(entry.id, { ...entry, place: [log.number, index] });
}

