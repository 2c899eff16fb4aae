// "Verify in this browser": everything is computed again from bytes, step by step, and shown with its values.
import {
  equal, fromBase64, fromHex, leafHash, openCheckpoint, parseTlogProof, supportProblem, toHex, TlogError,
  verifyCommitment, verifyInclusion,
} from "./tlog.js";

const box = document.getElementById("verify");
const steps = box.querySelector("[data-steps]");
const result = box.querySelector("[data-result]");
const startButton = box.querySelector("[data-start]");
const WORDS = { ok: "verified", bad: "does not verify", skipped: "not checked" };
const TONES = { ok: "ok", bad: "bad", skipped: "neutral" };

class Failed extends Error {}

function show(state, title, ...values) {
  const line = document.createElement("li");
  line.dataset.tone = TONES[state];
  const pill = Object.assign(document.createElement("span"), { className: "a-pill", textContent: WORDS[state] });
  pill.dataset.tone = TONES[state];
  const head = document.createElement("p");
  head.append(pill, " ", Object.assign(document.createElement("strong"), { textContent: title }));
  line.append(head);
  for (const value of values) {
    line.append(Object.assign(document.createElement("p"), { className: "a-hash a-muted", textContent: value }));
  }
  steps.append(line);
}

function conclude(tone, text) {
  result.dataset.tone = tone;
  result.textContent = text;
  result.hidden = false;
}

// Run one step: its values are shown when it holds, what is wrong when it does not.
async function step(title, work) {
  try {
    const [value, ...values] = await work();
    show("ok", title, ...values);
    return value;
  } catch (error) {
    if (error instanceof TlogError && error.kind === "unsupported") throw error;
    if (!(error instanceof TlogError || error instanceof Failed || error instanceof SyntaxError)) throw error;
    show("bad", title, error.message);
    throw new Failed(title);
  }
}

async function answer(url, options) {
  const response = await fetch(url, { credentials: "same-origin", ...options });
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return response.json();
}

function readEntry(served) {
  const bytes = fromBase64(served.entry);
  const entry = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  if (entry.id !== box.dataset.decision || entry.kind !== "decision.recorded") throw new Failed("this is the entry of something else");
  return [{ bytes, entry }, `${bytes.length} bytes, ${entry.kind} ${entry.id}`];
}

// What stands on this page must be what the entry says.
function comparePage(entry) {
  let compared = 0;
  for (const shown of document.querySelectorAll("[data-sealed]")) {
    const said = shown.dataset.sealed.split(".").reduce((value, name) => value?.[name], entry.body);
    const text = shown.textContent.trim();
    const same = typeof said === "number" ? Number(text) === said : text === String(said);
    if (!same) throw new Failed(`the page says ${shown.dataset.sealed} is ${text}, the entry says ${said}`);
    compared += 1;
  }
  if (Date.parse(entry.at) !== Date.parse(box.dataset.recorded)) throw new Failed(`the page says recorded ${box.dataset.recorded}, the entry says ${entry.at}`);
  return [null, `${compared + 1} values compared`];
}

async function checkLeaf(bytes, served) {
  const hash = await leafHash(bytes);
  if (!equal(hash, fromHex(served.leaf_hash))) throw new Failed(`computed ${toHex(hash)}, the server has ${served.leaf_hash}`);
  return [hash, `SHA-256(0x00 || entry) = ${toHex(hash)}`];
}

async function checkSignature(proof, served) {
  const typed = box.querySelector("[data-vkey]").value.trim();
  const vkeys = typed ? [typed] : served.vkeys;
  const checkpoint = await openCheckpoint(proof.checkpoint, { origin: served.origin, vkeys });
  const whose = typed ? "the key you gave" : "a key this server names";
  const signatures = checkpoint.signedBy.map((vkey) => `signed by ${whose}: ${vkey}`);
  return [checkpoint, `${served.origin}, ${checkpoint.size} entries, root ${toHex(checkpoint.root)}`, ...signatures];
}

async function checkInclusion(hash, proof, checkpoint) {
  const here = document.querySelector("[data-sealed-index]").dataset.sealedIndex;
  if (String(proof.index) !== here) throw new Failed(`the proof is for entry ${proof.index}, the page says ${here}`);
  await verifyInclusion(hash, proof.index, checkpoint.size, proof.path, checkpoint.root);
  return [null, `entry ${proof.index} of ${checkpoint.size}, ${proof.path.length} hashes on the path to the root`];
}

async function checkPart(part, entry) {
  const committed = entry.body.commitments[part.name];
  if (!committed) throw new Failed("the entry commits to no such part");
  const data = fromBase64(part.data);
  await verifyCommitment(fromHex(committed), fromHex(part.key), data);
  return [null, `${data.length} bytes, commitment ${committed}`];
}

async function checkPayload(entry) {
  if (!box.querySelector("[data-with-payload]")?.checked) {
    const why = box.dataset.erased ? "They were erased; the commitments in the entry stay."
      : box.dataset.mayRead ? "You did not ask for it. The commitments to them are in the entry, which was checked."
      : "You may not read them. The commitments to them are in the entry, which was checked.";
    show("skipped", "Input and output", why);
    return;
  }
  const token = box.querySelector("[name=csrfmiddlewaretoken]").value;
  const { parts } = await answer(box.dataset.disclosure, { method: "POST", headers: { "X-CSRFToken": token } });
  const missing = Object.keys(entry.body.commitments).filter((name) => !parts.some((part) => part.name === name));
  for (const part of parts) await step(`Commitment to ${part.name}`, () => checkPart(part, entry));
  if (missing.length) await step("All parts are there", () => { throw new Failed(`the entry commits to ${missing.join(", ")}, which the server did not give`); });
}

async function verify() {
  const served = await answer(box.dataset.proof);
  const { bytes, entry } = await step("The entry can be read and is this decision's", () => readEntry(served));
  await step("This page says what the entry says", () => comparePage(entry));
  const hash = await step("Leaf hash", () => checkLeaf(bytes, served));
  const proof = await step("The proof can be read", () => {
    const found = parseTlogProof(served.proof);
    return [found, `c2sp.org/tlog-proof@v1, index ${found.index}`];
  });
  const checkpoint = await step("Signature of the checkpoint", () => checkSignature(proof, served));
  await step("Inclusion in the log", () => checkInclusion(hash, proof, checkpoint));
  await checkPayload(entry);
}

async function start() {
  steps.replaceChildren();
  result.hidden = true;
  startButton.disabled = true;
  try {
    const problem = await supportProblem();
    if (problem) return conclude("warn", `${problem} Nothing was verified, and nothing is wrong either. Download entry and proof below and verify them offline.`);
    steps.hidden = false;
    await verify();
    conclude("ok", "Verified: this decision stands in the log as this page shows it, under a signed checkpoint.");
  } catch (error) {
    if (error instanceof Failed) conclude("bad", "This does NOT verify. Keep this page, download entry and proof, and tell whoever is responsible for the ledger.");
    else conclude("warn", `Could not be checked: ${error.message}. Nothing was verified.`);
  } finally {
    startButton.disabled = false;
  }
}

startButton.addEventListener("click", start);
