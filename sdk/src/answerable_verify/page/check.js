/** One check, from beginning to end. Twin of `Check` and `check_bundle` of verify.py. */

import { Damage, Malformed, Report, equal, expect, says, shown, toHex, utf8, work } from "./basics.js";
import { Anchors } from "./anchors.js";
import { Answer, Reading } from "./answer.js";
import { Contents } from "./contents.js";
import { renderFirstPage } from "./firstpage.js";
import { fingerprint } from "./hashes.js";
import { Log } from "./logs.js";
import { Bundle, LOG_FILE, checkFiles, checkSums, isBundleName, parseManifest } from "./manifest.js";
import { parseNote } from "./notes.js";
import { LOG_NAME, Trust, keyUnder } from "./trust.js";
import { FIXED_FILES, LIMITS } from "./words.js";

const MANIFEST_PLACE = "manifest.json";

class Check extends Anchors {
  static async begin(bundle, manifest, options) {
    const check = new Check();
    Object.assign(check, { bundle, report: bundle.report, manifest, options, lost: [], isCaseProven: false, compared: new Set(), outside: new Set() });
    check.logs = manifest.logs.map((said, number) => new Log(bundle, said, number));
    check.systems = check.logs.filter((log) => log.isSystem);
    check.registries = check.logs.filter((log) => !log.isSystem);
    check.newest = check.registries[check.registries.length - 1];
    check.byOrigin = new Map(check.logs.map((log) => [log.origin, log]));
    for (const log of options.policy ? check.logs : []) {
      const sizes = [...options.heads.filter(([, head]) => head.origin === log.origin).map(([, head]) => head.size), log.said.before];
      const known = [...new Set(sizes.filter((size) => size !== null))].sort((one, other) => one - other);
      log.behind = new Map(known.slice(0, LIMITS.timestamps).map((size) => [size, ""]));
    }
    check.answer = new Answer(manifest);
    check.contents = await Contents.open(bundle, check.logs);
    check.reading = new Reading(manifest, check.logs, check.contents, check.answer);
    const ours = options.keys.filter((key) => LOG_NAME.exec(key.name)?.[1] === manifest.origin);
    check.trust = new Trust(ours.map((key) => key.hex));
    return check;
  }

  /** The place in the registry logs from which on a log is there. */
  opened(log) {
    if (!log.isSystem) return [this.registries.indexOf(log), 0];
    const told = this.reading.announced.get(log.name);
    return told ? [told.number - this.systems.length, told.index] : null;
  }

  // --- the logs ------------------------------------------------------------------------------------------------------
  async readLogs() {
    const tiles = new Map(this.logs.map((log) => [log.name, []]));
    for (const name of this.bundle.container.sizes.keys()) {
      const found = LOG_FILE.exec(name);
      if (found && found[2].startsWith("tile/") && isBundleName(name)) tiles.get(found[1])?.push(name);
    }
    for (const log of this.logs) {
      if (!(await log.readCheckpoint())) continue;
      await log.checkTiles(tiles.get(log.name));
      tiles.delete(log.name);
      try {
        log.checkRangeTiles();
        await log.checkEntries(this.reading);
      } catch (error) {
        this.report.note(expect(error, Damage));
      }
      if (log.disclosed !== log.said.disclosed) {
        this.report.add("manifest-differs", MANIFEST_PLACE, says(`logs.${log.name}.disclosed`, log.said.disclosed, log.disclosed));
      }
    }
    await this.contents.end();
  }

