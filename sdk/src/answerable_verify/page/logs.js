/** Logs: checkpoint, tiles, entries. Twin of the first part of section 10 of verify.py. */

import {
  Damage, KIND, Malformed, concat, equal, expect, fromHex, grouped, isCount, isHex32, isObject, isUuid, latin1, microseconds, moment,
  readJson, says, toHex,
} from "./basics.js";
import { leafHash } from "./hashes.js";
import { parseCheckpoint } from "./notes.js";
import { WIDTH, countAt, foldPerfect, parseTileName, rootOf, tileName, tileWidth, topLevel } from "./tree.js";
import { CLOCK_BACK, CLOCKS_APART, LIMITS, PARTS } from "./words.js";

/** The lines of files, some at a time: { name, number, bytes, ends }; line n is [ends[n - 1] + 1, ends[n]). Errors: Damage. */
export async function* linesOf(bundle, names, limit, code) {
  for (const name of names) {
    let rest = new Uint8Array();
    let number = 1;
    for await (const data of bundle.chunks(name)) {
      const bytes = rest.length ? concat(rest, data) : data;
      const ends = [];
      let start = 0;
      let end = bytes.indexOf(10);
      for (; end >= 0 && end - start <= limit; end = bytes.indexOf(10, start)) {
        ends.push(end);
        start = end + 1;
      }
      rest = bytes.slice(start);
      if (ends.length) yield { name, number, bytes, ends };
      number += ends.length;
      if (end >= 0 || rest.length > limit) throw new Damage(code, `${name}:${number}`, "a line is too long");
    }
    if (rest.length || number === 1) throw new Damage(code, `${name}:${number}`, "the last line does not end");
  }
}

export const startOf = (ends, line) => (line ? ends[line - 1] + 1 : 0);

/** One log of the bundle: what the manifest says of it, and what is derived while it is checked. */
export class Log {
  constructor(bundle, said, number) {
    Object.assign(this, { bundle, report: bundle.report, said, number, name: said.log, origin: said.origin });
    Object.assign(this, { place: `logs/${said.log}`, span: said.range ?? [0, 0], size: said.tree_size, root: fromHex(said.root_hash) });
    Object.assign(this, { checkpoint: null, widths: new Map(), disclosed: 0, disclosedInRange: 0, needed: 0, opening: null });
    Object.assign(this, { times: new Map(), events: [], announced: new Map(), retired: new Map(), signed: "", latest: "", newestAt: "", behind: new Map() });
    Object.assign(this, { tiles: new Map(), missing: new Set() });
    this.tile = this.tile.bind(this);
  }

  get isSystem() {
    return this.said.kind === "system";
  }

  /** What it is called in sentences. */
  get title() {
    return this.isSystem ? `Log ${this.name}` : this.name === "registry" ? "Registry log" : `Registry log ${this.name}`;
  }

  /** Read the checkpoint and compare it with the manifest. Out: whether there is one. */
  async readCheckpoint() {
    const place = `${this.place}/checkpoint`;
    if (!this.bundle.has(place)) return false;
    let found;
    try {
      found = parseCheckpoint(await this.bundle.read(place));
    } catch (error) {
      if (expect(error, Malformed, Damage) instanceof Damage) this.report.note(error);
      else this.report.add("checkpoint-malformed", place, error.message);
      return false;
    }
    const claims = [["origin", this.origin, found.origin], ["tree_size", this.size, found.size], ["root_hash", toHex(this.root), toHex(found.root)]];
    for (const [name, claimed, derived] of claims) {
      if (claimed !== derived) this.report.add("checkpoint-differs", place, says(name, claimed, derived));
    }
    Object.assign(this, { checkpoint: found, size: found.size, root: found.root });
    return true;
  }

  /** A tile's hashes; null where it is not there. A few are kept. */
  async tile(level, index) {
    const key = `${level}/${index}`;
    if (!this.tiles.has(key)) {
      if (this.tiles.size >= 16) this.tiles.delete(this.tiles.keys().next().value);
      this.tiles.set(key, await this.readTile(key, level, index));
    }
    return this.tiles.get(key);
  }

  async readTile(key, level, index) {
    const width = this.widths.get(key)?.[2];
    if (width === undefined) return null;
    const name = `${this.place}/${tileName(level, index, width)}`;
    let data;
    try {
      data = await this.bundle.read(name);
    } catch (error) {
      this.widths.delete(key);
      this.report.note(expect(error, Damage));
      return null;
    }
    if (data.length === 32 * width) return data;
    this.widths.delete(key);
    this.report.add("tile-altered", name, says("bytes", 32 * width, data.length));
    return null;
  }

