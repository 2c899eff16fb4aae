/** Words, findings, and small forms. Twin of sections 1 and 2 of verify.py, of which words.js is made. */

import { FINDINGS, LIMITS, WORDS } from "./words.js";

export const [VERIFIED, TAMPERED, USAGE, INCOMPLETE] = [0, 1, 2, 3];
export const VERDICTS = ["verified", "tampering", "usage", "incomplete"];
export const CHUNK = 1 << 20;

/** Put facts into a template. Numbers are grouped, texts made harmless (`shown`). */
export function fill(template, facts) {
  return template.replace(/\{(\w+)\}/g, (_, name) => shown(facts[name]));
}

/** A value as it may stand on a page or in a report: printable ASCII, everything else and the backslash as escapes. */
export function shown(value, most = 200) {
  if (value === null || value === undefined) return "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number" || typeof value === "bigint") return grouped(value);
  if (typeof value !== "string") return "something else";
  const characters = value.length > most ? Array.from(value) : value;
  const cut = characters.length > most ? characters.slice(0, most).join("") : value;
  const out = cut.replace(/[^ -[\]-~]/g, (unit) => "\\u" + unit.charCodeAt(0).toString(16).padStart(4, "0"));
  return out + (characters.length > most ? "..." : "");
}

/** A number with a comma every three digits. */
export function grouped(number) {
  return String(number).replace(/\B(?=(?:\d{3})+$)/g, ",");
}

/** The detail of a contradiction between a claim and what was derived. */
export function says(name, claimed, derived) {
  return `${name}: says ${shown(claimed, 80)}, is ${shown(derived, 80)}`;
}

/** All that a check says. Of each code the first `LIMITS.listed` are kept, and all are counted. */
export class Report {
  constructor() {
    this.findings = [];
    this.counts = {};
    this.proven = [];
    this.notProven = [];
    this.facts = {};
  }

  add(code, place, detail = "") {
    this.counts[code] = (this.counts[code] ?? 0) + 1;
    if (this.counts[code] <= LIMITS.listed) this.findings.push({ code, place, detail });
  }

  note(damage) {
    this.add(damage.code, damage.place, damage.detail);
  }

  count(level) {
    let total = 0;
    for (const [code, number] of Object.entries(this.counts)) total += FINDINGS[code][0] === level ? number : 0;
    return total;
  }

  get exitCode() {
    if (this.count("tampering")) return TAMPERED;
    return this.count("incomplete") ? INCOMPLETE : VERIFIED;
  }
}

/** Something in the bundle that cannot be read on: a finding. */
export class Damage extends Error {
  constructor(code, place, detail = "") {
    super(code);
    Object.assign(this, { code, place, detail });
  }
}

/** How many public-key operations a check may still take. */
export const work = { left: Infinity };

/** So many more. Errors: Damage. */
export function spend(count = 1) {
  work.left -= count;
  if (work.left < 0) throw new Damage("too-many-signatures", "");
}

/** What the caller gave is not what it must be. */
export class UsageError extends Error {}

/** A text that is not of the form it must have. */
export class Malformed extends Error {}

/** Something of a kind that this program does not know: it says nothing for or against anybody. */
export class Unsupported extends Malformed {}

/** Whether an error is of this file's; anything else is a mistake of ours and goes on up. */
export function expect(error, ...kinds) {
  if (!kinds.some((kind) => error instanceof kind)) throw error;
  return error;
}

/** The order of texts that Python has: UTF-16 puts what is beyond U+FFFF before U+E000. */
export function byCodePoint(one, other) {
  if (one === other) return 0;
  let at = 0;
  while (at < one.length && at < other.length && one[at] === other[at]) at++;
  if (at > 0 && /[\ud800-\udbff]/.test(one[at - 1])) at--; // what differs may be the second half of a character
  const [left, right] = [one.codePointAt(at) ?? -1, other.codePointAt(at) ?? -1];
  return left === right ? byCodePoint(one.slice(at + 1), other.slice(at + 1)) : left - right;
}

