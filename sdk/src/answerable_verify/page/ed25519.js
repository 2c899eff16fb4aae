/** Ed25519 (RFC 8032), verification alone, as strict as section 3 of verify.py. WebCrypto, where it knows it, must agree. */

import { equal, spend, toHex } from "./basics.js";
import { sha512 } from "./hashes.js";

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
export const mod = (value, by) => ((value % by) + by) % by;

export function power(base, exponent, by) {
  let result = 1n;
  for (base = mod(base, by); exponent; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % by;
    base = (base * base) % by;
  }
  return result;
}

const D = mod(-121665n * power(121666n, P - 2n, P), P);
const SQRT_M1 = power(2n, (P - 1n) / 4n, P);
const IDENTITY = [0n, 1n, 1n, 0n];

function add(one, other) {
  const a = mod((one[1] - one[0]) * (other[1] - other[0]), P);
  const b = ((one[1] + one[0]) * (other[1] + other[0])) % P;
  const c = (2n * one[3] * other[3] * D) % P;
  const d = (2n * one[2] * other[2]) % P;
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [mod(e * f, P), (g * h) % P, mod(f * g, P), mod(e * h, P)];
}

function double(one) {
  const [a, b] = [(one[0] * one[0]) % P, (one[1] * one[1]) % P];
  const c = (2n * one[2] * one[2]) % P;
  const h = a + b;
  const e = h - (one[0] + one[1]) ** 2n;
  const g = a - b;
  const f = c + g;
  return [mod(e * f, P), mod(g * h, P), mod(f * g, P), mod(e * h, P)];
}

/** a times the one point plus b times the other. */
function combine(one, a, other, b) {
  const points = [one, other, add(one, other)];
  let found = IDENTITY;
  for (let bit = BigInt(Math.max(a.toString(2).length, b.toString(2).length) - 1); bit >= 0n; bit--) {
    found = double(found);
    const which = Number((a >> bit) & 1n) + 2 * Number((b >> bit) & 1n);
    if (which) found = add(found, points[which - 1]);
  }
  return found;
}

const isIdentity = (point) => mod(point[0], P) === 0n && mod(point[1] - point[2], P) === 0n;
const littleEndian = (bytes) => BigInt("0x" + toHex(Uint8Array.from(bytes).reverse()));

/** RFC 8032 section 5.1.3, canonical encodings only. */
function decodePoint(bytes) {
  let y = littleEndian(bytes);
  const sign = y >> 255n;
  y &= 2n ** 255n - 1n;
  if (y >= P) return null;
  const u = mod(y * y - 1n, P);
  const v = (D * y * y + 1n) % P;
  let x = mod(u * power(v, 3n, P) * power(u * power(v, 7n, P), (P - 5n) / 8n, P), P);
  if (mod(v * x * x, P) === mod(-u, P)) x = (x * SQRT_M1) % P;
  if (mod(v * x * x, P) !== u || (x === 0n && sign)) return null;
  if ((x & 1n) !== sign) x = P - x;
  return [x, y, 1n, (x * y) % P];
}

function encodePoint(point) {
  const inverse = power(point[2], P - 2n, P);
  const [x, y] = [mod(point[0] * inverse, P), mod(point[1] * inverse, P)];
  const hex = (y | ((x & 1n) << 255n)).toString(16).padStart(64, "0");
  return Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16)).reverse();
}

const BASE = decodePoint(Uint8Array.from({ length: 32 }, (_, at) => (at ? 0x66 : 0x58)));
const keys = new Map();

function keyOf(publicKey) {
  const name = toHex(publicKey);
  if (!keys.has(name)) {
    if (publicKey.length === 32) spend();
    if (keys.size > 10000) keys.clear();
    const point = publicKey.length === 32 ? decodePoint(publicKey) : null;
    const isKey = point !== null && !isIdentity(point) && isIdentity(combine(point, L, IDENTITY, 0n));
    keys.set(name, isKey ? point : null);
  }
  return keys.get(name);
}

/** Whether 32 bytes are a key at all: a point of prime order in its canonical encoding. */
export const isEd25519Key = (publicKey) => keyOf(publicKey) !== null;

/** Whether 64 bytes are the signature of a message under a public key. */
export async function ed25519Verifies(publicKey, message, signature) {
  spend();
  const key = keyOf(publicKey);
  if (signature.length !== 64 || key === null) return false;
  const encodedR = signature.subarray(0, 32);
  const s = littleEndian(signature.subarray(32));
  const r = decodePoint(encodedR);
  if (r === null || isIdentity(r) || s >= L) return false;
  const hashed = new Uint8Array(64 + message.length);
  hashed.set(encodedR);
  hashed.set(publicKey, 32);
  hashed.set(message, 64);
  const k = littleEndian(sha512(hashed)) % L;
  const found = combine(BASE, s, [P - key[0], key[1], key[2], P - key[3]], k);
  return equal(encodePoint(found), encodedR) && (await webCryptoAgrees(publicKey, message, signature));
}

/** What the browser's own code says; true where it has none for Ed25519. */
async function webCryptoAgrees(publicKey, message, signature) {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) return true;
  let key;
  try {
    key = await subtle.importKey("raw", publicKey, "Ed25519", false, ["verify"]);
  } catch {
    return true;
  }
  return subtle.verify("Ed25519", key, signature, message);
}
