/** What the manifest claims of logs, ranges and askers, against what the entries say. Twin of those steps of `Check`. */

import { grouped, isCount, isObject, microseconds, moment, says, shown, toHex } from "./basics.js";
import { isTree } from "./answer.js";
import { CLOCK_BACK } from "./words.js";

const PLACE = "manifest.json";

/** Steps that need nothing but what was read: `Check` has the members that they use. */
export class Claims {
  /** Entry 0 of each log says that it is this log, and the registry log announces it. */
  async checkOpenings() {
    const registries = this.registries.map((log) => log.origin);
    for (const log of this.logs) {
      if (log.checkpoint === null || (log.size === 0 && log.isSystem)) continue;
      const body = log.opening?.body ?? {};
      const kind = log.isSystem ? "log.opened" : "registry.opened";
      if (log.opening?.kind !== kind || body.origin !== log.origin) {
        this.report.add("log-differs", log.place, "entry 0 is not disclosed, or opens another log");
        continue;
      }
      if (log.name !== "registry" && body.about !== log.name) this.report.add("log-differs", log.place, "entry 0 is about another log");
      const isRegistry = registries.includes(body.registry) || (this.lacksFirstRegistry && typeof body.registry === "string");
      if (log.isSystem && (body.system !== log.said.system || !isRegistry)) {
        this.report.add("log-differs", log.place, "entry 0 names another AI system or registry log");
      }
      await this.checkPredecessor(log, body.predecessor ?? null);
    }
    for (const log of this.systems) {
      const told = this.reading.announced.get(log.name);
      const body = told?.body ?? {};
      if (!told && this.lacksFirstRegistry) continue; // it may have been announced in the registry log that is left out
      if (body.system !== log.said.system || body.origin !== log.origin) this.report.add("log-unannounced", log.place);
    }
    this.checkChains();
  }

  /** One chain of registry logs, from the first; of an AI system no two logs that follow the same one, or none. */
  checkChains() {
    let before = this.lacksFirstRegistry ? this.registries[0].said.predecessor : null;
    for (const log of this.registries) {
      if (log.said.predecessor !== before || (before === null) !== (log.name === "registry")) {
        this.report.add("chain-broken", log.place, says("predecessor", log.said.predecessor, before));
      }
      before = log.origin;
    }
    const followed = new Set();
    for (const log of this.systems) {
      const key = `${log.said.system} ${log.said.predecessor}`;
      if (followed.has(key)) this.report.add("chain-broken", log.place, "two logs of one AI system follow the same one");
      followed.add(key);
    }
  }

  async checkPredecessor(log, stated) {
    const claimed = log.said.predecessor;
    if (stated === null) {
      if (claimed !== null) this.report.add("chain-broken", log.place, says("predecessor", claimed, null));
      return;
    }
    const span = isObject(stated) ? stated.missing : null;
    const fits = Array.isArray(span) && span.length === 2 && span.every((each) => isCount(each)) && span[0] <= span[1];
    const isTail = fits && (!("tail" in stated) || stated.tail === "unknown");
    if (!isTail || !isCount(stated.tree_size) || typeof stated.root_hash !== "string") {
      this.report.add("log-differs", log.place, "entry 0 states no predecessor");
      return;
    }
    if ((stated.origin ?? null) !== claimed) {
      this.report.add("chain-broken", log.place, says("predecessor", claimed, stated.origin));
      return;
    }
    const before = this.byOrigin.get(claimed);
    if (before) await this.checkSuccession(log, before, stated);
    else if (!log.isSystem || (log.said.range !== null && log.span[0] === 0)) this.lacksLog(log.place, shown(claimed));
  }

  /** Whether the bundle, which says that it is not whole, begins with a registry log that succeeded another. */
  get lacksFirstRegistry() {
    return !this.manifest.whole && this.registries[0].said.predecessor !== null;
  }

  lacksLog(place, detail) {
    this.report.add(this.manifest.whole ? "log-missing" : "log-left-out", place, detail);
  }