// --- bytes -----------------------------------------------------------------------------------------------------------
const encoder = new TextEncoder();
const strictly = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export const utf8 = (text) => encoder.encode(text);

export function decodeUtf8(bytes) {
  try {
    return strictly.decode(bytes);
  } catch {
    throw new Malformed("not UTF-8");
  }
}

/** Bytes as characters U+0000 to U+00FF. */
export function latin1(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

/** The bytes of a text of which all characters are below U+0100. */
export const fromLatin1 = (text) => Uint8Array.from(text, (char) => char.charCodeAt(0));

export function isAscii(bytes) {
  for (let at = 0; at < bytes.length; at++) if (bytes[at] > 127) return false;
  return true;
}

export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function equal(one, other) {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export function toHex(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at++) text += HEX[bytes[at]];
  return text;
}

export function fromHex(text) {
  const bytes = new Uint8Array(text.length >> 1);
  for (let at = 0; at < bytes.length; at++) bytes[at] = parseInt(text.slice(2 * at, 2 * at + 2), 16);
  return bytes;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const VALUES = new Map(Array.from(ALPHABET, (char, value) => [char, value]));

export function encodeBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const value = (bytes[at] << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text += ALPHABET[value >> 18] + ALPHABET[(value >> 12) & 63];
    text += at + 1 < bytes.length ? ALPHABET[(value >> 6) & 63] : "=";
    text += at + 2 < bytes.length ? ALPHABET[value & 63] : "=";
  }
  return text;
}

/** Standard base64 with padding, in its one canonical spelling. Errors: Malformed. */
export function decodeBase64(text) {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4) throw new Malformed("not base64");
  const letters = text.replace(/=+$/, "");
  const bytes = new Uint8Array(Math.floor((letters.length * 3) / 4));
  let value = 0;
  let bits = 0;
  let at = 0;
  for (let index = 0; index < letters.length; index++) {
    value = ((value << 6) | VALUES.get(letters[index])) & 0xffffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (value >> bits) & 255;
    }
  }
  if (letters.length % 4 === 1 || (bits && value & ((1 << bits) - 1))) throw new Malformed("not canonical base64");
  if (text.length - letters.length !== (4 - (letters.length % 4)) % 4) throw new Malformed("not base64");
  return bytes;
}

