/** DER and certificates (RFC 5280). Twin of the first half of section 5 of verify.py. */

import { Malformed, Unsupported, decodeBase64, equal, latin1, moment } from "./basics.js";

export const [SEQUENCE, SET, INTEGER, OCTETS, OID, BITS, BOOLEAN] = [0x30, 0x31, 0x02, 0x04, 0x06, 0x03, 0x01];
export const HASHES = {
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};
const [KEY_USAGE, BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE] = ["2.5.29.15", "2.5.29.19", "2.5.29.37"];
export const KEY_IDENTIFIER = "2.5.29.14";
const TIME_STAMPING = "1.3.6.1.5.5.7.3.8";

/** Read elements { tag, body, whole } one after the other, to the last byte. Errors: Malformed. */
export function readDer(data) {
  const found = [];
  for (let at = 0; at < data.length; ) {
    const start = at;
    const tag = data[at];
    let length = at + 1 < data.length ? data[at + 1] : 0x80;
    at += 2;
    if ((tag & 31) === 31 || length === 0x80 || length > 0x84) throw new Malformed("not DER");
    if (length > 0x80) {
      const octets = data.subarray(at, at + length - 0x80);
      at += length - 0x80;
      length = octets.reduce((value, octet) => value * 256 + octet, 0);
      if (octets[0] === 0 || length < 0x80) throw new Malformed("not DER");
    }
    at += length;
    if (at > data.length) throw new Malformed("not DER");
    found.push({ tag, body: data.subarray(at - length, at), whole: data.subarray(start, at) });
  }
  return found;
}

export function one(data) {
  const found = readDer(data);
  if (found.length !== 1) throw new Malformed("not one element");
  return found[0];
}

/** The elements of a SEQUENCE, taken one by one. */
export class Fields {
  constructor(element, tag = SEQUENCE) {
    if (element.tag !== tag) throw new Malformed("not the element that was expected");
    this.left = readDer(element.body);
  }

  take(tag) {
    const found = this.maybe(tag);
    if (!found) throw new Malformed("not the element that was expected");
    return found;
  }

  maybe(tag) {
    return this.left.length && this.left[0].tag === tag ? this.left.shift() : null;
  }

  end() {
    if (this.left.length) throw new Malformed("an element too many");
  }
}

/** An INTEGER as a BigInt. */
export function derInteger({ tag, body }) {
  const padded = body.length > 1 && (body[0] === 0 || body[0] === 255) && body[0] >> 7 === body[1] >> 7;
  if (tag !== INTEGER || !body.length || padded) throw new Malformed("not an integer");
  return BigInt.asIntN(8 * body.length, bigEndian(body));
}

export function bigEndian(bytes) {
  let hex = "0x0";
  for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
  return BigInt(hex);
}

export function derOid({ tag, body }) {
  if (tag !== OID || !body.length || body.length > 64 || body[body.length - 1] & 0x80) throw new Malformed("not an object identifier");
  const arcs = [];
  let value = 0n;
  for (const byte of body) {
    if (value === 0n && byte === 0x80) throw new Malformed("not an object identifier");
    value = (value << 7n) | BigInt(byte & 0x7f);
    if (!(byte & 0x80)) {
      arcs.push(value);
      value = 0n;
    }
  }
  const first = arcs[0] >= 80n ? 2n : arcs[0] / 40n;
  return [first, arcs[0] - 40n * first, ...arcs.slice(1)].join(".");
}

/** UTCTime or GeneralizedTime as `moment` writes it. */
export function derTime(element, fraction = false) {
  let text = latin1(element.body);
  const general = fraction ? /^[0-9]{14}(?:[.][0-9]{0,18}[1-9])?Z$/ : /^[0-9]{14}Z$/;
  if (element.tag === 0x17 && /^[0-9]{12}Z$/.test(text)) text = (text[0] >= "5" ? "19" : "20") + text;
  else if (element.tag !== 0x18 || !general.test(text)) throw new Malformed("not a time");
  const rest = text.slice(14, -1).slice(0, 7);
  const [day, clock] = [`${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6, 8)}`, [8, 10, 12].map((at) => text.slice(at, at + 2))];
  const found = moment(`${day}T${clock.join(":")}${rest}Z`);
  if (found === null) throw new Malformed("not a time");
  return found;
}

