/** Which keys may be trusted. Twin of `Trust` of verify.py. Public keys are kept in hex. */

import { Malformed, decodeBase64, expect, fromHex, grouped, isHex32, utf8 } from "./basics.js";
import { ed25519Verifies } from "./ed25519.js";
import { ED25519, Key } from "./notes.js";

const STATEMENT = "answerable/key-announcement/v1";
export const LOG_NAME = /^([A-Za-z0-9_.:/-]{1,200})\/logs\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|registry)$/;

/** A key of the installation under the name of a log. */
export const keyUnder = (origin, hex) => new Key(origin, ED25519, fromHex(hex));

export class Trust {
  constructor(given) {
    Object.assign(this, { given: new Set(given), trusted: new Set(given), chain: new Set(), retired: new Map(), places: new Map() });
  }

  get hasKey() {
    return this.given.size > 0;
  }

  /** Keys whose failing signature refuses a note. */
  get known() {
    return new Set([...this.trusted, ...this.chain]);
  }

  isKnown(hex) {
    return this.trusted.has(hex) || this.chain.has(hex);
  }

  /** Follow the announcements and retirements in the registry logs, from the first on. */
  async read(registries) {
    for (const [order, log] of registries.entries()) {
      for (const { index, place, kind, body } of log.events) {
        const hex = body.public_key;
        if (kind === "key.retired") {
          if (this.isKnown(hex) && !this.retired.has(hex)) this.retired.set(hex, [order, index]);
        } else if (await this.announce(log, hex, body)) {
          if (!this.places.has(hex)) this.places.set(hex, [order, index]);
        } else {
          log.report.add("announcement-invalid", place, `index ${grouped(index)}`);
        }
      }
    }
  }

  /** Take a key in. Out: whether it was announced as it must be. */
  async announce(log, hex, body) {
    if (body.key_id !== keyUnder(log.origin, hex).id) return false;
    if (!this.chain.size) {
      // the first of all is announced by nobody: it comes from elsewhere, or proves nothing
      this.chain.add(hex);
      if (!this.given.size) this.trusted.add(hex);
      return true;
    }
    if (this.chain.has(hex)) return true;
    if (this.given.has(hex) && (body.previous ?? null) === null) return true;
    const by = isHex32(body.previous) ? body.previous : "";
    if (!this.isKnown(by) || this.retired.has(by) || !(await hasSigned(by, log, hex, body.signature))) return false;
    if (this.chain.has(by)) this.chain.add(hex);
    if (this.trusted.has(by)) this.trusted.add(hex);
    return true;
  }

  /** Whether a key's signature under a tree of `size` entries of a log counts. */
  counts(hex, log, opened, size) {
    const [retired, announced, gone] = [log.retired.get(hex), log.announced.get(hex), this.retired.get(hex)];
    if (retired !== undefined && size > retired) return false;
    if (gone && opened && (gone[0] < opened[0] || (gone[0] === opened[0] && gone[1] < opened[1]))) return false;
    return this.given.has(hex) || announced === undefined || size > announced;
  }

  /** Whether a key that was announced in the log after those that signed a tree of it should have signed it too. */
  lacksNewer(by, log, size) {
    const isBefore = (one, other) => one[0] < other[0] || (one[0] === other[0] && one[1] < other[1]);
    const newest = by.map((hex) => this.places.get(hex) ?? [-1, 0]).reduce((one, other) => (isBefore(one, other) ? other : one));
    return [...log.announced].some(([hex, index]) => index < size && isBefore(newest, this.places.get(hex) ?? newest) && !this.retired.has(hex));
  }

  /**
   * Who of the log's keys has signed a note: a word for it, and the keys. A known key's bad signature is a finding.
   * The words: `trusted`, `earlier` (a key of the chain that was not given), `retired`, `unknown`, `invalid`.
   */
  async signers(note, log, opened, size, place) {
    const byId = new Map();
    for (const hex of this.known) {
      const { id } = keyUnder(log.origin, hex);
      byId.set(id, [...(byId.get(id) ?? []), hex]);
    }
    const valid = new Set();
    for (const line of note.signatures) {
      const keys = line.name === log.origin ? (byId.get(line.id) ?? []) : [];
      let found = false;
      for (const hex of keys) {
        if (await ed25519Verifies(fromHex(hex), utf8(note.text), line.data)) {
          found = true;
          valid.add(hex);
        }
      }
      if (keys.length && !found) {
        log.report.add("signature-invalid", place, `key ${line.id}`);
        return ["invalid", []];
      }
    }
    const counting = [...valid].filter((hex) => this.counts(hex, log, opened, size)).sort();
    const trusted = counting.filter((hex) => this.trusted.has(hex));
    if (trusted.length) return ["trusted", trusted];
    if (counting.length && [...this.trusted].some((hex) => this.chain.has(hex))) return ["earlier", counting];
    return [[...valid].some((hex) => this.trusted.has(hex)) ? "retired" : "unknown", []];
  }
}

async function hasSigned(by, log, hex, signature) {
  if (typeof signature !== "string" || signature.length > 200 || signature.includes("=")) return false;
  let data;
  try {
    data = decodeBase64(signature + "=".repeat((4 - (signature.length % 4)) % 4));
  } catch (error) {
    expect(error, Malformed);
    return false;
  }
  return ed25519Verifies(fromHex(by), utf8(`${STATEMENT}\n${keyUnder(log.origin, hex).vkey}\n`), data);
}
