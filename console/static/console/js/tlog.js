/**
 * Verifies transparency log proofs in the browser: the twin of the Python package `ledger.tlog`.
 *
 * An ES module without dependencies; WebCrypto does SHA-256 and Ed25519. Bytes are Uint8Array, tree
 * sizes and indexes BigInt: a JavaScript number is exact only up to 2^53. Whatever does not verify
 * throws a TlogError, whose `kind` is one of:
 *
 *   unsupported   this browser cannot do it here; nothing was verified, and nothing is wrong either
 *   malformed     not of the format: a note, key, checkpoint or proof that cannot be read
 *   unverified    no signature by a known key, or a checkpoint of another log
 *   invalid       a signature, path or commitment that does not verify: something was changed
 *
 * Sources: RFC 6962/9162; C2SP signed-note, tlog-checkpoint, tlog-proof, tlog-cosignature.
 */

export const ED25519 = 0x01;
export const COSIGNATURE_V1 = 0x04;

const HASH_SIZE = 32;
const MAX_SIZE = 2n ** 63n - 1n;
const MAX_PATH = 63;
const MAX_SIGNATURES = 100;
const PROOF_HEADER = "c2sp.org/tlog-proof@v1";

export class TlogError extends Error {
  /** @param {"unsupported"|"malformed"|"unverified"|"invalid"} kind */
  constructor(kind, message) {
    super(message);
    this.name = "TlogError";
    this.kind = kind;
  }
}

/**
 * Say what keeps this browser from verifying, or null if nothing does.
 * `crypto.subtle` exists only on https:// pages and on localhost; Ed25519 came late to WebCrypto.
 */
export async function supportProblem() {
  if (!globalThis.crypto?.subtle) {
    return "This page cannot verify: browsers offer cryptography only over https or on localhost.";
  }
  try {
    // The public key of an all-zero seed: a probe that needs no key generation.
    const raw = fromHex("3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29");
    await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
    return null;
  } catch {
    return "This browser cannot verify Ed25519 signatures. Use a newer one, or the offline verifier.";
  }
}

// Bytes

const encoder = new TextEncoder();

export function fromHex(text) {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) throw new TlogError("malformed", "not hexadecimal");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function toBase64(bytes) {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

/** Decode standard base64 in its one canonical spelling: atob alone is far more forgiving. */
export function fromBase64(text) {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    throw new TlogError("malformed", "not base64");
  }
  if (toBase64(bytes) !== text) throw new TlogError("malformed", "not canonical base64");
  return bytes;
}

export function equal(left, right) {
  return left.length === right.length && left.every((byte, at) => byte === right[at]);
}

function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function toText(data) {
  if (typeof data === "string") {
    // A lone surrogate is no character; UTF-8 would silently replace it.
    if (/\p{Surrogate}/u.test(data)) throw new TlogError("malformed", "not UTF-8");
    return data;
  }
  try {
    // ignoreBOM keeps a leading U+FEFF as a character: it is part of what was signed.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw new TlogError("malformed", "not UTF-8");
  }
}

function subtle() {
  const found = globalThis.crypto?.subtle;
  if (!found) throw new TlogError("unsupported", "no cryptography here: needs https or localhost");
  return found;
}

// Hashes (RFC 6962 section 2.1)

export async function sha256(bytes) {
  return new Uint8Array(await subtle().digest("SHA-256", bytes));
}

/** SHA-256(0x00 || entry bytes). */
export function leafHash(bytes) {
  return sha256(concat(Uint8Array.of(0), bytes));
}

/** SHA-256(0x01 || left || right). */
export function nodeHash(left, right) {
  return sha256(concat(Uint8Array.of(1), left, right));
}

// Proofs

/** Read a tree size or index: BigInt, safe integer, or decimal text without leading zeroes. */
export function toSize(value) {
  if (typeof value === "string" && /^(?:0|[1-9][0-9]{0,18})$/.test(value)) value = BigInt(value);
  if (Number.isSafeInteger(value)) value = BigInt(value);
  if (typeof value !== "bigint" || value < 0n || value > MAX_SIZE) {
    throw new TlogError("malformed", "not a tree size or index");
  }
  return value;
}

/**
 * Verify that `leaf` is leaf `index` of the tree of `size` leaves with root hash `root`.
 * `path` holds 32-byte hashes, the leaf's sibling first. RFC 9162 section 2.1.3.2.
 */
