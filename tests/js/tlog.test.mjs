// Run with: node --test tests/js/
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");
// Through a data: URL, because Node would take a .js file outside an ES package for CommonJS.
const source = read("../../console/static/console/js/tlog.js");
const tlog = await import(`data:text/javascript;base64,${Buffer.from(source).toString("base64")}`);
const vector = (name) => JSON.parse(read(`../vectors/${name}.json`));

const bytes = (text) => new TextEncoder().encode(text);
const kind = (expected) => (error) => error instanceof tlog.TlogError && error.kind === expected;
const anyTlogError = (error) => error instanceof tlog.TlogError;

const trial = vector("trial_log");
const trialOptions = { origin: trial.origin, vkeys: [trial.vkey] };
const rfc = vector("rfc6962");
const notes = vector("signed_note");
const leaves = await Promise.all(rfc.leaves.map((leaf) => tlog.leafHash(tlog.fromHex(leaf))));
const roots = [null, ...rfc.roots.map(tlog.fromHex)];

test("this Node has what a browser must have", async () => {
  assert.equal(await tlog.supportProblem(), null);
});

test("published inclusion proofs verify, and with one bit flipped they do not", async () => {
  for (const { index, size, proof } of rfc.inclusion) {
    const path = proof.map(tlog.fromHex);
    await tlog.verifyInclusion(leaves[index], index, size, path, roots[size]);
    for (let at = 0; at < path.length; at++) {
      for (let bit = 0; bit < 256; bit++) {
        const wrong = path.map((hash) => hash.slice());
        wrong[at][bit >> 3] ^= 1 << (bit & 7);
        await assert.rejects(tlog.verifyInclusion(leaves[index], index, size, wrong, roots[size]), kind("invalid"));
      }
    }
  }
});

test("published consistency proofs verify, and with one bit flipped they do not", async () => {
  for (const { old, new: size, proof } of rfc.consistency) {
    const path = proof.map(tlog.fromHex);
    await tlog.verifyConsistency(old, size, path, roots[old], roots[size]);
    for (let at = 0; at < path.length; at++) {
      for (let bit = 0; bit < 256; bit++) {
        const wrong = path.map((hash) => hash.slice());
        wrong[at][bit >> 3] ^= 1 << (bit & 7);
        await assert.rejects(tlog.verifyConsistency(old, size, wrong, roots[old], roots[size]), kind("invalid"));
      }
    }
  }
});

test("dropped, added, swapped and shortened hashes do not verify", async () => {
  for (const { index, size, proof } of rfc.inclusion.filter((vector) => vector.proof.length > 1)) {
    const path = proof.map(tlog.fromHex);
    const wrongs = [path.slice(1), path.slice(0, -1), [...path, roots[1]], [roots[1], ...path], path.toReversed?.() ?? [...path].reverse(), [path[0].slice(1), ...path.slice(1)], [...path, new Uint8Array()]];
    for (const wrong of wrongs) {
      await assert.rejects(tlog.verifyInclusion(leaves[index], index, size, wrong, roots[size]), kind("invalid"));
    }
    for (const other of [index + 1, index ^ 2, size, size + 1]) {
      await assert.rejects(tlog.verifyInclusion(leaves[index], other, size, path, roots[size]), kind("invalid"));
    }
  }
});

test("a path too long, too short or of odd hashes is refused even where its root fits", async () => {
  const [extra, odd] = [new Uint8Array(32), new Uint8Array(31)];
  const { index, size, proof } = rfc.inclusion[2];
  const path = proof.map(tlog.fromHex);
  const fitting = await tlog.nodeHash(extra, roots[size]);
  await assert.rejects(tlog.verifyInclusion(leaves[index], index, size, [...path, extra], fitting), kind("invalid"));
  await assert.rejects(tlog.verifyInclusion(leaves[index], index, 16, path, roots[size]), kind("invalid"));
  await assert.rejects(tlog.verifyInclusion(leaves[0], 0, 2, [odd], await tlog.nodeHash(leaves[0], odd)), kind("invalid"));
  const growth = rfc.consistency[2];
  const grown = growth.proof.map(tlog.fromHex);
  const ends = await Promise.all([roots[6], roots[8]].map((root) => tlog.nodeHash(extra, root)));
  await assert.rejects(tlog.verifyConsistency(6, 8, [...grown, extra], ...ends), kind("invalid"));
  await assert.rejects(tlog.verifyConsistency(6, 16, grown, roots[6], roots[8]), kind("invalid"));
  await assert.rejects(tlog.verifyConsistency(1, 2, [odd], leaves[0], await tlog.nodeHash(leaves[0], odd)), kind("invalid"));
});

