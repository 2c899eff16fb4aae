/** The manifest, and which files there are. Twin of section 8 of verify.py. */

import { Damage, Malformed, byCodePoint, decodeUtf8, expect, isAscii, isCount, isHex32, isObject, isUuid, latin1, moment, readJson, says, shown, toHex } from "./basics.js";
import { gather } from "./container.js";
import { Sha256 } from "./hashes.js";
import { parseTileName, WIDTH } from "./tree.js";
import { FIXED_FILES, LIMITS, MANIFEST, PARTS, UNLISTED } from "./words.js";

export const LOG_FILE =
  /^logs\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|registry)\/(checkpoint|checkpoint\.before|disclosed|timestamps\/[0-9]{6}\.tsr|entries\/[0-9]{6}\.ndjson|tile\/[^\n]+)$/;
const PART_FILE = /^parts\/[0-9]{6}\.ndjson$/;
const ORIGIN = /^[A-Za-z0-9_.:/-]{1,200}$/;

/** The place of the first thing in a value that is not of a form (words.js: MANIFEST); null where it all is. */
export function conforms(value, form, at = "") {
  if (typeof form === "string") return isOf(value, form) ? null : at || "/";
  if (!Array.isArray(form)) {
    if (!isObject(value)) return at || "/";
    const names = [...new Set([...Object.keys(value), ...Object.keys(form)])].sort(byCodePoint);
    const odd = names.find((name) => !(name in value) || !Object.hasOwn(form, name));
    if (odd !== undefined) return `${at}/${odd}`;
    return first(names, (name) => conforms(value[name], form[name], `${at}/${name}`));
  }
  const [kind, ...rest] = form;
  if (kind === "is" || kind === "one") return typeof value === "string" && rest.includes(value) ? null : at;
  if (kind === "null") return value === null ? null : conforms(value, rest[0], at);
  if (kind === "by") {
    const named = isObject(value) ? value[rest[0]] : undefined;
    const isKnown = typeof named === "string" && Object.hasOwn(rest[1], named);
    return isKnown ? conforms(value, rest[1][named], at) : at;
  }
  if (kind === "map") {
    if (!isObject(value) || !Object.keys(value).every((name) => isOf(name, "text"))) return at;
    return first(Object.keys(value).sort(byCodePoint), (name) => conforms(value[name], rest[0], `${at}/${name}`));
  }
  if (!Array.isArray(value) || (kind === "pair" && value.length !== 2)) return at;
  return first(value, (each, number) => conforms(each, rest[0], `${at}/${number}`));
}

function first(values, check) {
  for (let number = 0; number < values.length; number++) {
    const found = check(values[number], number);
    if (found !== null) return found;
  }
  return null;
}

function isOf(value, form) {
  if (form === "count") return isCount(value);
  if (form === "number") return isCount(value, 2n ** 63n);
  if (form === "bool") return typeof value === "boolean";
  if (typeof value !== "string") return false;
  if (form === "log") return value === "registry" || isUuid(value);
  if (form === "time") return moment(value) !== null;
  if (form === "origin") return ORIGIN.test(value);
  if (form === "text") return value.length > 0 && Array.from(value).length <= 1000;
  return form === "uuid" ? isUuid(value) : isHex32(value);
}

/** JSON as Python's json.dumps(value, sort_keys=True, indent=2) writes it. */
export function canonical(value, indent = "\n") {
  if (typeof value === "string") return quoted(value);
  if (value === null || typeof value !== "object") return String(value);
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    return value.length ? `[${deeper}${value.map((each) => canonical(each, deeper)).join(`,${deeper}`)}${indent}]` : "[]";
  }
  const names = Object.keys(value).sort(byCodePoint);
  const rows = names.map((name) => `${quoted(name)}: ${canonical(value[name], deeper)}`);
  return names.length ? `{${deeper}${rows.join(`,${deeper}`)}${indent}}` : "{}";
}

