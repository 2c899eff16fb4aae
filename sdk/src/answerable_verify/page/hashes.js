/**
 * SHA-256, SHA-1, SHA-384, SHA-512 (FIPS 180-4) and CRC-32, synchronous: WebCrypto's digests are not, and a call for each of
 * a million leaves would take far longer than the hashing.
 */

import { toHex } from "./basics.js";

const K = new Int32Array(64);
const START = new Int32Array(8);
const K512 = [];
const [START384, START512] = [[], []];

/** The constants: fractions of square and cube roots of the first primes, computed exactly. */
(function constants() {
  const primes = [];
  for (let n = 2n; primes.length < 80; n++) if (primes.every((prime) => n % prime)) primes.push(n);
  const root = (n, power) => {
    let [low, high] = [0n, n];
    while (low < high) {
      const middle = (low + high + 1n) >> 1n;
      if (middle ** power <= n) low = middle;
      else high = middle - 1n;
    }
    return low;
  };
  const fraction = (prime, power) => root(prime << (64n * power), power) & 0xffffffffffffffffn;
  primes.forEach((prime, at) => {
    K512.push(fraction(prime, 3n));
    if (at < 64) K[at] = Number(BigInt.asIntN(32, K512[at] >> 32n));
    if (at < 8) START512.push(fraction(prime, 2n));
    if (at < 8) START[at] = Number(BigInt.asIntN(32, START512[at] >> 32n));
    if (at >= 8 && at < 16) START384.push(fraction(prime, 2n));
  });
})();

const W = new Int32Array(64);

/** A SHA-256 in the making. One is used for one message after the other: `reset`, `update` as often as needed, `digest`. */
export class Sha256 {
  constructor() {
    this.state = new Int32Array(8);
    this.block = new Uint8Array(64);
    this.reset();
  }

  reset() {
    this.state.set(START);
    this.filled = 0;
    this.length = 0;
    return this;
  }

  /** Take in bytes [start, end). */
  update(bytes, start = 0, end = bytes.length) {
    this.length += end - start;
    if (this.filled) {
      const count = Math.min(64 - this.filled, end - start);
      for (let at = 0; at < count; at++) this.block[this.filled + at] = bytes[start + at];
      this.filled += count;
      start += count;
      if (this.filled < 64) return this;
      this.compress(this.block, 0);
      this.filled = 0;
    }
    for (; start + 64 <= end; start += 64) this.compress(bytes, start);
    for (; start < end; start++) this.block[this.filled++] = bytes[start];
    return this;
  }

  byte(value) {
    this.length++;
    this.block[this.filled++] = value;
    if (this.filled === 64) {
      this.compress(this.block, 0);
      this.filled = 0;
    }
    return this;
  }

  /** The 32 bytes, into `out` at `offset`. */
  digest(out = new Uint8Array(32), offset = 0) {
    const { block, state } = this;
    block[this.filled++] = 0x80;
    if (this.filled > 56) {
      block.fill(0, this.filled);
      this.compress(block, 0);
      this.filled = 0;
    }
    block.fill(0, this.filled, 56);
    const [high, low] = [Math.floor(this.length / 0x20000000), (this.length << 3) >>> 0];
    for (let at = 0; at < 4; at++) {
      block[56 + at] = high >>> (24 - 8 * at);
      block[60 + at] = low >>> (24 - 8 * at);
    }
    this.compress(block, 0);
    for (let at = 0; at < 8; at++) {
      const word = state[at];
      out[offset + 4 * at] = word >>> 24;
      out[offset + 4 * at + 1] = word >>> 16;
      out[offset + 4 * at + 2] = word >>> 8;
      out[offset + 4 * at + 3] = word;
    }
    return out;
  }

