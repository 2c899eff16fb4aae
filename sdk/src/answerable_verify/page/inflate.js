/**
 * DEFLATE (RFC 1951), as strict as zlib is. Browsers can inflate too, but not all say when a stream goes on after its end,
 * and all verifiers must say the same.
 */

import { CHUNK } from "./basics.js";

const LENGTHS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const LENGTH_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCES = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193,
  12289, 16385, 24577,
];
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const WINDOW = 32768;

/** A stream that is none. */
export class InflateError extends Error {}

const fail = () => {
  throw new InflateError("not DEFLATE");
};

/**
 * A Huffman code as one table: for each `bits` next bits of the stream, symbol * 16 + length of its code.
 * Over-subscribed codes are refused, incomplete ones too, but for a distance code of at most one symbol.
 */
function codeOf(lengths, mayBeIncomplete) {
  const counts = new Uint16Array(16);
  for (const length of lengths) counts[length]++;
  let bits = 15;
  while (bits > 1 && !counts[bits]) bits--;
  let left = 1;
  for (let length = 1; length <= 15; length++) {
    left = 2 * left - counts[length];
    if (left < 0) fail();
  }
  const used = lengths.length - counts[0];
  if (left > 0 && !(mayBeIncomplete && (used === 0 || (used === 1 && counts[1] === 1)))) fail();
  const next = new Uint16Array(17);
  for (let length = 1; length < 16; length++) next[length + 1] = (next[length] + counts[length]) << 1;
  const table = new Uint16Array(1 << bits);
  lengths.forEach((length, symbol) => {
    if (!length) return;
    let code = next[length]++;
    let reversed = 0;
    for (let bit = 0; bit < length; bit++, code >>= 1) reversed = (reversed << 1) | (code & 1);
    for (let at = reversed; at < table.length; at += 1 << length) table[at] = (symbol << 4) | length;
  });
  return { table, bits };
}

let fixed = null;

function fixedCodes() {
  const lengths = Array.from({ length: 288 }, (_, symbol) => (symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8));
  fixed ??= [codeOf(lengths, false), codeOf(new Array(32).fill(5), false)];
  return fixed;
}

/** Inflate bytes, to their end and no further. Out: a generator of pieces of about 1 MiB. Errors: InflateError. */
export function* inflate(input) {
  const stream = new Stream(input);
  let isLast = 0;
  while (!isLast) {
    isLast = stream.take(1);
    const kind = stream.take(2);
    if (kind === 3) fail();
    if (kind === 0) {
      yield* stream.stored();
    } else {
      const [literals, distances] = kind === 1 ? fixedCodes() : stream.codes();
      yield* stream.block(literals, distances);
    }
  }
  if (stream.made > stream.given) yield stream.piece();
  if (stream.at - (stream.count >> 3) !== input.length) throw new InflateError("it goes on after its end");
}

class Stream {
  constructor(input) {
    this.input = input;
    this.at = 0;
    this.hold = 0;
    this.count = 0;
    this.out = new Uint8Array(WINDOW + CHUNK + 512);
    this.made = 0; // bytes in `out`
    this.given = 0; // of which were given away
    this.total = 0;
  }

  need(bits) {
    while (this.count < bits) {
      if (this.at >= this.input.length) throw new InflateError("it is cut off, or larger than it says");
      this.hold |= this.input[this.at++] << this.count;
      this.count += 8;
    }
  }

  take(bits) {
    if (!bits) return 0;
    this.need(bits);
    const value = this.hold & ((1 << bits) - 1);
    this.hold >>>= bits;
    this.count -= bits;
    return value;
  }

  /** The next symbol of a code. */
  symbol({ table, bits }) {
    // near the end there may be fewer bits than the longest code has
    while (this.count < bits && this.at < this.input.length) {
      this.hold |= this.input[this.at++] << this.count;
      this.count += 8;
    }
    const found = table[this.hold & ((1 << bits) - 1)];
    const length = found & 15;
    if (!length) fail();
    if (length > this.count) throw new InflateError("it is cut off, or larger than it says");
    this.hold >>>= length;
    this.count -= length;
    return found >> 4;
  }

  /** What was made and not given away yet; the last 32 KiB stay. */
  piece() {
    const piece = this.out.slice(this.given, this.made);
    const start = Math.max(0, this.made - WINDOW);
    this.out.copyWithin(0, start, this.made);
    this.made -= start;
    this.given = this.made;
    this.total += piece.length;
    return piece;
  }

  *stored() {
    this.hold >>>= this.count & 7;
    this.count -= this.count & 7;
    const length = this.take(16);
    if (this.take(16) !== (~length & 0xffff)) fail();
    this.at -= this.count >> 3;
    this.hold = this.count = 0;
    for (let left = length; left; ) {
      const count = Math.min(left, CHUNK - (this.made - this.given), this.input.length - this.at);
      if (count <= 0 && this.at >= this.input.length) throw new InflateError("it is cut off, or larger than it says");
      this.out.set(this.input.subarray(this.at, this.at + count), this.made);
      this.at += count;
      this.made += count;
      left -= count;
      if (this.made - this.given >= CHUNK) yield this.piece();
    }
  }

  /** The two codes of a dynamic block (section 3.2.7). */
  codes() {
    const [literals, distances, lengths] = [this.take(5) + 257, this.take(5) + 1, this.take(4) + 4];
    if (literals > 286 || distances > 30) fail();
    const first = new Array(19).fill(0);
    for (let at = 0; at < lengths; at++) first[ORDER[at]] = this.take(3);
    const code = codeOf(first, false);
    const all = [];
    while (all.length < literals + distances) {
      const symbol = this.symbol(code);
      if (symbol < 16) {
        all.push(symbol);
        continue;
      }
      if (symbol === 16 && !all.length) fail();
      const value = symbol === 16 ? all[all.length - 1] : 0;
      const times = symbol === 16 ? 3 + this.take(2) : symbol === 17 ? 3 + this.take(3) : 11 + this.take(7);
      for (let n = 0; n < times; n++) all.push(value);
    }
    if (all.length > literals + distances || !all[256]) fail();
    // zlib lets an incomplete literal code be where it is a single symbol of one bit
    return [codeOf(all.slice(0, literals), true), codeOf(all.slice(literals), true)];
  }

  *block(literals, distances) {
    const out = this.out;
    for (;;) {
      const symbol = this.symbol(literals);
      if (symbol < 256) {
        out[this.made++] = symbol;
      } else if (symbol === 256) {
        return;
      } else {
        if (symbol > 285) fail();
        const length = LENGTHS[symbol - 257] + this.take(LENGTH_BITS[symbol - 257]);
        const code = this.symbol(distances);
        if (code > 29) fail();
        const distance = DISTANCES[code] + this.take(code < 4 ? 0 : (code >> 1) - 1);
        if (distance > this.made) fail();
        for (let end = this.made + length; this.made < end; this.made++) out[this.made] = out[this.made - distance];
      }
      if (this.made - this.given >= CHUNK) yield this.piece();
    }
  }
}
