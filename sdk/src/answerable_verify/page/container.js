/** The zip of the plain kind. Twin of section 7 of verify.py. `source` is { size, read(offset, length) -> Promise<Uint8Array> }. */

import { CHUNK, Damage, Malformed, UsageError, concat, expect, latin1, shown } from "./basics.js";
import { crc32 } from "./hashes.js";
import { InflateError, inflate } from "./inflate.js";
import { isBundleName } from "./manifest.js";
import { LIMITS } from "./words.js";

const NAME = /^[A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)*$/;
const [MAX16, MAX32] = [0xffff, 0xffffffff];
const NEEDS = [10, 20, 45]; // versions of the format: stored, deflated, ZIP64
const REGULAR = 0o100644 * 0x10000;

/** A file or a blob as a source. */
export const blobSource = (blob) => ({
  size: blob.size,
  read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
});

/** Refuse names that a bundle cannot have. */
function checkNames(names) {
  const seen = new Set();
  for (const name of names) {
    const segments = name.split("/");
    if (!NAME.test(name) || name.length > LIMITS.name || segments.includes(".") || segments.includes("..")) throw new Damage("name-refused", shown(name));
    if (seen.has(name.toLowerCase())) throw new Damage("name-repeated", name);
    seen.add(name.toLowerCase());
  }
}

const damaged = (detail, place = "") => {
  throw new Damage("zip-damaged", place, detail);
};

/** Little-endian numbers of bytes. */
class View {
  constructor(bytes) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u16(at) {
    return this.view.getUint16(at, true);
  }

  u32(at) {
    return this.view.getUint32(at, true);
  }

  u64(at) {
    return this.u32(at) + this.u32(at + 4) * 2 ** 32;
  }
}

export class ZipContainer {
  static async open(source) {
    const zip = new ZipContainer();
    zip.source = source;
    zip.members = await zip.directory();
    zip.sizes = new Map([...zip.members].map(([name, member]) => [name, member.size]));
    return zip;
  }

  async at(offset, length) {
    const data = offset + length <= this.source.size ? await this.source.read(offset, length) : new Uint8Array();
    if (data.length !== length) damaged("it is cut off");
    return data;
  }

  async directory() {
    const [count, size, offset] = await this.end();
    if (count > LIMITS.files) throw new Damage("too-many-files", "", shown(count));
    if (size > count * (46 + LIMITS.name + 28)) throw new Damage("zip-not-plain", "", "the central directory is larger than its files need");
    const data = await this.at(offset, size);
    const rows = [];
    let at = 0;
    for (let number = 0; number < count; number++) {
      const row = this.row(data, at);
      rows.push(row);
      at = row.next;
    }
    if (at !== data.length) damaged("the central directory is longer than its entries");
    checkNames(rows.map((row) => row.name));
    if (rows.length && rows[0].offset !== 0) throw new Damage("zip-not-plain", "", "something stands before the first file");
    const members = new Map();
    rows.forEach((row, number) => {
      const end = number + 1 < rows.length ? rows[number + 1].offset : offset;
      row.extra = end - row.offset - 30 - row.name.length - row.packed;
      if (row.extra !== 0 && row.extra !== 20) throw new Damage("zip-not-plain", row.name, "files overlap, or something stands between them");
      members.set(row.name, row);
    });
    return members;
  }

  /** Number of files, size and offset of the central directory. */
  async end() {
    if (this.source.size < 22) damaged("it has no end");
    const end = this.source.size - 22;
    const bytes = await this.at(end, 22);
    const view = new View(bytes);
    const [disk, start, here, count] = [4, 6, 8, 10].map((at) => view.u16(at));
    const [size, offset, comment] = [view.u32(12), view.u32(16), view.u16(20)];
    if (view.u32(0) !== 0x06054b50 || comment || disk || start || here !== count) damaged("it does not end as a zip without a comment does");
    if (offset + size === end) return [count, size, offset];
    const wrong = "the central directory is not where it must be";
    if (end < 76) damaged(wrong);
    const locator = new View(await this.at(end - 20, 20));
    const record = new View(await this.at(end - 76, 56));
    const isLocated = locator.u32(0) === 0x07064b50 && !locator.u32(4) && locator.u64(8) === end - 76 && locator.u32(16) === 1;
    if (!isLocated || record.u32(0) !== 0x06064b50 || record.u64(4) !== 44) damaged(wrong);
    if (record.u16(14) !== 45 || (record.u16(12) !== 45 && record.u16(12) !== 0x32d)) damaged(wrong);
    const [here64, count64, size64, offset64] = [24, 32, 40, 48].map((each) => record.u64(each));
    if (record.u32(16) || record.u32(20) || here64 !== count64 || offset64 + size64 !== end - 76) damaged(wrong);
    if (![MAX16, count64].includes(count) || ![MAX32, size64].includes(size) || ![MAX32, offset64].includes(offset)) {
      throw new Damage("zip-not-plain", "", "its two ends contradict each other");
    }
    return [count64, size64, offset64];
  }