export function algorithmOf(element) {
  const fields = new Fields(element);
  const name = derOid(fields.take(OID));
  const parameters = fields.left.shift() ?? null;
  fields.end();
  return [name, parameters];
}

export function hashOf(element) {
  const [name, parameters] = algorithmOf(element);
  const isNull = parameters === null || (parameters.whole.length === 2 && parameters.tag === 5);
  if (!Object.hasOwn(HASHES, name)) throw new Unsupported("not a hash that is supported");
  if (!isNull) throw new Malformed("not a hash");
  return HASHES[name];
}

/** What is needed of an X.509 certificate. */
export class Certificate {
  constructor(element) {
    const outer = new Fields(element);
    const [signed, algorithm, bits] = [outer.take(SEQUENCE), outer.take(SEQUENCE), outer.take(BITS)];
    outer.end();
    const fields = new Fields(signed);
    fields.maybe(0xa0);
    const [serial, inner] = [fields.take(INTEGER), fields.take(SEQUENCE)];
    const [issuer, validity, subject, key] = [1, 2, 3, 4].map(() => fields.take(SEQUENCE));
    fields.maybe(0x81);
    fields.maybe(0x82);
    const extensions = extensionsOf(fields.maybe(0xa3));
    fields.end();
    const times = readDer(validity.body);
    if (!equal(inner.whole, algorithm.whole) || times.length !== 2 || bits.body[0] !== 0) throw new Malformed("not a certificate");
    Object.assign(this, { whole: element.whole, signed: signed.whole, issuer: issuer.whole, serial: serial.body });
    Object.assign(this, { begins: derTime(times[0]), ends: derTime(times[1]), subject: subject.whole, key, algorithm });
    Object.assign(this, { signature: bits.body.subarray(1), extensions });
  }

  isInForce(at) {
    return this.begins <= at && at <= this.ends;
  }

  /** RFC 3161 section 2.3: one extended key usage, time-stamping, critical. A key usage must let it sign. */
  get stampsTime() {
    const { critical, value } = this.extensions.get(EXTENDED_KEY_USAGE) ?? { critical: false, value: new Uint8Array() };
    const purposes = value.length ? new Fields(one(value)).left.map(derOid) : [];
    return critical && purposes.length === 1 && purposes[0] === TIME_STAMPING && this.#may(0b11000000);
  }

  /** Whether it may sign certificates. */
  get issues() {
    const value = this.extensions.get(BASIC_CONSTRAINTS)?.value ?? new Uint8Array();
    const isAuthority = value[0] === 0x30 && value[2] === 1 && value[3] === 1 && value[4] === 0xff;
    return isAuthority && this.#may(0b00000100) && this.isKnown;
  }

  #may(bits) {
    const usage = this.extensions.get(KEY_USAGE)?.value;
    return usage === undefined || (usage.length >= 4 && usage[0] === BITS && (usage[3] & bits) !== 0);
  }

  /** Whether it has no critical extension but those whose meaning is known here. */
  get isKnown() {
    const known = [KEY_USAGE, BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE, KEY_IDENTIFIER, "2.5.29.32"];
    return [...this.extensions].every(([name, { critical }]) => !critical || known.includes(name));
  }
}

function extensionsOf(element) {
  const lists = element ? readDer(element.body) : [];
  return extensionList(lists.length === 1 ? new Fields(lists[0]).left : []);
}

/** Extensions by name, each { critical, value }. */
export function extensionList(elements) {
  const found = new Map();
  for (const each of elements) {
    const fields = new Fields(each);
    const name = derOid(fields.take(OID));
    const critical = fields.maybe(BOOLEAN);
    const value = fields.take(OCTETS).body;
    fields.end();
    if (found.has(name) || (critical && !(critical.body.length === 1 && critical.body[0] === 0xff))) throw new Malformed("not an extension");
    found.set(name, { critical: critical !== null, value });
  }
  return found;
}

/** The certificates of a PEM file. Errors: Malformed where there is none, or one that cannot be read. */
export function parsePem(text) {
  const found = [];
  for (const [, encoded] of text.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g)) {
    found.push(new Certificate(one(decodeBase64(encoded.replace(/\s+/g, "")))));
  }
  if (!found.length) throw new Malformed("no certificate");
  return found;
}