  miss(level, index) {
    const name = `${this.place}/${tileName(level, index, tileWidth(this.size, level, index))}`;
    if (!this.missing.has(name) && this.missing.size <= LIMITS.listed) {
      this.missing.add(name);
      this.report.add("tile-missing", name);
    }
  }

  /** Each tile is one of the tree, and each hash in it is proven: by its parent, up to the edge and the root. */
  async checkTiles(names) {
    for (const name of names) {
      const [level, index, width] = parseTileName(name.slice(this.place.length + 1)) ?? [0, 0, 0];
      if (width !== tileWidth(this.size, level, index)) this.report.add("tile-unexpected", name);
      else this.widths.set(`${level}/${index}`, [level, index, width]);
    }
    for (let level = this.size ? topLevel(this.size) : -1; level >= 0; level--) {
      const count = countAt(this.size, level);
      const edge = Math.floor(count / WIDTH);
      if (count % WIDTH && !this.widths.has(`${level}/${edge}`)) this.miss(level, edge);
    }
    const root = await rootOf(this.size, this.tile);
    if (root !== null && !equal(root, this.root)) this.report.add("root-differs", `${this.place}/checkpoint`);
    const ordered = [...this.widths.values()].sort((one, other) => other[0] - one[0] || one[1] - other[1]);
    for (const [level, index, width] of ordered) {
      if (width === WIDTH && this.widths.has(`${level}/${index}`)) await this.checkFullTile(level, index);
    }
  }

  async checkFullTile(level, index) {
    const parent = Math.floor(index / WIDTH);
    const above = await this.tile(level + 1, parent);
    if (above === null) return this.miss(level + 1, parent);
    const data = await this.tile(level, index);
    const at = 32 * (index % WIDTH);
    if (data !== null && !equal(foldPerfect(data), above.subarray(at, at + 32))) {
      this.report.add("tile-altered", `${this.place}/${tileName(level, index, WIDTH)}`);
    }
  }

  /** The tiles of the range are there. */
  checkRangeTiles() {
    const [first, end] = this.span;
    if (first >= end) return;
    for (let index = Math.floor(first / WIDTH); index <= Math.floor((end - 1) / WIDTH); index++) {
      if (!this.widths.has(`0/${index}`)) {
        this.miss(0, index);
        if (this.missing.size > LIMITS.listed) return;
      }
    }
  }

  /** The root of the tree of the first `size` entries, where the tiles in the bundle suffice. */
  async rootAt(size) {
    return size <= this.size ? rootOf(size, this.tile) : null;
  }

  /** The disclosed runs as first index and end. Errors: Damage. */
  async *runs() {
    const place = `${this.place}/disclosed`;
    let before = -1;
    if (!this.bundle.has(place)) return;
    if (this.bundle.container.sizes.get(place) === 0) {
      await this.bundle.read(place);
      return;
    }
    for await (const { name, number, bytes, ends } of linesOf(this.bundle, [place], 64, "disclosed-malformed")) {
      const text = latin1(bytes);
      for (let line = 0; line < ends.length; line++) {
        const found = /^(0|[1-9][0-9]{0,15}) ([1-9][0-9]{0,15})$/.exec(text.slice(startOf(ends, line), ends[line]));
        const [first, count] = found ? [Number(found[1]), Number(found[2])] : [-1, 0];
        if (first <= before || first + count > this.size) throw new Damage("disclosed-malformed", `${name}:${number + line}`);
        before = first + count;
        yield [first, before];
      }
    }
  }

  /** Each disclosed entry is the one whose leaf hash stands in the tree. `read` is told each, in order. */
  async checkEntries(read) {
    const runs = this.runs();
    const next = async () => (await runs.next()).value ?? [-1, -1];
    let [index, end] = await next();
    const names = this.bundle.numbered(`${this.place}/entries`, ".ndjson");
    for await (const { name, number, bytes, ends } of linesOf(this.bundle, names, LIMITS.line, "entries-malformed")) {
      const hashes = new Uint8Array(32 * ends.length);
      for (let line = 0; line < ends.length; line++) leafHash(bytes, startOf(ends, line), ends[line], hashes, 32 * line);
      // one character a byte, whatever the byte
      const text = onePerByte.decode(bytes);
      for (let at = 0; at < ends.length; ) {
        if (index < 0) throw new Damage("entry-extra", `${name}:${number + at}`);
        const count = Math.min(ends.length - at, end - index, WIDTH - (index % WIDTH));
        await this.compare(index, hashes.subarray(32 * at, 32 * (at + count)), name, number + at);
        for (let line = at; line < at + count; line++) {
          const waiting = read.entry(this, index + line - at, text.slice(startOf(ends, line), ends[line]), `${name}:${number + line}`);
          if (waiting) await waiting;
        }
        at += count;
        index += count;
        if (index === end) [index, end] = await next();
      }
    }
    if (index >= 0) throw new Damage("entry-missing", `${this.place}/entries`, `from index ${grouped(index)} on`);
  }