  async checkSuccession(log, before, stated) {
    if (before.number >= log.number || before.said.system !== log.said.system) {
      this.report.add("chain-broken", log.place, "its predecessor is another AI system's, or comes after it");
    }
    const { tree_size: size, root_hash: root } = stated;
    if (before.size > size || (before.size === size && toHex(before.root) !== root)) {
      this.report.add("record-differs", log.place, says(`tree of ${before.origin}`, size, before.size));
    }
    const recorded = this.reading.largest.get(before.origin) ?? 0;
    if (recorded > size) this.report.add("record-differs", log.place, says(`tree of ${before.origin}`, size, recorded));
    const [from, end] = stated.missing;
    // where nothing is missing, the log before this one goes as far as it was signed
    const first = from < end ? from : Math.max(size, end);
    const isWithin = log.said.range !== null && before.span[1] === before.size && log.span[0] === 0;
    for (const tree of stated.contradicted) {
      const isTail = before.size < tree[0] && tree[0] <= size && (!isWithin || (tree[0] === size && tree[1] === root));
      await this.checkOutside(log.place, before, tree, isTail);
    }
    const more = stated.contradictions - stated.contradicted.length;
    if (more) this.report.add("history-elsewhere", log.place, `${before.origin}: ${grouped(more)} more`);
    if (!log.isSystem && ("tail" in stated || first < end || before.size < first)) this.lost.push(before);
    if (isWithin && "tail" in stated) {
      this.report.add("entries-lost", log.place, `${before.origin}: from ${grouped(before.size)} on, nobody knows how many`);
    } else if (isWithin && (first < end || before.size < first)) {
      const lost = `${before.origin}: ${grouped(Math.min(first, before.size))} to ${grouped(Math.max(end, first) - 1)}`;
      this.report.add("entries-lost", log.place, lost);
    }
  }

  /** A tree of a log that somebody outside holds is its beginning; said once. `isTail`: of what is said to be lost. */
  async checkOutside(place, log, [size, root], isTail = false) {
    const key = `${log.origin} ${size} ${root}`;
    if (this.outside.has(key)) return;
    this.outside.add(key);
    if (isTail) return;
    const found = await log.rootAt(size);
    if (found === null) this.report.add("history-elsewhere", place, `${log.origin} at ${grouped(size)}: root ${root}`);
    else if (toHex(found) !== root) this.report.add("history-forked", place, says(`root of ${log.origin} at ${grouped(size)}`, toHex(found), root));
  }

  /** The logs and the ranges are those of the question. */
  checkQuestion() {
    const { question } = this.manifest;
    if (question.kind === "decision" && this.manifest.whole && !this.answer.figures.decisions) {
      this.report.add("whole-claimed", PLACE, "the decision is not there");
    }
    const { called } = this.manifest;
    if (question.kind === "case" && this.reading.case !== null && called !== null && called !== this.reading.case) {
      this.report.add("manifest-differs", PLACE, says("called", called, this.reading.case));
    }
    if (question.kind === "case" && this.manifest.whole) this.checkCase();
    if (question.kind !== "range") return;
    if (!this.systems.length) this.lacksLog(PLACE, "no log of the AI system");
    this.systems.forEach((log, number) => {
      if (log.said.system !== question.system) this.report.add("log-differs", log.place, says("system", question.system, log.said.system));
      const before = number ? this.systems[number - 1].origin : null;
      if (number && log.said.predecessor !== before) this.report.add("chain-broken", log.place, says("predecessor", log.said.predecessor, before));
      const successor = this.reading.closed.get(log.origin);
      if (successor !== undefined && this.byOrigin.has(successor)) {
        const after = this.byOrigin.get(successor);
        if (!after.isSystem || after.said.predecessor !== log.origin) this.report.add("chain-broken", log.place, `it was succeeded by ${shown(successor)}`);
      } else if (successor !== undefined && log.span[1] === log.size) {
        this.lacksLog(log.place, `it was succeeded by ${shown(successor)}`);
      }
      if (log.checkpoint !== null) this.checkRange(log);
    });
    for (const origin of this.reading.besides) this.lacksLog(PLACE, `${origin} is announced as a log of the AI system`);
  }