  compress(bytes, at) {
    for (let i = 0; i < 16; i++, at += 4) {
      W[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
    }
    for (let i = 16; i < 64; i++) {
      const [x, y] = [W[i - 15], W[i - 2]];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      W[i] = (W[i - 16] + s0 + W[i - 7] + s1) | 0;
    }
    const state = this.state;
    let a = state[0];
    let b = state[1];
    let c = state[2];
    let d = state[3];
    let e = state[4];
    let f = state[5];
    let g = state[6];
    let h = state[7];
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + W[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    state[0] = (state[0] + a) | 0;
    state[1] = (state[1] + b) | 0;
    state[2] = (state[2] + c) | 0;
    state[3] = (state[3] + d) | 0;
    state[4] = (state[4] + e) | 0;
    state[5] = (state[5] + f) | 0;
    state[6] = (state[6] + g) | 0;
    state[7] = (state[7] + h) | 0;
  }
}

const shared = new Sha256();

/** SHA-256 of parts that stand one behind the other. */
export function sha256(...parts) {
  shared.reset();
  for (const part of parts) shared.update(part);
  return shared.digest();
}

/** SHA-256(0x00 || bytes [start, end)), into `out` at `offset`. */
export function leafHash(bytes, start, end, out, offset) {
  shared.reset().byte(0).update(bytes, start, end).digest(out, offset);
}

/** SHA-256(0x01 || 64 bytes at `start`), into `out` at `offset`. */
export function pairHash(bytes, start, out, offset) {
  shared.reset().byte(1).update(bytes, start, start + 64).digest(out, offset);
}

/** SHA-256(0x01 || left || right). */
export function nodeHash(left, right) {
  return shared.reset().byte(1).update(left).update(right).digest();
}

/** SHA-256 in hex, in groups of four. */
export function fingerprint(bytes) {
  return toHex(sha256(bytes)).replace(/.{4}(?=.)/g, "$& ");
}

function padded(bytes, block, lengthBytes) {
  const size = Math.ceil((bytes.length + 1 + lengthBytes) / block) * block;
  const whole = new Uint8Array(size);
  whole.set(bytes);
  whole[bytes.length] = 0x80;
  new DataView(whole.buffer).setBigUint64(size - 8, BigInt(bytes.length) * 8n);
  return new DataView(whole.buffer);
}

/** SHA-1: it names certificates in older time-stamps, and nothing is trusted for it. */
export function sha1(bytes) {
  const view = padded(bytes, 64, 8);
  const state = new Int32Array([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0]);
  const w = new Int32Array(80);
  for (let at = 0; at < view.byteLength; at += 64) {
    for (let i = 0; i < 80; i++) {
      const mixed = i < 16 ? 0 : w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
      w[i] = i < 16 ? view.getInt32(at + 4 * i) : (mixed << 1) | (mixed >>> 31);
    }
    let [a, b, c, d, e] = state;
    for (let i = 0; i < 80; i++) {
      const f = i < 20 ? (b & c) | (~b & d) : i < 40 || i >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
      const k = [0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6][Math.floor(i / 20)];
      const next = (((a << 5) | (a >>> 27)) + f + e + k + w[i]) | 0;
      [a, b, c, d, e] = [next, a, (b << 30) | (b >>> 2), c, d];
    }
    [a, b, c, d, e].forEach((word, i) => (state[i] += word));
  }
  const out = new DataView(new ArrayBuffer(20));
  state.forEach((word, i) => out.setInt32(4 * i, word));
  return new Uint8Array(out.buffer);
}

/** SHA-512 and SHA-384, with BigInts: slow, and only small things are hashed so. */
export function sha512(bytes, start = START512, size = 64) {
  const view = padded(bytes, 128, 16);
  const state = [...start];
  const mask = 0xffffffffffffffffn;
  const turn = (x, n) => ((x >> n) | (x << (64n - n))) & mask;
  const w = new Array(80);
  for (let at = 0; at < view.byteLength; at += 128) {
    for (let i = 0; i < 80; i++) {
      if (i < 16) {
        w[i] = view.getBigUint64(at + 8 * i);
        continue;
      }
      const [x, y] = [w[i - 15], w[i - 2]];
      const s0 = turn(x, 1n) ^ turn(x, 8n) ^ (x >> 7n);
      const s1 = turn(y, 19n) ^ turn(y, 61n) ^ (y >> 6n);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) & mask;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 80; i++) {
      const s1 = turn(e, 14n) ^ turn(e, 18n) ^ turn(e, 41n);
      const t1 = h + s1 + ((e & f) ^ (~e & mask & g)) + K512[i] + w[i];
      const s0 = turn(a, 28n) ^ turn(a, 34n) ^ turn(a, 39n);
      const t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
      [a, b, c, d, e, f, g, h] = [(t1 + t2) & mask, a, b, c, (d + t1) & mask, e, f, g];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] = (state[i] + word) & mask));
  }
  const out = new DataView(new ArrayBuffer(64));
  state.forEach((word, i) => out.setBigUint64(8 * i, word));
  return new Uint8Array(out.buffer, 0, size);
}

export const sha384 = (bytes) => sha512(bytes, START384, 48);

const CRC = new Int32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  CRC[byte] = value;
}

/** CRC-32 of what came before (`crc`) and these bytes. */
export function crc32(bytes, crc = 0) {
  let value = ~crc;
  for (let at = 0; at < bytes.length; at++) value = CRC[(value ^ bytes[at]) & 255] ^ (value >>> 8);
  return ~value >>> 0;
}