export async function verifyInclusion(leaf, index, size, path, root) {
  let fn = toSize(index);
  let sn = toSize(size) - 1n;
  if (fn > sn || ![leaf, root, ...path].every(isHash)) throw invalidProof();
  let computed = leaf;
  for (const sibling of path) {
    if (sn === 0n) throw invalidProof();
    if (fn & 1n || fn === sn) {
      computed = await nodeHash(sibling, computed);
      while (fn && !(fn & 1n)) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else {
      computed = await nodeHash(computed, sibling);
    }
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  if (sn !== 0n || !equal(computed, root)) throw invalidProof();
}

/**
 * Verify that the tree (newSize, newRoot) begins with the leaves of (oldSize, oldRoot).
 * From size 0 the proof is empty and the old root that of an empty tree. RFC 9162 section 2.1.4.2.
 */
export async function verifyConsistency(oldSize, newSize, path, oldRoot, newRoot) {
  const [older, newer] = [toSize(oldSize), toSize(newSize)];
  if (older > newer || ![oldRoot, newRoot, ...path].every(isHash)) throw invalidProof();
  if (older === 0n && !equal(oldRoot, await sha256(new Uint8Array()))) throw invalidProof();
  if (older === 0n || older === newer) {
    if (path.length || (older === newer && !equal(oldRoot, newRoot))) throw invalidProof();
    return;
  }
  if (!path.length) throw invalidProof();
  // A perfect old tree is itself a node of the new one: the prover leaves its root out.
  const [first, ...rest] = older & (older - 1n) ? path : [oldRoot, ...path];
  let [fn, sn] = [older - 1n, newer - 1n];
  while (fn & 1n) [fn, sn] = [fn >> 1n, sn >> 1n];
  let [fromOld, fromNew] = [first, first];
  for (const sibling of rest) {
    if (sn === 0n) throw invalidProof();
    if (fn & 1n || fn === sn) {
      fromOld = await nodeHash(sibling, fromOld);
      fromNew = await nodeHash(sibling, fromNew);
      while (fn && !(fn & 1n)) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else {
      fromNew = await nodeHash(fromNew, sibling);
    }
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  if (sn !== 0n || !equal(fromOld, oldRoot) || !equal(fromNew, newRoot)) throw invalidProof();
}

function isHash(bytes) {
  return bytes instanceof Uint8Array && bytes.length === HASH_SIZE;
}

function invalidProof() {
  return new TlogError("invalid", "invalid proof");
}

// Signed notes

function isKeyName(name) {
  return name !== "" && !/[+\p{White_Space}\u0000-\u001f]/u.test(name);
}

/** Parse `<name>+<key ID>+<base64>` into { name, keyId, type, publicKey }; types 01 and 04 only. */
export async function parseVkey(vkey) {
  const [, name, keyId, encoded] = /^([^+]*)\+([^+]*)\+([^]*)$/.exec(toText(vkey)) ?? [];
  if (name === undefined || !isKeyName(name)) throw new TlogError("malformed", "not a verifier key");
  const material = fromBase64(encoded);
  const type = material[0];
  if (material.length !== 33 || (type !== ED25519 && type !== COSIGNATURE_V1)) {
    throw new TlogError("malformed", "not a verifier key of a supported type");
  }
  const digest = await sha256(concat(encoder.encode(`${name}\n`), material));
  if (toHex(digest.slice(0, 4)) !== keyId) {
    throw new TlogError("malformed", "the key ID does not belong to this name and key");
  }
  return { name, keyId, type, publicKey: material.slice(1) };
}

/** Split a signed note into { text, signatures: [{ name, keyId, signature }] }; verifies nothing. */
export function parseNote(note) {
  const whole = toText(note);
  const split = whole.lastIndexOf("\n\n");
  if (/[\u0000-\u0009\u000b-\u001f]/.test(whole) || split < 0 || !whole.endsWith("\n")) {
    throw new TlogError("malformed", "not a signed note");
  }
  const lines = whole.slice(split + 2).split("\n").slice(0, -1);
  if (!lines.length || lines.length > MAX_SIGNATURES) {
    throw new TlogError("malformed", "no signature, or too many");
  }
  return { text: whole.slice(0, split + 1), signatures: lines.map(parseSignatureLine) };
}

function parseSignatureLine(line) {
  const [, name, encoded] = /^\u2014 ([^ ]*) ([^ ]*)$/.exec(line) ?? [];
  if (name === undefined || !isKeyName(name)) throw new TlogError("malformed", "not a signature line");
  const data = fromBase64(encoded);
  if (data.length < 5) throw new TlogError("malformed", "a signature is shorter than its key ID");
  return { name, keyId: toHex(data.slice(0, 4)), signature: data.slice(4) };
}

/**
 * Verify a signed note against verifier key strings and return { text, signatures }: those that
 * verified, each with its `timestamp` in POSIX seconds (BigInt) if it is a cosignature. Signatures of
 * unknown keys are ignored; a known key's bad signature rejects the whole note; so does no known key.
 */
export async function openNote(note, vkeys) {
  const known = await Promise.all(vkeys.map(parseVkey));
  const { text, signatures } = parseNote(note);
  const verified = new Map();
  for (const line of signatures) {
    const keys = known.filter((key) => key.name === line.name && key.keyId === line.keyId);
    for (const key of keys) {
      const timestamp = await verifySignature(key, text, line.signature);
      const id = `${line.name}+${line.keyId}`;
      if (!verified.has(id)) verified.set(id, { ...line, type: key.type, timestamp });
    }
  }
  if (!verified.size) throw new TlogError("unverified", "no signature by a known key");
  return { text, signatures: [...verified.values()] };
}

async function verifySignature(key, text, signature) {
  let [timestamp, message] = [null, text];
  if (key.type === COSIGNATURE_V1) {
    if (signature.length !== 72) throw invalidSignature(key);
    timestamp = BigInt(`0x${toHex(signature.slice(0, 8))}`);
    signature = signature.slice(8);
    message = `cosignature/v1\ntime ${timestamp}\n${text}`;
  }
  let publicKey;
  try {
    publicKey = await subtle().importKey("raw", key.publicKey, "Ed25519", false, ["verify"]);
  } catch {
    const problem = await supportProblem();
    if (problem) throw new TlogError("unsupported", problem);
    throw invalidSignature(key);
  }
  const good = await subtle().verify("Ed25519", publicKey, signature, encoder.encode(message));
  if (!good || (timestamp !== null && timestamp > MAX_SIZE)) throw invalidSignature(key);
  return timestamp;
}

function invalidSignature(key) {
  return new TlogError("invalid", `invalid signature by ${key.name}+${key.keyId}`);
}

// Checkpoints

/** Parse a checkpoint's note text into { origin, size, root, extensions }; verifies nothing. */
export function parseCheckpoint(text) {
  const lines = text.split("\n");
  if (lines.length < 4 || lines.pop() !== "" || lines.some((line) => line === "")) {
    throw new TlogError("malformed", "not a checkpoint");
  }
  const [origin, size, encoded, ...extensions] = lines;
  const root = fromBase64(encoded);
  if (!isHash(root)) throw new TlogError("malformed", "a root hash has 32 bytes");
  return { origin, size: toSize(size), root, extensions };
}

/**
 * Verify a signed checkpoint of the log `origin` with its verifier keys (strings), and witnesses' ones.
 * Returns { origin, size, root, extensions, signedBy, cosignatures }; `signedBy` are those of the log's keys (two while
 * one is replaced) that did. A witness alone does not speak for a log.
 */
export async function openCheckpoint(note, { origin, vkeys, witnessVkeys = [] }) {
  const opened = await openNote(note, [...vkeys, ...witnessVkeys]);
  const idOf = (vkey) => vkey.split("+", 2).join("+");
  const byLog = (signature) => vkeys.some((vkey) => idOf(vkey) === `${signature.name}+${signature.keyId}`);
  if (!opened.signatures.some(byLog)) throw new TlogError("unverified", "no signature by a key of the log");
  const checkpoint = parseCheckpoint(opened.text);
  if (checkpoint.size === 0n && !equal(checkpoint.root, await sha256(new Uint8Array()))) {
    throw new TlogError("malformed", "an empty tree has one root hash only");
  }
  if (checkpoint.origin !== origin) throw new TlogError("unverified", "a checkpoint of another log");
  const signed = opened.signatures.map((signature) => `${signature.name}+${signature.keyId}`);
  const signedBy = vkeys.filter((vkey) => signed.includes(idOf(vkey)));
  return { ...checkpoint, signedBy, cosignatures: opened.signatures.filter((signature) => !byLog(signature)) };
}

// .tlog-proof files

/** Parse a `.tlog-proof` into { index, path, checkpoint, extra }; verifies nothing; `extra` never is. */
export function parseTlogProof(data) {
  const text = toText(data);
  const split = text.indexOf("\n\n");
  const lines = text.slice(0, Math.max(split, 0)).split("\n");
  if (split < 0 || lines.shift() !== PROOF_HEADER) throw new TlogError("malformed", "not a tlog-proof");
  const extra = lines[0]?.startsWith("extra ") ? fromBase64(lines.shift().slice(6)) : null;
  const indexLine = lines.shift();
  if (!indexLine?.startsWith("index ")) throw new TlogError("malformed", "no index line");
  const path = lines.map(fromBase64);
  if (path.length > MAX_PATH || !path.every(isHash)) throw new TlogError("malformed", "not a path");
  return { index: toSize(indexLine.slice(6)), path, checkpoint: text.slice(split + 2), extra };
}

/**
 * Verify that the log `origin` includes the entry with exactly these bytes. The origin and the verifier
 * keys must be known from elsewhere than the log. Returns the index and the verified checkpoint.
 */
export async function verifyTlogProof(data, entryBytes, options) {
  const { index, path, checkpoint } = parseTlogProof(data);
  const opened = await openCheckpoint(checkpoint, options);
  await verifyInclusion(await leafHash(entryBytes), index, opened.size, path, opened.root);
  return { index, checkpoint: opened };
}

// Commitments

/** part_key = SHA-256(record_secret || part name): disclosing it discloses that part alone. */
export function partKey(recordSecret, partName) {
  if (recordSecret.length !== 32) throw new TlogError("malformed", "a record secret has 32 bytes");
  return sha256(concat(recordSecret, encoder.encode(partName)));
}

/** commitment = SHA-256(part_key || bytes); the key has 32 bytes, or bytes could pass for key. */
export function commit(key, bytes) {
  if (key.length !== 32) throw new TlogError("malformed", "a part key has 32 bytes");
  return sha256(concat(key, bytes));
}

/** Verify that `bytes` are what was committed to under this part key. */
export async function verifyCommitment(commitment, key, bytes) {
  if (!equal(await commit(key, bytes), commitment)) {
    throw new TlogError("invalid", "these bytes are not what was committed to");
  }
}
