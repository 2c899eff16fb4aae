/** What others have seen of the logs: heads that were kept, witnesses, time-stamp authorities. Twin of those steps of `Check`. */

import { Damage, Malformed, Unsupported, equal, expect, grouped, inWords, microseconds, says, shown, toHex, utf8 } from "./basics.js";
import { Claims } from "./claims.js";
import { fingerprint } from "./hashes.js";
import { COSIGNATURE, cosignedAt, parseCheckpoint, signs } from "./notes.js";
import { checkTimestamp, isByAuthority } from "./timestamps.js";
import { CLOCK_SLACK } from "./words.js";

export class Anchors extends Claims {
  async checkBefore() {
    for (const log of this.logs) {
      const place = `${log.place}/checkpoint.before`;
      if (log.said.before === null || log.checkpoint === null || !this.bundle.has(place)) continue;
      let found;
      try {
        found = parseCheckpoint(await this.bundle.read(place));
      } catch (error) {
        if (expect(error, Malformed, Damage) instanceof Damage) throw error;
        this.report.add("before-differs", place, error.message);
        continue;
      }
      if (found.origin !== log.origin || found.size !== log.said.before) {
        this.report.add("before-differs", place, says("tree_size", log.said.before, found.size));
        continue;
      }
      const root = await log.rootAt(found.size);
      if (root === null || !equal(root, found.root)) {
        this.report.add(root === null ? "tile-missing" : "before-differs", place);
        continue;
      }
      await this.checkSeen(log, found, place);
      const [word] = await this.trust.signers(found.note, log, this.opened(log), found.size, place);
      if (word !== "trusted") this.report.add("before-unsigned", place);
      else this.say("p_before", { log: log.title, size: found.size });
    }
  }

  /** The heads that the caller kept are of the beginning of their logs. */
  async checkHeads() {
    for (const [path, head] of this.options.heads) {
      const log = this.byOrigin.get(head.origin);
      const place = `--head ${shown(path)}`;
      if (!log) {
        this.report.add("head-elsewhere", place, shown(head.origin));
        continue;
      }
      if (!log.checkpoint) continue; // that it lacks one is said
      const root = await log.rootAt(head.size);
      if (root === null) {
        const why = head.size > log.size ? "it is of a larger tree" : "the tiles do not suffice";
        this.report.add("head-not-comparable", place, why);
      } else if (!equal(root, head.root)) {
        this.report.add("head-forked", place, `${log.origin} at ${grouped(head.size)}`);
      } else {
        this.compared.add(log.number);
        await this.checkSeen(log, head, place);
        this.say("p_head", { log: log.title, size: head.size });
      }
    }
  }

  /** What the registry logs recorded of a log is its beginning, and so is what others hold of it. */
  async checkRecords() {
    for (const origin of [...this.reading.outside.keys()].sort()) {
      const log = this.byOrigin.get(origin);
      for (const tree of this.reading.outside.get(origin)) await this.checkOutside(log.place, log, tree);
    }
    const newest = new Map();
    for (const { origin, size } of this.reading.records.values()) newest.set(origin, Math.max(size, newest.get(origin) ?? 0));
    for (const key of [...this.reading.records.keys()].sort()) {
      const { origin, size, root } = this.reading.records.get(key);
      const log = this.byOrigin.get(origin);
      const found = await log.rootAt(size);
      if (found === null) {
        if (size === newest.get(origin)) this.report.add("record-not-comparable", log.place, `${origin} at ${grouped(size)}`);
        continue;
      }
      if (toHex(found) === root) this.say("p_record", { log: log.title, size });
      else if (size !== log.size) this.report.add("record-differs", log.place, says(`root of ${origin} at ${grouped(size)}`, toHex(found), root));
    }
  }

  /** What stands behind an earlier tree was not received long before a witness of the policy saw that tree. */
  async checkSeen(log, seen, place) {
    for (const line of this.options.policy ? seen.note.signatures : []) {
      for (const key of this.options.policy.witnesses.values()) {
        const isKey = line.name === key.name && line.id === key.id && key.type === COSIGNATURE;
        if (!isKey || cosignedAt(line) > BigInt(this.options.now + CLOCK_SLACK) || !(await signs(key, seen.note, line))) continue;
        this.isContradicted(log, Number(cosignedAt(line)) * 1e6, seen.size, `${place}: ${shown(key.name)}`);
      }
    }
  }