  /** The decisions are as many as were put into the case; where that was one act, the very ones. */
  checkCase() {
    const { case: reference, inCases } = this.reading;
    const claims = (detail) => this.report.add("whole-claimed", PLACE, detail);
    if (reference === null) {
      claims("that the case was opened is not disclosed");
      return;
    }
    const { decisions, acts, digest } = inCases.get(reference) ?? { decisions: 0, acts: 0, digest: "" };
    const found = this.answer.figures.decisions;
    if (decisions !== found) claims(says("decisions of the case", found, decisions));
    else if (acts === 1 && digest !== this.answer.digest) claims("other decisions than those of the case");
    this.isCaseProven = acts <= 1;
  }

  checkRange(log) {
    const { since, until } = this.answer;
    const { times, place } = log;
    const [first, end] = log.span;
    const wrong = (detail) => this.report.add("range-wrong", place, detail);
    if (first && since === null) {
      wrong(says("first", first, 0));
    } else if (first) {
      if (!times.has(first - 1)) this.report.add("fence-missing", place, `index ${grouped(first - 1)}`);
      else if (times.get(first - 1) >= since) wrong(`index ${grouped(first - 1)} was received since ${since}`);
    }
    if (since !== null && times.has(first) && times.get(first) < since) wrong(`index ${grouped(first)} was received before ${since}`);
    if (end < log.size && until === null) {
      wrong(says("end", end, log.size));
    } else if (end < log.size) {
      if (!times.has(end)) this.report.add("fence-missing", place, `index ${grouped(end)}`);
      else if (times.get(end) < until) wrong(`index ${grouped(end)} was received before ${until}`);
    }
    this.checkEnd(log);
    if (until !== null && end && (times.get(end - 1) ?? "") >= until) wrong(`index ${grouped(end - 1)} was received since ${until}`);
  }

  /** A range that ends with its tree: no larger one was recorded before what was asked for was over. */
  checkEnd(log) {
    const larger = this.reading.larger.get(log.origin);
    const over = this.answer.until ?? moment(this.manifest.asked.at);
    if (!larger || over === null || log.span[1] < log.size || !this.manifest.whole) return;
    if (this.systems.some((each) => each.said.predecessor === log.origin)) return; // what its successor states of it says more
    if (microseconds(larger.at) + CLOCK_BACK > microseconds(over)) return;
    this.report.add("range-wrong", log.place, `a tree of ${grouped(larger.size)} entries was recorded at ${larger.at}`);
  }

  /** Whether an entry beside a range shows where it begins or ends. */
  get hasFences() {
    const begins = this.answer.since !== null && this.systems.some((log) => log.span[0]);
    return begins || (this.answer.until !== null && this.systems.some((log) => log.span[1] < log.size));
  }

  /** Who asked, when and for what is what the registry log holds. */
  async checkAsked() {
    const { asked } = this.manifest;
    this.checkMadeAt();
    const differs = (detail) => this.report.add("asked-differs", PLACE, detail);
    this.checkAsking("asked", asked.entry, "export.requested", asked.by);
    const entry = this.reading.asked.get(asked.entry);
    let parts = [];
    if (entry) {
      if (moment(asked.at) !== entry.at) differs(says("at", asked.at, entry.at));
      parts = this.checkWish("", entry.body);
      for (const name of [...this.contents.names].sort()) if (!parts.includes(name)) differs(`${name} was not asked for, and is disclosed`);
      if (this.manifest.question.kind === "range") await this.checkAsAsked(entry);
    }
    if (asked.approval === null) {
      if (this.contents.disclosed) differs("contents are disclosed, and nobody approved it");
      return;
    }
    this.checkAsking("approval", asked.approval, "export.approved", asked.approved_by);
    const approval = this.reading.asked.get(asked.approval);
    if (asked.approved_by === asked.by) differs("approval: by whoever asked");
    if (approval && entry) {
      const agreed = this.checkWish("approval: ", approval.body);
      if (agreed.length !== parts.length || agreed.some((each, at) => each !== parts[at])) differs("approval: of other contents");
      const [one, other] = [approval.place, entry.place];
      if (one[0] < other[0] || (one[0] === other[0] && one[1] < other[1])) differs("approval: from before it was asked for");
    }
  }