function quoted(text) {
  const escaped = text.replace(/["\\\u0000-\u001f\u007f-\uffff]/g, (unit) => {
    const short = { '"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\b": "\\b" }[unit];
    return short ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
  return `"${escaped}"`;
}

function countOf(data, byte) {
  let count = 0;
  for (let at = 0; at < data.length; at++) count += data[at] === byte ? 1 : 0;
  return count;
}

/** Read manifest.json: its form, and its one spelling. Errors: Damage. */
export function parseManifest(data) {
  const place = "manifest.json";
  if (countOf(data, 10) > LIMITS.lines) throw new Damage("file-too-large", place);
  if (!isAscii(data)) throw new Damage("manifest-malformed", place, "not ASCII");
  const text = decodeUtf8(data);
  let manifest;
  try {
    manifest = readJson(text);
  } catch (error) {
    throw new Damage("manifest-malformed", place, expect(error, Malformed).message);
  }
  const wrong = conforms(manifest, MANIFEST);
  if (wrong !== null) throw new Damage("manifest-malformed", place, `not of the form at ${shown(wrong)}`);
  if (`${canonical(manifest)}\n` !== text) throw new Damage("manifest-malformed", place, "not in its canonical spelling");
  const contradiction = contradictsItself(manifest);
  if (contradiction) throw new Damage("manifest-malformed", place, contradiction);
  return manifest;
}

/** What the form alone does not say. Empty where all is well. */
function contradictsItself(manifest) {
  const { logs, asked, question, files } = manifest;
  if (logs.length > LIMITS.logs || new Set(logs.map((each) => each.log)).size !== logs.length) return "a log twice, or too many logs";
  const kinds = logs.map((each) => each.kind);
  if (!kinds.includes("registry") || kinds.slice(kinds.indexOf("registry")).includes("system")) return "registry logs come last, and there is one";
  const isRange = question.kind === "range";
  for (const each of logs) {
    const wrong = logContradictsItself(each, manifest.origin, isRange);
    if (wrong) return `log ${each.log}: ${wrong}`;
  }
  if ((manifest.sources !== null) !== isRange) return "sources belong to a range";
  if (manifest.whole === manifest.left_out.length > 0) return "whole and left_out";
  const [since, until] = [moment(question.since), moment(question.until)];
  if (since !== null && until !== null && since > until) return "it ends before it begins";
  if ((asked.approved_by === null) !== (asked.approval === null)) return "approved_by and approval";
  for (let at = 1; at < files.length; at++) if (byCodePoint(files[at - 1].path, files[at].path) >= 0) return "files are ordered by path, each once";
  return Object.keys(manifest.parts).every((name) => PARTS.includes(name)) ? "" : "parts of decisions";
}

function logContradictsItself(log, origin, isRange) {
  const [span, isSystem] = [log.range, log.kind === "system"];
  if (log.origin !== `${origin}/logs/${log.log}`) return "its origin is not below the installation's";
  if (isSystem !== (log.system !== null) || (isSystem && log.log === "registry")) return "an AI system's log has a system";
  if ((span !== null) !== (isRange && isSystem)) return "ranges belong to the AI system's logs of a range";
  if (span !== null && !(span[0] <= span[1] && span[1] <= log.tree_size)) return "its range is not within its tree";
  if (log.before !== null && log.before > (span ? span[0] : log.tree_size)) return "the earlier checkpoint is of a later tree";
  if (log.disclosed > log.tree_size || log.timestamps > LIMITS.timestamps) return "more than there can be";
  return "";
}

/** Whether a path is one that a file of some bundle may have. */
export function isBundleName(path) {
  if (FIXED_FILES.includes(path) || PART_FILE.test(path)) return true;
  const found = LOG_FILE.exec(path);
  return found !== null && (!found[2].startsWith("tile/") || parseTileName(found[2]) !== null);
}

/** How many bytes a file of this name may have. */
export function largest(path) {
  if (["README.html", "VERIFYING.txt", "verify.py", "verify.html"].includes(path)) return LIMITS.page;
  if (path === "manifest.note" || path.endsWith("/checkpoint") || path.endsWith("/checkpoint.before")) return LIMITS.note;
  if (path.endsWith(".tsr")) return LIMITS.token;
  return path.includes("/tile/") ? WIDTH * 32 : LIMITS.grows;
}

/** The files of a container with what the manifest says of them. Whatever is read is compared with it as it is read. */
export class Bundle {
  constructor(container, report, progress) {
    Object.assign(this, { container, report, progress, listed: new Map(), digests: new Map(), noted: new Set() });
  }

  has(name) {
    return this.container.sizes.has(name);
  }

  /** A file in pieces. Where it is not the listed one a finding is noted, after its end. Errors: Damage. */
  async *chunks(name) {
    if (this.container.sizes.get(name) > largest(name)) throw new Damage("file-too-large", name);
    const digest = new Sha256();
    for await (const data of this.container.chunks(name)) {
      digest.update(data);
      yield data;
      await this.progress(data.length);
    }
    const found = toHex(digest.digest());
    const listed = this.listed.get(name);
    if (!listed) {
      this.digests.set(name, found);
    } else if (found !== listed.sha256 && !this.noted.has(name)) {
      this.noted.add(name);
      this.report.add("file-altered", name);
    }
  }

  /** A whole file. Errors: Damage. */
  read(name) {
    return gather(this.chunks(name));
  }

  /** The files 000000, 000001, ... of a folder, up to the first that is not there. */
  numbered(folder, ending) {
    const names = [];
    for (;;) {
      const name = `${folder}/${String(names.length).padStart(6, "0")}${ending}`;
      if (!this.has(name)) return names;
      names.push(name);
    }
  }
}

/** Which files there are: those that the manifest lists, with their sizes, and four more; each of a name that fits. */
export function checkFiles(bundle, manifest) {
  const { report } = bundle;
  const { sizes } = bundle.container;
  for (const each of manifest.files) bundle.listed.set(each.path, each);
  const expected = expectedFiles(bundle, manifest);
  for (const name of [...new Set([...UNLISTED, ...bundle.listed.keys(), ...expected])].sort(byCodePoint)) {
    const listed = bundle.listed.get(name);
    if (!sizes.has(name)) {
      report.add("file-missing", shown(name));
    } else if (UNLISTED.includes(name) && listed) {
      report.add("file-extra", name, "listed in the manifest");
    } else if (listed && sizes.get(name) !== listed.size) {
      bundle.noted.add(name);
      report.add("file-altered", name, says("size", listed.size, sizes.get(name)));
    }
  }
  for (const name of [...sizes.keys()].filter((each) => !UNLISTED.includes(each)).sort()) {
    if (!expected.has(name)) report.add("file-extra", name);
    else if (!bundle.listed.has(name)) report.add("file-extra", name, "not listed in the manifest");
  }
}

/** The files that the manifest's logs must have, and those of the container whose names they may have. */
function expectedFiles(bundle, manifest) {
  const expected = new Set([...FIXED_FILES.filter((name) => !UNLISTED.includes(name)), ...bundle.numbered("parts", ".ndjson")]);
  for (const log of manifest.logs) {
    const place = `logs/${log.log}`;
    expected.add(`${place}/checkpoint`).add(`${place}/disclosed`);
    for (let number = 0; number < log.timestamps; number++) expected.add(`${place}/timestamps/${String(number).padStart(6, "0")}.tsr`);
    for (const name of bundle.numbered(`${place}/entries`, ".ndjson")) expected.add(name);
    if (log.before !== null) expected.add(`${place}/checkpoint.before`);
  }
  const logs = new Set(manifest.logs.map((log) => log.log));
  for (const name of bundle.container.sizes.keys()) {
    const found = LOG_FILE.exec(name);
    if (found && found[2].startsWith("tile/") && logs.has(found[1]) && isBundleName(name)) expected.add(name);
  }
  return expected;
}

/** SHA256SUMS names every other file with its digest, each once. All other files must have been read by now. */
export async function checkSums(bundle) {
  const data = await bundle.read("SHA256SUMS");
  if (countOf(data, 10) > LIMITS.files) throw new Damage("sums-differ", "SHA256SUMS", "more lines than files");
  const lines = latin1(data).split("\n");
  const expected = new Map([...bundle.listed].map(([name, { sha256 }]) => [name, sha256]));
  for (const [name, digest] of bundle.digests) expected.set(name, digest);
  expected.delete("SHA256SUMS");
  if (lines.pop() !== "") bundle.report.add("sums-differ", "SHA256SUMS", "the last line does not end");
  lines.forEach((line, number) => {
    const [digest, name] = [line.slice(0, 64), line.slice(66)];
    const isRight = line.slice(64, 66) === "  " && expected.get(name) === digest;
    expected.delete(name);
    if (!isRight) bundle.report.add("sums-differ", `SHA256SUMS:${number + 1}`);
  });
  for (const name of [...expected.keys()].sort(byCodePoint)) bundle.report.add("sums-differ", "SHA256SUMS", `${shown(name)} is not in it`);
}