  /** Whether receipt times in the log contradict that somebody saw its tree at these microseconds; it is noted. */
  isContradicted(log, at, size, place) {
    const received = log.contradicts(at, size);
    if (received) this.report.add("clock-contradicted", place, `${inWords(BigInt(Math.floor(at / 1e6)))}, and ${received}`);
    return Boolean(received);
  }

  /** The policy's quorum has cosigned each log, or a registry log that recorded it. Out: whether it has. */
  async checkWitnesses() {
    const { policy } = this.options;
    if (!policy) return false;
    const met = new Map();
    for (const log of this.logs) if (log.checkpoint) met.set(log, policy.isMetBy(await this.cosigners(log, policy)));
    const seen = this.registries.filter((log) => met.get(log)).map((log) => log.number);
    for (const log of this.logs) {
      if (log.checkpoint && !met.get(log) && !(log.isSystem && (await this.isRecorded(log, seen)))) {
        this.report.add("quorum-not-met", `${log.place}/checkpoint`);
      }
    }
    return policy.quorum !== "none" && !this.report.counts["quorum-not-met"];
  }

  async cosigners(log, policy) {
    const names = [];
    const place = `${log.place}/checkpoint`;
    for (const line of log.checkpoint.note.signatures) {
      for (const [name, key] of policy.witnesses) {
        if (line.name !== key.name || line.id !== key.id || key.type !== COSIGNATURE) continue;
        const at = cosignedAt(line);
        if (!(await signs(key, log.checkpoint.note, line))) {
          this.report.add("cosignature-invalid", place, shown(key.name));
        } else if (this.trust.isKnown(key.hex) || at === 0n || at > BigInt(this.options.now + CLOCK_SLACK)) {
          this.report.add("cosignature-ignored", place, shown(key.name));
        } else if (!this.isContradicted(log, Number(at) * 1e6, log.size, `${place}: ${shown(key.name)}`)) {
          names.push(name);
          this.say("p_witness", { log: log.title, witness: key.name, at: inWords(at) });
        }
      }
    }
    return names;
  }

  /** Whether a registry log that was cosigned has recorded a tree of this log that holds all that is proven here. */
  async isRecorded(log, registries) {
    for (const { number, origin, size, root } of this.reading.records.values()) {
      if (!registries.includes(number) || origin !== log.origin || size < Math.max(log.needed, log.span[1])) continue;
      const found = await log.rootAt(size);
      if (found !== null && toHex(found) === root) return true;
    }
    return false;
  }

  /** Each time-stamp is one of its checkpoint. Out: the logs with one by an authority that the caller knows. */
  async checkTimestamps() {
    const stamped = [];
    for (const log of this.logs) {
      for (let number = 0; number < log.said.timestamps; number++) {
        const place = `${log.place}/timestamps/${String(number).padStart(6, "0")}.tsr`;
        if (log.checkpoint === null || !this.bundle.has(place)) continue;
        const data = await this.bundle.read(place);
        let [stamp, isKnown] = [null, false];
        try {
          stamp = await checkTimestamp(data, utf8(log.checkpoint.note.text));
          isKnown = await isByAuthority(stamp, this.options.certificates);
        } catch (error) {
          const code = error instanceof Unsupported ? "timestamp-unsupported" : "timestamp-invalid";
          this.report.add(code, place, expect(error, Malformed).message);
          continue;
        }
        if (this.isContradicted(log, microseconds(stamp.at), log.size, place)) continue;
        const facts = { log: log.title, at: stamp.at, fingerprint: fingerprint(stamp.signer.whole) };
        if (isKnown) {
          stamped.push(log.number);
          this.say("p_time", { ...facts, authority: facts.fingerprint });
        } else {
          this.report.add("timestamp-unknown", place);
          this.report.notProven.push(["n_tsa", facts]);
        }
      }
    }
    if (this.options.certificates.length && !stamped.length) this.report.add("timestamp-unproven", "");
    return stamped;
  }
}