  /** Each log that the AI system had when it was asked for is there, and no smaller where its range ends with it. */
  async checkAsAsked(entry) {
    const trees = entry.body.logs;
    if (this.answer.until !== null && this.answer.until > entry.at) this.report.add("range-wrong", PLACE, "it ends after it was asked for");
    if (!Array.isArray(trees) || !trees.every((each) => Array.isArray(each) && each.length === 3 && typeof each[0] === "string" && isTree(each.slice(1)))) {
      this.report.add("asked-differs", PLACE, "no list of the AI system's logs was sealed");
      return;
    }
    for (const [origin, size, root] of trees) {
      const log = this.byOrigin.get(origin);
      if (!log?.isSystem) {
        this.lacksLog(PLACE, `${shown(origin)} was there when it was asked for`);
      } else if (log.checkpoint !== null && size > log.size) {
        const isShort = log.span[1] === log.size && this.manifest.whole;
        if (isShort) this.report.add("range-wrong", log.place, says("tree when it was asked for", size, log.size));
      } else if (log.checkpoint !== null) {
        const found = await log.rootAt(size);
        if (found === null) this.report.add("record-not-comparable", log.place, `${origin} at ${grouped(size)}`);
        else if (toHex(found) !== root) this.report.add("record-differs", log.place, says(`root of ${origin} at ${grouped(size)}`, toHex(found), root));
      }
    }
  }

  /** It was made after it was asked for and approved, and after what it holds was received; clocks may differ a little. */
  checkMadeAt() {
    const { asked, made_at: said } = this.manifest;
    const made = moment(said);
    const found = [asked.entry, asked.approval].map((id) => this.reading.asked.get(id)?.at ?? "");
    // a clock that was set back, which is told, says nothing of when it was made
    const received = this.report.counts["clock-back"] ? "" : (this.answer.last ?? "");
    const last = [...found, received].sort().pop();
    if (made !== null && last && microseconds(last) - microseconds(made) > CLOCK_BACK) this.report.add("manifest-differs", PLACE, says("made_at", said, last));
  }

  /** What was asked for, or approved, is the manifest's question as a bundle. Out: the contents that it names. */
  checkWish(name, body) {
    const { question } = this.manifest;
    const { question: said, parts } = body;
    const differs = (detail) => this.report.add("asked-differs", PLACE, name + detail);
    if (!isObject(said)) differs("no question was sealed");
    for (const each of isObject(said) ? Object.keys(question).sort() : []) {
      if (!isSame(said[each] ?? null, question[each])) differs(says(`question.${each}`, question[each], said[each] ?? null));
    }
    if (body.form !== "bundle") differs(says("form", "bundle", body.form ?? null));
    if (Array.isArray(parts) && parts.every((each) => typeof each === "string")) return parts;
    differs("no list of contents was sealed");
    return [];
  }

  checkAsking(name, identifier, kind, person) {
    const entry = this.reading.asked.get(identifier);
    const differs = (detail) => this.report.add("asked-differs", PLACE, `${name}: ${detail}`);
    if (entry?.kind !== kind) differs("no such entry is disclosed");
    else if (entry.actor.type !== "person" || entry.actor.id !== person) differs("by somebody else");
    else if (entry.body.about !== this.manifest.id) differs("of another export");
  }

  /** What is left out is said, and makes the bundle incomplete. */
  checkWhole() {
    const withheld = this.systems.reduce((total, log) => total + log.span[1] - log.span[0] - log.disclosedInRange, 0);
    if (withheld) {
      this.report.add("entries-withheld", PLACE, grouped(withheld));
      if (this.manifest.whole) this.report.add("whole-claimed", PLACE, `withheld entries: ${grouped(withheld)}`);
    }
    if (!this.manifest.whole) this.report.add("not-whole", PLACE, shown(this.manifest.left_out.slice(0, 5).join("; "), 500));
  }
}

/** Equal, or the same time. */
function isSame(one, other) {
  return one === other || (moment(one) !== null && moment(one) === moment(other));
}
