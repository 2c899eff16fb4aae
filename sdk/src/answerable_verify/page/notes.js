/** Signed notes, checkpoints, keys and policies (C2SP). Twin of section 4 of verify.py. */

import { DECIMAL, Malformed, concat, decodeBase64, decodeUtf8, encodeBase64, equal, expect, fromLatin1, latin1, toHex, utf8 } from "./basics.js";
import { ed25519Verifies, isEd25519Key } from "./ed25519.js";
import { sha256 } from "./hashes.js";
import { EMPTY_ROOT } from "./tree.js";
import { LIMITS } from "./words.js";

export const ED25519 = 1;
export const COSIGNATURE = 4;
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/;
const SPACE = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/** A public key under a name. */
export class Key {
  constructor(name, type, publicKey) {
    Object.assign(this, { name, type, publicKey, hex: toHex(publicKey) });
    this.material = concat(Uint8Array.of(type), publicKey);
    this.id = toHex(sha256(utf8(`${name}\n`), this.material).subarray(0, 4));
  }

  get vkey() {
    return `${this.name}+${this.id}+${encodeBase64(this.material)}`;
  }
}

export const isKeyName = (name) => name !== "" && !name.includes("+") && !SPACE.test(name) && !CONTROL.test(name);

/** A verifier key `<name>+<id>+<base64>`. Errors: Malformed. */
export function parseVkey(text) {
  const found = /^([^+]*)\+([^+]*)\+([^]*)$/.exec(text);
  const wrong = "not a verifier key of the form name+id+key";
  if (!found || /\p{Surrogate}/u.test(found[1])) throw new Malformed(wrong);
  let material;
  try {
    material = decodeBase64(found[3]);
  } catch (error) {
    throw new Malformed(wrong, { cause: expect(error, Malformed) });
  }
  if (!material.length || !isKeyName(found[1])) throw new Malformed(wrong);
  const key = new Key(found[1], material[0], material.slice(1));
  if (found[2] !== key.id) throw new Malformed("the key id does not belong to this name and key");
  if ([ED25519, COSIGNATURE].includes(key.type) && !isEd25519Key(key.publicKey)) throw new Malformed("not an Ed25519 public key");
  return key;
}

/** Take a note apart: the LAST blank line separates. Errors: Malformed. */
export function parseNote(bytes) {
  const whole = decodeUtf8(bytes);
  const split = whole.lastIndexOf("\n\n");
  if (CONTROL.test(whole) || split < 0 || !whole.endsWith("\n")) throw new Malformed("not a text, a blank line and signature lines");
  const lines = whole.slice(split + 2);
  if (!lines.endsWith("\n")) throw new Malformed("not a text, a blank line and signature lines");
  const rows = lines.slice(0, -1).split("\n");
  if (rows.length > LIMITS.signatures) throw new Malformed("too many signatures");
  return { text: whole.slice(0, split + 1), signatures: rows.map(parseSignature) };
}

function parseSignature(row) {
  const [start, name, encoded, more] = row.split(" ");
  if (encoded === undefined || more !== undefined || start !== "\u2014" || !isKeyName(name)) throw new Malformed("not a signature line");
  const data = decodeBase64(encoded);
  if (data.length < 5) throw new Malformed("a signature is shorter than its key id");
  return { name, id: toHex(data.subarray(0, 4)), data: data.slice(4) };
}

/** Take a checkpoint apart: origin, size, root, and no extension. Errors: Malformed. */
export function parseCheckpoint(bytes) {
  const note = parseNote(bytes);
  const lines = note.text.split("\n");
  if (lines.length !== 4 || !lines[0] || !DECIMAL.test(lines[1]) || Number(lines[1]) > LIMITS.size) {
    throw new Malformed("not the three lines of a checkpoint");
  }
  const root = decodeBase64(lines[2]);
  if (root.length !== 32 || (lines[1] === "0" && !equal(root, EMPTY_ROOT))) throw new Malformed("not a root hash of this tree");
  return { origin: lines[0], size: Number(lines[1]), root, note };
}

