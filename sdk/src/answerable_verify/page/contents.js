/** Disclosed contents, read beside the entries. Twin of `Contents` of verify.py. */

import { Damage, Malformed, decodeBase64, decodeUtf8, expect, fromHex, isCount, isHex32, isObject, readJson, toHex, utf8 } from "./basics.js";
import { sha256 } from "./hashes.js";
import { linesOf, startOf } from "./logs.js";
import { ALL_PARTS, LIMITS, PARTS } from "./words.js";

export class Contents {
  static async open(bundle, logs) {
    const contents = new Contents();
    Object.assign(contents, { bundle, report: bundle.report, disclosed: 0, names: new Set(), wrong: 0 });
    contents.numbers = new Map(logs.map((log) => [log.name, log.number]));
    contents.parts = contents.read();
    await contents.advance();
    return contents;
  }

  async advance() {
    this.next = (await this.parts.next()).value ?? null;
  }

  async *read() {
    const names = this.bundle.numbered("parts", ".ndjson");
    let before = [-1, -1, -1];
    try {
      for await (const { name, number, bytes, ends } of linesOf(this.bundle, names, LIMITS.part, "part-malformed")) {
        for (let line = 0; line < ends.length; line++) {
          const place = `${name}:${number + line}`;
          let part;
          try {
            part = this.parse(bytes.subarray(startOf(ends, line), ends[line]), place);
          } catch (error) {
            this.refuse("part-malformed", place, expect(error, Malformed).message);
            this.requirePatience(place);
            continue;
          }
          const order = [part.log, part.index, ALL_PARTS.indexOf(part.name)];
          if (inOrder(order, before) <= 0) throw new Damage("part-malformed", place, "out of order");
          before = order;
          yield part;
          this.requirePatience(place);
        }
      }
    } catch (error) {
      this.report.note(expect(error, Damage));
    }
  }

  requirePatience(place) {
    if (this.wrong > LIMITS["wrong parts"]) throw new Damage("part-malformed", place, "too many lines are wrong: no more are read");
  }

  refuse(code, place, detail = "") {
    this.wrong++;
    this.report.add(code, place, detail);
  }

  parse(line, place) {
    const row = readJson(decodeUtf8(line), LIMITS["part values"]);
    const form = isObject(row) && "text" in row ? "text" : "base64";
    const members = ["index", "key", "log", "part", form].sort().join();
    if (!isObject(row) || Object.keys(row).sort().join() !== members) throw new Malformed("not the members of a part");
    const { log, index, part: name, key } = row;
    if (!isCount(index) || !ALL_PARTS.includes(name) || !isHex32(key)) throw new Malformed("index, part or key");
    if (typeof row[form] !== "string" || typeof log !== "string" || !this.numbers.has(log)) throw new Malformed("log or content");
    if (form === "text" && /\p{Surrogate}/u.test(row.text)) throw new Malformed("a lone surrogate");
    const data = form === "text" ? utf8(row.text) : decodeBase64(row.base64);
    return { log: this.numbers.get(log), index, name, key: fromHex(key), data, place };
  }

  /** Whether there are parts of this entry, or of entries before it. */
  isDue(log, index) {
    return this.next !== null && inOrder([this.next.log, this.next.index], [log, index]) <= 0;
  }

  /** The parts of an entry. Those of entries before it, which nobody asked for, belong to none. */
  async of(log, index) {
    const found = [];
    while (this.isDue(log, index)) {
      if (this.next.log === log && this.next.index === index) found.push(this.next);
      else this.refuse("part-unknown", this.next.place);
      await this.advance();
    }
    return found;
  }

  /** Whatever is left belongs to no disclosed entry. */
  async end() {
    for (; this.next !== null; await this.advance()) this.refuse("part-unknown", this.next.place);
  }

  /** Compare an entry's parts with its commitments. Out: the names of those that fit. */
  open(parts, kind, body) {
    const fit = new Set();
    let state = null;
    for (const part of parts) {
      const expected = committed(part.name, kind, body, state);
      if (expected === null) {
        this.report.add("part-unknown", part.place);
      } else if (toHex(sha256(part.key, part.data)) !== expected) {
        this.report.add("part-altered", part.place);
      } else {
        fit.add(part.name);
        if (part.name === "state") state = part.data;
      }
    }
    this.disclosed += fit.size;
    for (const name of fit) this.names.add(name);
    return fit;
  }
}

function inOrder(one, other) {
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return one[at] < other[at] ? -1 : 1;
  return 0;
}

function committed(name, kind, body, state) {
  let held = body;
  if (PARTS.includes(name)) held = kind === "decision.recorded" ? body.commitments : null;
  else if (name === "particulars") held = stated(state);
  const found = isObject(held) ? held[name] : null;
  return isHex32(found) ? found : null;
}

function stated(state) {
  try {
    return state?.length ? readJson(decodeUtf8(state)) : null;
  } catch (error) {
    expect(error, Malformed);
    return null;
  }
}