test("every leaf of the eight published trees verifies from a path computed here", async () => {
  const mth = async (part) => {
    if (part.length === 1) return part[0];
    const k = 2 ** (Math.ceil(Math.log2(part.length)) - 1);
    return tlog.nodeHash(await mth(part.slice(0, k)), await mth(part.slice(k)));
  };
  const pathTo = async (index, part) => {
    if (part.length === 1) return [];
    const k = 2 ** (Math.ceil(Math.log2(part.length)) - 1);
    return index < k
      ? [...(await pathTo(index, part.slice(0, k))), await mth(part.slice(k))]
      : [...(await pathTo(index - k, part.slice(k))), await mth(part.slice(0, k))];
  };
  for (let size = 1; size <= 8; size++) {
    for (let index = 0; index < size; index++) {
      const path = await pathTo(index, leaves.slice(0, size));
      await tlog.verifyInclusion(leaves[index], index, size, path, roots[size]);
    }
  }
});

test("growth from nothing needs an empty tree's root, equal sizes equal roots", async () => {
  const empty = await tlog.sha256(new Uint8Array());
  await tlog.verifyConsistency(0, 5, [], empty, roots[5]);
  await tlog.verifyConsistency(5, 5, [], roots[5], roots[5]);
  await assert.rejects(tlog.verifyConsistency(0, 5, [], roots[1], roots[5]), kind("invalid"));
  await assert.rejects(tlog.verifyConsistency(0, 5, [empty], empty, roots[5]), kind("invalid"));
  await assert.rejects(tlog.verifyConsistency(5, 5, [], roots[5], roots[6]), kind("invalid"));
  await assert.rejects(tlog.verifyConsistency(3, 7, [], roots[3], roots[7]), kind("invalid"));
  await assert.rejects(tlog.verifyConsistency(7, 3, [], roots[7], roots[3]), kind("invalid"));
});

test("sizes beyond 2^53 are exact or refused", () => {
  assert.equal(tlog.toSize("9223372036854775807"), 2n ** 63n - 1n);
  assert.equal(tlog.toSize(2 ** 53 - 1), 2n ** 53n - 1n);
  for (const bad of [2 ** 53, -1, 1.5, NaN, "9223372036854775808", "01", "+1", "-1", " 1", "1 ", "1\n", "", "1e3", "٧", null, undefined, -1n, 2n ** 63n]) {
    assert.throws(() => tlog.toSize(bad), kind("malformed"), String(bad));
  }
});

test("the trial proof verifies from its vkey and the entry's bytes", async () => {
  const { index, checkpoint } = await tlog.verifyTlogProof(trial.tlog_proof, bytes(trial.entry), trialOptions);
  assert.equal(index, 12345n);
  assert.equal(checkpoint.size, 70000n);
  assert.equal(tlog.toBase64(checkpoint.root), trial.roots["70000"]);
  await tlog.verifyTlogProof(bytes(trial.tlog_proof), bytes(trial.entry), trialOptions);
});

test("the trial log's growth verifies", async () => {
  const path = trial.consistency_1000_70000.map(tlog.fromBase64);
  const [older, newer] = [trial.roots["1000"], trial.roots["70000"]].map(tlog.fromBase64);
  await tlog.verifyConsistency(1000, 70000, path, older, newer);
  await assert.rejects(tlog.verifyConsistency(1000, 70000, path.slice(1), older, newer), kind("invalid"));
});

test("another entry, index, size, origin or key does not verify", async () => {
  const proof = trial.tlog_proof;
  const entry = bytes(trial.entry);
  const verify = (text, data = entry, options = trialOptions) => tlog.verifyTlogProof(text, data, options);
  await assert.rejects(verify(proof, bytes(trial.entry + " ")), kind("invalid"));
  await assert.rejects(verify(proof.replace("index 12345", "index 12344")), kind("invalid"));
  await assert.rejects(verify(proof.replace("index 12345", "index 70000")), kind("invalid"));
  await assert.rejects(verify(proof.replace("\n70000\n", "\n70001\n")), kind("invalid"));
  await assert.rejects(verify(proof, entry, { ...trialOptions, origin: "other.example" }), kind("unverified"));
  await assert.rejects(verify(proof, entry, { ...trialOptions, vkeys: notes.notes[0].vkeys }), kind("unverified"));
});

test("no changed character of a proof file goes unnoticed", async () => {
  const data = bytes(trial.tlog_proof);
  for (let at = 0; at < data.length; at++) {
    const wrong = data.slice();
    wrong[at] ^= 1;
    await assert.rejects(tlog.verifyTlogProof(wrong, bytes(trial.entry), trialOptions), anyTlogError, `byte ${at}`);
  }
});