/** Whether a signature line, which names this key, verifies. Of a cosignature the time is not judged here. */
export async function signs(key, note, signature) {
  if (key.type === ED25519) return ed25519Verifies(key.publicKey, utf8(note.text), signature.data);
  if (key.type !== COSIGNATURE || signature.data.length !== 72) return false;
  const at = cosignedAt(signature);
  const message = utf8(`cosignature/v1\ntime ${at}\n${note.text}`);
  return at < 2n ** 63n && ed25519Verifies(key.publicKey, message, signature.data.subarray(8));
}

/** The POSIX seconds (BigInt) that a cosignature states. */
export const cosignedAt = (signature) => BigInt("0x0" + toHex(signature.data.subarray(0, 8)));

/** A tlog-policy. Names are octets, kept as Latin-1. */
export class Policy {
  constructor() {
    Object.assign(this, { logs: [], witnesses: new Map(), groups: new Map(), quorum: "" });
  }

  /** Whether these witnesses are a quorum. */
  isMetBy(cosigned) {
    if (this.quorum === "none") return true;
    const met = new Set(cosigned);
    for (const [name, [threshold, members]] of this.groups) {
      if (members.filter((member) => met.has(member)).length >= threshold) met.add(name);
    }
    return met.has(this.quorum);
  }
}

/** Read a policy file. Errors: Malformed, with the number of the line. */
export function parsePolicy(bytes) {
  const policy = new Policy();
  const used = new Set();
  latin1(bytes).split("\n").forEach((line, index) => {
    try {
      if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(line)) throw new Malformed("a control character");
      const words = line.split(/[ \t]+/).filter(Boolean);
      if (!words.length || words[0].startsWith("#")) return;
      if (words[0] === "quorum") policy.quorum = policyQuorum(policy, words);
      else policyLine(policy, words, used);
    } catch (error) {
      throw new Malformed(`line ${index + 1}: ${expect(error, Malformed).message}`);
    }
  });
  if (!policy.quorum) throw new Malformed("there is no quorum line");
  return policy;
}

function policyQuorum(policy, words) {
  if (policy.quorum || words.length !== 2) throw new Malformed("there is one quorum, with one name");
  if (words[1] !== "none" && !policy.witnesses.has(words[1]) && !policy.groups.has(words[1])) {
    throw new Malformed("a quorum names what is defined above it");
  }
  return words[1];
}

function policyLine(policy, [kind, ...rest], used) {
  if (kind === "log" && (rest.length === 1 || rest.length === 2)) {
    const key = policyKey(rest[0], ED25519);
    if (policy.logs.some((other) => other.hex === key.hex)) throw new Malformed("this log's key was named before");
    policy.logs.push(key);
    return;
  }
  if (!["witness", "group"].includes(kind) || rest.length < 2 || (kind === "witness" && rest.length > 3)) {
    throw new Malformed("not a line of a policy");
  }
  if (rest[0] === "none" || policy.witnesses.has(rest[0]) || policy.groups.has(rest[0])) throw new Malformed("this name is taken");
  if (kind === "group") {
    policy.groups.set(rest[0], policyGroup(policy, rest, used));
    return;
  }
  const key = policyKey(rest[1], COSIGNATURE);
  for (const other of policy.witnesses.values()) if (other.hex === key.hex) throw new Malformed("this witness's key was named before");
  policy.witnesses.set(rest[0], key);
}

function policyKey(text, expected) {
  let decoded;
  try {
    decoded = decodeUtf8(fromLatin1(text));
  } catch (error) {
    throw new Malformed("not a verifier key", { cause: expect(error, Malformed) });
  }
  const key = parseVkey(decoded);
  if ((key.type === ED25519) !== (expected === ED25519)) throw new Malformed("a key of another type");
  return key;
}

function policyGroup(policy, [, word, ...members], used) {
  const known = members.every((name) => policy.witnesses.has(name) || policy.groups.has(name));
  if (!members.length || !known || new Set(members).size !== members.length || members.some((name) => used.has(name))) {
    throw new Malformed("a group names what is defined above it, each once in all groups");
  }
  members.forEach((name) => used.add(name));
  const number = /^[1-9][0-9]{0,5}$/.test(word) ? Number(word) : 0;
  const threshold = word === "any" ? 1 : word === "all" ? members.length : number;
  if (threshold < 1 || threshold > members.length) throw new Malformed("a group's threshold is any, all, or a number of its members");
  return [threshold, members];
}