  // --- who signed ----------------------------------------------------------------------------------------------------
  async checkSignatures() {
    if (this.options.keys.length && !this.trust.hasKey) {
      const names = [...new Set(this.options.keys.map((key) => shown(key.name)))].sort().slice(0, 3).join(", ");
      this.report.add("origin-foreign", MANIFEST_PLACE, says("origin", this.manifest.origin, names));
    } else if (!this.trust.hasKey) {
      this.report.add("no-key", MANIFEST_PLACE);
    }
    await this.trust.read(this.registries);
    const words = { retired: "signature-retired", unknown: "signature-untrusted", earlier: "key-not-given" };
    let newest = [];
    // the newest registry log first: that an earlier key is the installation's, it alone can say
    for (const log of [...this.logs].reverse()) {
      if (log.checkpoint === null) continue;
      const place = `${log.place}/checkpoint`;
      const [word, keys] = await this.trust.signers(log.checkpoint.note, log, this.opened(log), log.size, place);
      log.signed = word;
      if (word === "earlier" && this.newest.signed !== "trusted") log.signed = "unknown";
      if (Object.hasOwn(words, log.signed)) this.report.add(words[log.signed], place);
      else if (log.signed === "trusted" && this.trust.lacksNewer(keys, log, log.size)) this.report.add("signature-lacking", place);
      if (log === this.newest) newest = keys;
    }
    await this.checkManifestNote();
    this.report.facts.keys = newest.map((hex) => {
      const key = keyUnder(this.newest.origin, hex);
      return { vkey: key.vkey, fingerprint: fingerprint(key.publicKey), given: this.trust.given.has(hex) };
    });
  }

  async checkManifestNote() {
    const place = "manifest.note";
    if (!this.bundle.has(place)) return;
    let note;
    try {
      note = parseNote(await this.bundle.read(place));
    } catch (error) {
      if (expect(error, Malformed, Damage) instanceof Damage) throw error;
      this.report.add("manifest-note-malformed", place, error.message);
      return;
    }
    const digest = this.bundle.digests.get(MANIFEST_PLACE);
    if (note.text !== `answerable/evidence-bundle/v1\n${this.manifest.id}\n${digest}\n`) this.report.add("manifest-note-differs", place);
    const log = this.newest;
    const [word] = await this.trust.signers(note, log, this.opened(log), log.size, place);
    if (word === "earlier" && log.signed === "trusted") this.report.add("key-not-given", place);
    else if (word !== "trusted" && word !== "invalid") this.report.add("manifest-unsigned", place);
  }

  // --- what is said --------------------------------------------------------------------------------------------------
  say(name, facts = {}) {
    this.report.proven.push([name, facts]);
  }

  /** Say what is proven and what is not. Of a bundle that contradicts itself nothing is. */
  async conclude(seen, stamped) {
    const { report, answer, manifest } = this;
    const names = ["id", "origin", "called", "made_at", "software", "asked", "question", "whole", "left_out"];
    report.facts.bundle = Object.fromEntries(names.map((name) => [name, manifest[name]]));
    report.facts.logs = this.logs.map((log) => this.logFacts(log));
    if (report.count("tampering")) {
      report.proven = [];
      report.notProven = [];
      return;
    }
    const anchors = report.proven;
    report.proven = [];
    const isRange = answer.question.kind === "range";
    for (const log of this.logs) this.sayLog(log);
    if (isRange && this.hasFences) this.say("p_times");
    if (isRange) this.say("p_system");
    if (this.isCaseProven) this.say("p_case");
    this.say("p_answer");
    if (isRange) this.say("p_sources", { missing: manifest.sources.reduce((total, each) => total + BigInt(each.missing_count), 0n) });
    if (this.contents.disclosed) this.say("p_parts", { count: this.contents.disclosed });
    const total = (what) => Object.values(answer.parts).reduce((sum, each) => sum + each[what], 0);
    if (total("erased")) this.say("p_erased", { count: total("erased") });
    this.say("p_asked");
    if (this.trust.hasKey) this.say("p_manifest");
    report.proven.push(...anchors);
    if (seen) this.say("p_quorum");
    const not = [
      ...(this.trust.hasKey ? [] : ["n_keys"]), "n_true", "n_sent", "n_time", ...(isRange && this.hasFences ? ["n_beside"] : []), isRange ? "n_later" : "n_rest",
      ...(answer.question.kind === "case" && !this.isCaseProven ? ["n_case"] : []), ...(answer.question.kind === "subject" ? ["n_subject"] : []),
      ...(seen || stamped.length ? [] : ["n_unseen"]), ...(this.options.heads.length ? [] : ["n_heads"]), ...(stamped.length ? ["n_revoked"] : []), "n_verifier",
    ].map((name) => [name, {}]);
    for (const log of stamped.length && !seen ? this.logs : []) {
      const isCovered = stamped.includes(log.number) || (log.isSystem && (await this.isRecorded(log, stamped)));
      if (!isCovered) not.push(["n_unstamped", { log: log.title }]);
    }
    for (const log of this.options.heads.length ? this.logs : []) if (!this.compared.has(log.number)) not.push(["n_head", { log: log.title }]);
    const withheld = total("withheld");
    const followed = this.systems.map((log) => log.said.predecessor);
    for (const log of isRange ? this.systems : []) {
      if (log.span[1] === log.size && !followed.includes(log.origin)) not.push(["n_tail", { log: log.title }]);
    }
    for (const log of this.lost) not.push(["n_registry", { log: log.title }]);
    if (withheld || report.counts["entries-withheld"]) not.push([withheld && this.reading.hasPurged ? "n_purged" : "n_withheld", { count: withheld }]);
    report.notProven = [...not, ...report.notProven];
  }