test("what is not a proof file is malformed", () => {
  const good = trial.tlog_proof;
  const swap = (to) => good.replace("index 12345", to);
  const bad = ["", "\n\n", good.replace("@v1", "@v2"), swap("index 012345"), swap("index -1"), swap("index 1\nindex 1"), swap("extra !!\nindex 12345"), swap("extra AA=="), swap("index 12345\nAAAA"), swap(`index 12345${`\n${"A".repeat(43)}=`.repeat(60)}`), good.replaceAll("\n\n", "\n"), good.replaceAll("\n", "\r\n"), "\ufeff" + good, "\ud800" + good, Uint8Array.of(255, 10, 10)];
  for (const text of bad) assert.throws(() => tlog.parseTlogProof(text), kind("malformed"), JSON.stringify(text));
  assert.deepEqual(tlog.parseTlogProof(swap("extra AP8=\nindex 12345")).extra, Uint8Array.of(0, 255));
});

test("published notes open with their published keys", async () => {
  for (const { vkeys, text, note } of notes.notes) {
    const opened = await tlog.openNote(note, vkeys);
    assert.equal(opened.text, text);
    assert.equal(opened.signatures.length, vkeys.length);
    await assert.rejects(tlog.openNote(note.replace("is", "iS"), vkeys), kind("invalid"));
    await assert.rejects(tlog.openNote(note, [trial.vkey]), kind("unverified"));
    await assert.rejects(tlog.openNote(note, []), kind("unverified"));
  }
});

test("one bad signature of a known key rejects the whole note, an unknown key's is ignored", async () => {
  const { vkeys, text, note } = notes.notes[1];
  const [peter, enoch] = note.trimEnd().split("\n").slice(-2);
  const spoilt = enoch.slice(0, -10) + "AAAAAAAA" + enoch.slice(-2);
  const mixed = `${text}\n${peter}\n${spoilt.slice(0, -4)}AAA=\n`;
  await assert.rejects(tlog.openNote(mixed, vkeys), kind("invalid"));
  assert.equal((await tlog.openNote(mixed, [vkeys[0]])).signatures.length, 1);
});

test("what is not a note is malformed", () => {
  const { note } = notes.notes[0];
  const bad = ["", "\n", "\n\n", note.slice(0, -1), note + "\n", note + "x\n", note.replace("\u2014", "-"), note.replace("\n\n", "\n"), "\u0001" + note, "\t" + note, note.replace("=\n", "\n"), note.replace("foo ", "foo  "), note.replace("foo", "f+o"), note.replace("foo", "f\u00a0o"), note.replace("foo", "f\u2003o"), "\ud800" + note];
  for (const text of bad) assert.throws(() => tlog.parseNote(text), kind("malformed"), JSON.stringify(text));
});

test("published verifier keys are read and broken ones refused", async () => {
  for (const vkey of notes.vkeys_valid) await tlog.parseVkey(vkey);
  for (const vkey of notes.vkeys_invalid) await assert.rejects(tlog.parseVkey(vkey), kind("malformed"));
  const good = trial.vkey;
  for (let at = 0; at < good.length; at++) {
    const changed = good.slice(0, at) + String.fromCharCode(good.charCodeAt(at) + 1) + good.slice(at + 1);
    await assert.rejects(tlog.parseVkey(changed), kind("malformed"));
    await assert.rejects(tlog.parseVkey(good.slice(0, at)), kind("malformed"));
  }
  await assert.rejects(tlog.parseVkey(good + "\n"), kind("malformed"));
});

/** A signer of our own, from a fresh key: signed notes to spoil, and cosignatures. */
async function signer(name, type) {
  const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const material = Uint8Array.of(type, ...publicKey);
  const id = (await tlog.sha256(Uint8Array.of(...bytes(`${name}\n`), ...material))).slice(0, 4);
  const sign = async (text, time) => {
    const message = type === tlog.COSIGNATURE_V1 ? `cosignature/v1\ntime ${time}\n${text}` : text;
    const signature = new Uint8Array(await crypto.subtle.sign("Ed25519", pair.privateKey, bytes(message)));
    const stamp = type === tlog.COSIGNATURE_V1 ? tlog.fromHex(time.toString(16).padStart(16, "0")) : [];
    return `\u2014 ${name} ${tlog.toBase64(Uint8Array.of(...id, ...stamp, ...signature))}\n`;
  };
  return { vkey: `${name}+${tlog.toHex(id)}+${tlog.toBase64(material)}`, sign };
}