  /** One entry of the central directory. */
  row(data, start) {
    const cut = "the central directory is cut off";
    if (start + 46 > data.length) damaged(cut);
    const view = new View(data.subarray(start));
    const [maker, needs, flags, method, clock, day] = [4, 6, 8, 10, 12, 14].map((at) => view.u16(at));
    const [crc, names, extras, comments, disk] = [view.u32(16), view.u16(28), view.u16(30), view.u16(32), view.u16(34)];
    const [inner, outer] = [view.u16(36), view.u32(38)];
    let [packed, size, offset] = [view.u32(20), view.u32(24), view.u32(42)];
    const at = start + 46;
    const name = latin1(data.subarray(at, at + names));
    const extra = data.subarray(at + names, at + names + extras);
    if (view.u32(0) !== 0x02014b50 || name.length !== names || extra.length !== extras) damaged(cut);
    const isPlain = !(flags & ~0x0806) && (method === 0 || method === 8) && !disk && !comments && NEEDS.includes(needs);
    // made by MS-DOS or Unix, and a regular file with the usual permissions
    const isFile = NEEDS.includes(maker & 0xff) && (maker >> 8 === 0 || maker >> 8 === 3) && !inner && (outer === 0 || outer === REGULAR);
    if (!isPlain || !isFile) throw new Damage("zip-not-plain", shown(name), "encrypted, a data descriptor, a comment, or no regular file");
    const large = [size, packed, offset].map((value) => value === MAX32);
    const count = large.filter(Boolean).length;
    const wrong = new Damage("zip-not-plain", shown(name), "an extra field");
    if (extras !== (count ? 4 + 8 * count : 0)) throw wrong;
    if (count) {
      const values = new View(extra);
      if (values.u16(0) !== 1 || values.u16(2) !== 8 * count) throw wrong;
      let next = 4;
      [size, packed, offset] = [size, packed, offset].map((value, which) => (large[which] ? values.u64((next += 8) - 8) : value));
    }
    if ((method === 0 && packed !== size) || packed > 2 * size + 1024) throw new Damage("zip-not-plain", shown(name), "sizes that no file has");
    return { name, offset, packed, size, crc, method, flags, clock, day, extra: 0, next: at + names + extras };
  }

  /** The local header says what the central directory says. */
  checkLocal(name, member, data) {
    const view = new View(data);
    let [packed, size] = [view.u32(18), view.u32(22)];
    const isSame =
      view.u32(0) === 0x04034b50 && view.u16(6) === member.flags && view.u16(8) === member.method && view.u16(10) === member.clock &&
      view.u16(12) === member.day && view.u32(14) === member.crc && view.u16(26) === name.length && view.u16(28) === member.extra &&
      latin1(data.subarray(30, 30 + name.length)) === name;
    if (member.extra) {
      const extra = new View(data.subarray(30 + name.length));
      const isZip64 = extra.u16(0) === 1 && extra.u16(2) === 16 && size === MAX32 && packed === MAX32;
      [size, packed] = isZip64 ? [extra.u64(4), extra.u64(12)] : [-1, -1];
    }
    if (!isSame || size !== member.size || packed !== member.packed || !NEEDS.includes(view.u16(4))) {
      throw new Damage("zip-not-plain", name, "the local header says something else than the central directory");
    }
  }

  /** A file in pieces of at most about 1 MiB. */
  async *chunks(name) {
    const member = this.members.get(name);
    const head = 30 + name.length + member.extra;
    const isSmall = member.packed <= CHUNK;
    const first = await this.at(member.offset, head + (isSmall ? member.packed : 0));
    this.checkLocal(name, member, first);
    const start = member.offset + head;
    let [crc, found] = [0, 0];
    const pieces = member.method ? this.inflated(name, member, start, isSmall ? first.subarray(head) : null) : this.stored(member, start, isSmall ? first.subarray(head) : null);
    for await (const data of pieces) {
      crc = crc32(data, crc);
      found += data.length;
      yield data;
    }
    if (found !== member.size || crc !== member.crc) throw new Damage("content-damaged", name);
  }

  async *stored(member, start, whole) {
    if (whole) {
      if (whole.length) yield whole;
      return;
    }
    for (let at = 0; at < member.packed; at += CHUNK) yield await this.at(start + at, Math.min(CHUNK, member.packed - at));
  }

  async *inflated(name, member, start, whole) {
    const packed = whole ?? (await this.at(start, member.packed));
    let made = 0;
    try {
      for (const data of inflate(packed)) {
        made += data.length;
        if (made > member.size) throw new Damage("content-damaged", name, "it is cut off, or larger than it says");
        yield data;
      }
    } catch (error) {
      const { message } = expect(error, InflateError, Damage);
      if (error instanceof Damage) throw error;
      throw new Damage("content-damaged", name, message === "not DEFLATE" ? "" : message);
    }
  }
}

/** Open a bundle. Errors: UsageError where it is none, Damage where it is a damaged one. */
export async function openContainer(source) {
  const none = new UsageError("This is not an evidence bundle.");
  try {
    const zip = await ZipContainer.open(source);
    if (![...zip.sizes.keys()].some(isBundleName)) throw none;
    return zip;
  } catch (error) {
    if (!(expect(error, Damage, UsageError, Malformed) instanceof Damage) || !(await beganAsBundle(source))) {
      throw error instanceof Damage ? none : error;
    }
    throw error;
  }
}

/** Whether a damaged zip can be read far enough to be a bundle: its first or its last bytes name one of its files. */
async function beganAsBundle(source) {
  const head = await source.read(0, Math.min(source.size, 30 + LIMITS.name));
  const tail = await source.read(Math.max(0, source.size - 65536), Math.min(source.size, 65536));
  if (head.length > 30 && new View(head).u32(0) === 0x04034b50) {
    if (isBundleName(latin1(head.subarray(30, 30 + new View(head).u16(26))))) return true;
  }
  for (let at = 0; at + 46 <= tail.length; at++) {
    if (tail[at] === 0x50 && tail[at + 1] === 0x4b && tail[at + 2] === 1 && tail[at + 3] === 2) {
      return isBundleName(latin1(tail.subarray(at + 46, at + 46 + new View(tail).u16(at + 28))));
    }
  }
  return false;
}

/** All of something that comes in pieces. */
export async function gather(pieces) {
  const found = [];
  for await (const data of pieces) found.push(data);
  return concat(...found);
}