  async compare(index, hashes, name, number) {
    const count = hashes.length / 32;
    const tile = await this.tile(0, Math.floor(index / WIDTH));
    const at = 32 * (index % WIDTH);
    if (tile === null) {
      // nothing here can be proven, and whoever says that there are more entries than tiles gets no time for it
      this.miss(0, Math.floor(index / WIDTH));
      throw new Damage("tile-missing", `${this.place}/entries`, `from index ${grouped(index)} on nothing is checked`);
    }
    if (!equal(tile.subarray(at, at + hashes.length), hashes)) {
      for (let line = 0; line < count; line++) {
        if (!equal(tile.subarray(at + 32 * line, at + 32 * line + 32), hashes.subarray(32 * line, 32 * line + 32))) {
          this.report.add("entry-altered", `${name}:${number + line}`, `index ${grouped(index + line)}`);
        }
      }
    }
    this.disclosed += count;
    this.needed = index + count;
    this.disclosedInRange += Math.max(0, Math.min(this.span[1], this.needed) - Math.max(this.span[0], index));
  }

  /** Note when an entry was received, to be compared with clocks outside. */
  heard(index, at) {
    if (at > this.newestAt) this.newestAt = at;
    for (const [size, earliest] of this.behind) if (index >= size && (!earliest || at < earliest)) this.behind.set(size, at);
  }

  /** Which receipt time says that nobody can have seen the tree of this size at these microseconds; empty: none does. */
  contradicts(at, size) {
    if (size >= this.size && this.newestAt && microseconds(this.newestAt) - at > CLOCKS_APART) return this.newestAt;
    const earliest = this.behind.get(size) ?? "";
    return earliest && at - microseconds(earliest) > CLOCKS_APART ? earliest : "";
  }

  /** Note when an entry was received: the ends of the range, and a clock that goes back in it. */
  saw(index, at, place) {
    const [first, end] = this.span;
    if (index === first - 1 || index === first || index === end - 1 || index === end) this.times.set(index, at);
    if (index < first - 1 || index > end) return;
    if (at >= this.latest) this.latest = at;
    else if (microseconds(this.latest) - microseconds(at) > CLOCK_BACK) this.report.add("clock-back", place);
  }
}

const onePerByte = new TextDecoder("windows-1252");

/** An entry as docs/log-format.md has it, from a text of one character a byte. Errors: Malformed. */
export function parseEntry(text) {
  if (text.length > LIMITS.entry) throw new Malformed("too long");
  if (/[^\u0000-\u007f]/.test(text)) throw new Malformed("not ASCII");
  if (/[\u0000-\u001f\u007f]/.test(text)) throw new Malformed("a control character");
  const entry = readJson(text);
  if (!isObject(entry) || entry.v !== 1) throw new Malformed("not an entry of version 1");
  const { kind, actor, at } = entry;
  if (!isUuid(entry.id) || typeof kind !== "string" || kind.length > 100 || !KIND.test(kind)) throw new Malformed("no id, or no kind");
  if (at === undefined || at === null || moment(at) !== at) throw new Malformed("no time");
  if (!isObject(actor) || typeof actor.type !== "string" || !isObject(entry.body)) throw new Malformed("no actor, or no body");
  return entry;
}

/** What is read of a decision is of the type it must have. Errors: Malformed. */
export function checkDecision(body) {
  const { flags = null, commitments, adverse = null, source_id: source = null, source_seq: number = null, error_type: error = null } = body;
  if (typeof body.system !== "string" || typeof body.outcome !== "string") throw new Malformed("a decision without system or outcome");
  if (typeof body.model_version !== "string" || (error !== null && typeof error !== "string")) throw new Malformed("a decision without model version");
  if (!isObject(commitments) || !Object.keys(commitments).every((name) => PARTS.includes(name))) throw new Malformed("a decision without commitments");
  if (!Object.values(commitments).every(isHex32)) throw new Malformed("a commitment that is none");
  if ((adverse !== null && typeof adverse !== "boolean") || (flags !== null && !Array.isArray(flags))) throw new Malformed("adverse or flags");
  if ((source !== null && !isUuid(source)) || (number !== null && !isCount(number, 2n ** 63n - 1n))) throw new Malformed("source or number");
}