  sayLog(log) {
    const facts = { log: log.title };
    this.say(this.trust.hasKey && log.signed === "trusted" ? "p_signed" : "p_consistent", { ...facts, tree_size: log.size });
    if (log.said.range !== null) {
      if (log.span[0] === log.span[1]) this.say("p_range_none", facts);
      else this.say("p_range", { ...facts, first: log.span[0], last: log.span[1] - 1 });
    }
    if (log.disclosed) this.say("p_disclosed", { ...facts, count: log.disclosed });
  }

  logFacts(log) {
    return {
      origin: log.origin,
      kind: log.said.kind,
      tree_size: log.size,
      root_hash: toHex(log.root),
      range: log.said.range,
      disclosed: log.disclosed,
      signed: log.signed || "unknown",
      vkeys: [...this.trust.trusted].sort().map((hex) => keyUnder(log.origin, hex).vkey),
    };
  }
}

/** Check a bundle. In: a container; { keys, policy, heads, certificates, now }; an async function that is told how many bytes were read. */
export async function checkBundle(container, options, progress = async () => {}) {
  const report = new Report();
  work.left = LIMITS.work;
  try {
    const bundle = new Bundle(container, report, progress);
    if (!bundle.has(MANIFEST_PLACE)) throw new Damage("file-missing", MANIFEST_PLACE);
    const manifest = parseManifest(await bundle.read(MANIFEST_PLACE));
    checkFiles(bundle, manifest);
    const check = await Check.begin(bundle, manifest, options);
    await check.readLogs();
    check.answer.settle(report);
    check.answer.compare(report, check.logs);
    await check.checkOpenings();
    check.checkQuestion();
    await check.checkAsked();
    check.checkWhole();
    await check.checkSignatures();
    await check.checkBefore();
    await check.checkHeads();
    await check.checkRecords();
    const seen = await check.checkWitnesses();
    const stamped = await check.checkTimestamps();
    await checkPages(bundle, manifest);
    await check.conclude(seen, stamped);
  } catch (error) {
    report.note(expect(error, Damage));
    report.proven = [];
    report.notProven = [];
  } finally {
    work.left = Infinity;
  }
  return report;
}

/** The first page is the one that follows from the manifest; the rest is what is listed. */
async function checkPages(bundle, manifest) {
  for (const name of FIXED_FILES) {
    if (["manifest.json", "manifest.note", "SHA256SUMS"].includes(name) || !bundle.has(name)) continue;
    const data = await bundle.read(name);
    if (name === "README.html" && !equal(data, utf8(renderFirstPage(manifest)))) bundle.report.add("first-page-differs", name);
  }
  if (bundle.has("manifest.note") && bundle.has("SHA256SUMS")) await checkSums(bundle);
}