test("cosignatures verify, say when, and do not speak for the log", async () => {
  const log = await signer("log.example", tlog.ED25519);
  const witness = await signer("witness.example", tlog.COSIGNATURE_V1);
  const text = `log.example\n5\n${tlog.toBase64(roots[5])}\n`;
  const cosignature = await witness.sign(text, 1679315147n);
  const options = { origin: "log.example", vkeys: [log.vkey], witnessVkeys: [witness.vkey] };
  const opened = await tlog.openCheckpoint(`${text}\n${await log.sign(text)}${cosignature}`, options);
  assert.deepEqual(opened.cosignatures.map((signature) => signature.timestamp), [1679315147n]);
  await assert.rejects(tlog.openCheckpoint(`${text}\n${cosignature}`, options), kind("unverified"));
  const late = await witness.sign(text, 2n ** 63n);
  await assert.rejects(tlog.openCheckpoint(`${text}\n${await log.sign(text)}${late}`, options), kind("invalid"));
});

test("a checkpoint that two keys of the log signed opens with either, with both, and tells whose signatures it has", async () => {
  const [newer, older, third] = await Promise.all([1, 2, 3].map(() => signer("log.example", tlog.ED25519)));
  const text = `log.example\n5\n${tlog.toBase64(roots[5])}\n`;
  const note = `${text}\n${await newer.sign(text)}${await older.sign(text)}`;
  const signedBy = async (...keys) => (await tlog.openCheckpoint(note, { origin: "log.example", vkeys: keys.map((key) => key.vkey) })).signedBy;
  assert.deepEqual(await signedBy(newer), [newer.vkey]);
  assert.deepEqual(await signedBy(older), [older.vkey]);
  assert.deepEqual(await signedBy(third, older, newer), [older.vkey, newer.vkey]);
  await assert.rejects(signedBy(third), kind("unverified"));
  const mixed = `${text}\n${await newer.sign(text)}${await older.sign(text.replace("5", "6"))}`;
  await assert.rejects(tlog.openCheckpoint(mixed, { origin: "log.example", vkeys: [newer.vkey, older.vkey] }), kind("invalid"));
});

test("what is not exactly a checkpoint is malformed", async () => {
  const log = await signer("log.example", tlog.ED25519);
  const root = tlog.toBase64(roots[5]);
  const texts = ["a\n", "a\n5\n", `a\n05\n${root}\n`, `a\n-5\n${root}\n`, `a\n5\n${root.slice(1)}\n`, `a\n5\nAAAA\n`, `\n5\n${root}\n`, `a\n9223372036854775808\n${root}\n`, `a\n5\n${root}\n\nx\n`];
  for (const text of texts) assert.throws(() => tlog.parseCheckpoint(text), kind("malformed"), text);
  const empty = `log.example\n0\n${root}\n`;
  const options = { origin: "log.example", vkeys: [log.vkey] };
  await assert.rejects(tlog.openCheckpoint(`${empty}\n${await log.sign(empty)}`, options), kind("malformed"));
});

test("commitments are those of the vectors, and other bytes are not what was committed to", async () => {
  const { record_secret: secret, parts } = vector("commitments");
  for (const { part, bytes: encoded, part_key: key, commitment } of parts) {
    const data = tlog.fromBase64(encoded);
    const derived = await tlog.partKey(tlog.fromHex(secret), part);
    assert.equal(tlog.toHex(derived), key);
    await tlog.verifyCommitment(tlog.fromHex(commitment), derived, data);
    await assert.rejects(tlog.verifyCommitment(tlog.fromHex(commitment), derived, Uint8Array.of(...data, 0)), kind("invalid"));
    assert.throws(() => tlog.commit(Uint8Array.of(...derived, 0), data), kind("malformed"));
  }
  assert.throws(() => tlog.partKey(new Uint8Array(31), "input"), kind("malformed"));
});

test("a browser without cryptography is told so, not told that the proof is bad", async (t) => {
  const real = globalThis.crypto;
  const pretend = (value) => Object.defineProperty(globalThis, "crypto", { value, configurable: true });
  t.after(() => pretend(real));
  pretend({});
  assert.match(await tlog.supportProblem(), /https/);
  await assert.rejects(tlog.verifyTlogProof(trial.tlog_proof, bytes(trial.entry), trialOptions), kind("unsupported"));
  const noEd25519 = { digest: (...args) => real.subtle.digest(...args), importKey: async () => { throw new DOMException("unrecognized", "NotSupportedError"); } };
  pretend({ subtle: noEd25519 });
  assert.match(await tlog.supportProblem(), /Ed25519/);
  await assert.rejects(tlog.verifyTlogProof(trial.tlog_proof, bytes(trial.entry), trialOptions), kind("unsupported"));
});
