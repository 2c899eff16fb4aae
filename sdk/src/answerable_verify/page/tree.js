/** Tiles and tree (RFC 6962, C2SP tlog-tiles). Twin of section 6 of verify.py. Sizes are numbers below 2^53. */

import { nodeHash, pairHash, sha256 } from "./hashes.js";
import { LIMITS } from "./words.js";

export const EMPTY_ROOT = sha256();
export const WIDTH = 256;
const TILE_PATH = /^tile\/(0|[1-9][0-9]?)\/((?:x(?!000)[0-9]{3}\/(?:x[0-9]{3}\/){0,5})?[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/;

/** How many hashes a level has in a tree of `size` leaves. Level 7 and above have none: 256^7 is above 2^53. */
export const countAt = (size, level) => (level > 6 ? 0 : Math.floor(size / 256 ** level));

/** The node above 1, 2, 4, ... hashes that stand one behind the other. */
export function foldPerfect(row) {
  let count = row.length / 32;
  if (count === 1) return row.slice();
  const work = new Uint8Array(row.length / 2);
  let from = row;
  for (; count > 1; count /= 2) {
    for (let at = 0; at < count / 2; at++) pairHash(from, 64 * at, work, 32 * at);
    from = work;
  }
  return work.slice(0, 32);
}

/** The root of the tree of the first `size` leaves, from tiles; null where one lacks. In: async `tileOf(level, index)`. */
export async function rootOf(size, tileOf) {
  if (size === 0) return EMPTY_ROOT;
  const nodes = [];
  for (let level = topLevel(size); level >= 0; level--) {
    const count = countAt(size, level);
    const width = count % WIDTH;
    const tile = width ? await tileOf(level, Math.floor(count / WIDTH)) : new Uint8Array();
    if (tile === null || tile.length < 32 * width) return null;
    let at = 0;
    for (let bit = 128; bit; bit >>= 1) {
      if (width & bit) {
        nodes.push(foldPerfect(tile.subarray(32 * at, 32 * (at + bit))));
        at += bit;
      }
    }
  }
  return nodes.reduceRight((root, node) => nodeHash(node, root));
}

/** The highest level at which a tree of `size` >= 1 leaves has a tile. */
export function topLevel(size) {
  let level = 0;
  while (countAt(size, level + 1)) level++;
  return level;
}

/** How many hashes a tile has in a tree of `size` leaves; 0 or less where the tree has no such tile. */
export const tileWidth = (size, level, index) => Math.min(WIDTH, countAt(size, level) - index * WIDTH);

/** The path of a tile below the log's. */
export function tileName(level, index, width) {
  let path = String(index % 1000).padStart(3, "0");
  while ((index = Math.floor(index / 1000))) path = `x${String(index % 1000).padStart(3, "0")}/${path}`;
  return `tile/${level}/${path}` + (width === WIDTH ? "" : `.p/${width}`);
}

/** Level, index and width of a tile's path, in its one spelling; null where it is none. */
export function parseTileName(path) {
  const found = TILE_PATH.exec(path);
  if (!found || Number(found[1]) > 63 || Number(found[3] ?? 0) > 255) return null;
  const index = BigInt(found[2].replace(/[x/]/g, ""));
  return index <= BigInt(LIMITS.size) ? [Number(found[1]), Number(index), Number(found[3] ?? WIDTH)] : null;
}