// --- small forms -----------------------------------------------------------------------------------------------------
export const HEX32 = /^[0-9a-f]{64}$/;
export const KIND = /^[a-z_]+(?:\.[a-z_]+)+$/;
export const DECIMAL = /^(?:0|[1-9][0-9]{0,18})$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const MOMENT =
  /^([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(?:\.([0-9]{1,6}))?Z$/;

export const isUuid = (value) => typeof value === "string" && UUID.test(value);
export const isHex32 = (value) => typeof value === "string" && HEX32.test(value);
export const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof Fraction);

/** Whether it is an integer of 0 to `most`. */
export function isCount(value, most = LIMITS.size) {
  return (typeof value === "number" || typeof value === "bigint") && value >= 0 && value <= most;
}

/** A time (RFC 3339, UTC) with six decimals, so that texts compare as times do; null where it is none. */
export function moment(value) {
  const found = typeof value === "string" ? MOMENT.exec(value) : null;
  if (!found || Number(found[3]) > daysOf(Number(found[1]), Number(found[2]))) return null;
  return `${value.slice(0, 19)}.${(found[7] ?? "").padEnd(6, "0")}Z`;
}

function daysOf(year, month) {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/** Microseconds since 1970 of a time that `moment` returned. */
export function microseconds(at) {
  let year = Number(at.slice(0, 4));
  const [month, day] = [Number(at.slice(5, 7)), Number(at.slice(8, 10))];
  year -= month <= 2 ? 1 : 0;
  const [era, ofEra] = [Math.floor(year / 400), ((year % 400) + 400) % 400];
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const days = era * 146097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + dayOfYear - 719468;
  const seconds = days * 86400 + Number(at.slice(11, 13)) * 3600 + Number(at.slice(14, 16)) * 60 + Number(at.slice(17, 19));
  return seconds * 1e6 + Number(at.slice(20, 26));
}

/** POSIX seconds (BigInt) as a time; as a number where the calendar has no such year. */
export function inWords(seconds) {
  if (seconds < 0n || seconds >= 253402300800n) return String(seconds);
  return new Date(Number(seconds) * 1000).toISOString().slice(0, 19) + "Z";
}

// --- JSON ------------------------------------------------------------------------------------------------------------
/** A number with a fraction or an exponent: nothing here reads one, but it is no integer. */
export class Fraction {
  constructor(text) {
    this.text = text;
  }
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;

/**
 * Read JSON (RFC 8259) that has no name twice, no number of over 100 digits, no more than 64 levels, and at most so many
 * commas and brackets that open. Objects have no prototype; integers that a double does not hold exactly are BigInts. Errors: Malformed.
 */
export function readJson(text, values = LIMITS.values) {
  const reader = new JsonReader(text, values);
  const value = reader.value(1);
  reader.space();
  if (reader.at < text.length) throw new Malformed("not JSON");
  return value;
}

class JsonReader {
  constructor(text, values) {
    Object.assign(this, { text, at: 0, left: values });
  }

  /** One more comma, or bracket that opens. */
  count() {
    if (--this.left < 0) throw new Malformed("too many values");
  }

  space() {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return;
      this.at++;
    }
  }

  value(depth) {
    this.space();
    const char = this.text[this.at];
    if (char === '"') return this.string();
    if (char === "{" || char === "[") {
      if (depth > LIMITS.depth) throw new Malformed("nested too deeply");
      this.at++;
      this.count();
      return char === "{" ? this.object(depth) : this.list(depth);
    }
    for (const [word, value] of [["true", true], ["false", false], ["null", null]]) {
      if (char === word[0] && this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    return this.number();
  }

  number() {
    NUMBER.lastIndex = this.at;
    const found = NUMBER.exec(this.text);
    if (!found) throw new Malformed(/^(?:NaN|-?Infinity)/.test(this.text.slice(this.at, this.at + 9)) ? "not a number" : "not JSON");
    if (found[0].length > LIMITS.digits) throw new Malformed("a number is too long");
    this.at += found[0].length;
    if (found[1] !== undefined || found[2] !== undefined) return new Fraction(found[0]);
    const number = Number(found[0]);
    if (!Number.isSafeInteger(number)) return BigInt(found[0]);
    return number === 0 ? 0 : number;
  }

  string() {
    const start = this.at++;
    let isPlain = true;
    for (;;) {
      const code = this.text.charCodeAt(this.at++);
      if (code === 34) break;
      if (code < 32 || code !== code) throw new Malformed("not JSON");
      if (code !== 92) continue;
      isPlain = false;
      this.at++;
    }
    if (isPlain) return this.text.slice(start + 1, this.at - 1);
    try {
      return JSON.parse(this.text.slice(start, this.at));
    } catch (error) {
      expect(error, SyntaxError);
      throw new Malformed("not JSON");
    }
  }

  list(depth) {
    const found = [];
    this.space();
    if (this.text[this.at] === "]") {
      this.at++;
      return found;
    }
    for (;;) {
      found.push(this.value(depth + 1));
      if (this.next() === "]") return found;
    }
  }

  object(depth) {
    const found = Object.create(null);
    let twice = false;
    this.space();
    if (this.text[this.at] === "}") {
      this.at++;
      return found;
    }
    for (;;) {
      this.space();
      if (this.text[this.at] !== '"') throw new Malformed("not JSON");
      const name = this.string();
      this.space();
      if (this.text[this.at++] !== ":") throw new Malformed("not JSON");
      const value = this.value(depth + 1);
      twice ||= name in found;
      found[name] = value;
      if (this.next("}") === "}") {
        if (twice) throw new Malformed("a name stands twice");
        return found;
      }
    }
  }

  next(end = "]") {
    this.space();
    const char = this.text[this.at++];
    if (char !== "," && char !== end) throw new Malformed("not JSON");
    if (char === ",") this.count();
    return char;
  }
}
