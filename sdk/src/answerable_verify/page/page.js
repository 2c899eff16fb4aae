/** The page itself: what is given, progress, and the report as text. Nothing of a bundle ever becomes markup. */

import { Damage, Malformed, Report, UsageError, VERDICTS, expect, fill, latin1, shown } from "./basics.js";
import { checkBundle } from "./check.js";
import { blobSource, gather, openContainer } from "./container.js";
import { parsePem } from "./der.js";
import { ED25519, parseCheckpoint, parsePolicy, parseVkey } from "./notes.js";
import { asJson, compose, verdictLine } from "./report.js";
import { LIMITS, WORDS } from "./words.js";

/** Whoever checks wants no more of it. */
class Stopped extends Error {}

const FAILED = "The page itself has failed, so nothing was found out. Use verify.py.";
const at = (id) => document.getElementById(id);
let dropped = null;
let isStopped = false;

function element(name, text = "", properties = {}) {
  const made = Object.assign(document.createElement(name), properties);
  if (text) made.textContent = text;
  return made;
}

async function bytesOf(file, most) {
  if (file.size > most) throw new UsageError(`${shown(file.name)} is too large.`);
  return new Uint8Array(await file.arrayBuffer());
}

async function parsed(what, file, most, parse) {
  const data = await bytesOf(file, most);
  try {
    return parse(data);
  } catch (error) {
    throw new UsageError(`${what} ${shown(file.name)}: ${shown(expect(error, Malformed).message)}.`);
  }
}

/** What the auditor brings from elsewhere. Errors: UsageError. */
async function givenOptions() {
  const keys = [];
  for (const line of at("keys").value.split("\n").map((each) => each.trim()).filter(Boolean)) {
    let key;
    try {
      key = parseVkey(line);
    } catch (error) {
      throw new UsageError(`Verifier key: ${expect(error, Malformed).message}.`);
    }
    if (key.type !== ED25519) throw new UsageError("Verifier key: this is the key of a witness, not of a log.");
    keys.push(key);
  }
  const [file] = at("policy").files;
  const policy = file ? await parsed("Policy", file, LIMITS.grows, parsePolicy) : null;
  keys.push(...(policy?.logs ?? []));
  const witnesses = [...(policy?.witnesses.values() ?? [])].map((key) => key.hex);
  if (keys.some((key) => witnesses.includes(key.hex))) throw new UsageError("Policy: a witness has the key of a log.");
  const [heads, certificates] = [[], []];
  for (const each of at("heads").files) heads.push([each.name, await parsed("Checkpoint", each, LIMITS.note, parseCheckpoint)]);
  for (const each of at("certificates").files) {
    certificates.push(...(await parsed("Certificate", each, LIMITS.page, (data) => parsePem(latin1(data)))));
  }
  return { keys, policy, heads, certificates, now: Math.floor(Date.now() / 1000) };
}

function progressOf(total) {
  let [read, since] = [0, performance.now()];
  return async (count) => {
    read += count;
    if (isStopped) throw new Stopped();
    if (performance.now() - since < 40) return;
    const percent = Math.min(99, Math.floor((100 * read) / Math.max(total, 1)));
    at("progress").value = percent;
    if (percent % 10 === 0) at("status").textContent = `Checking: ${percent} %`;
    // the browser paints and hears the keyboard
    await new Promise((resolve) => setTimeout(resolve));
    since = performance.now();
  };
}

async function check(file) {
  const options = await givenOptions();
  let container;
  try {
    container = await openContainer(blobSource(file));
  } catch (error) {
    const report = new Report();
    report.note(expect(error, Damage));
    return { report, container: null };
  }
  const total = [...container.sizes.values()].reduce((sum, size) => sum + size, 0);
  return { report: await checkBundle(container, options, progressOf(total)), container };
}

async function onSubmit(event) {
  event.preventDefault();
  const file = dropped ?? at("bundle").files[0];
  if (!file) {
    at("status").textContent = "Choose a bundle first.";
    at("bundle").focus();
    return;
  }
  isStopped = false;
  setWorking(true);
  try {
    const { report, container } = await check(file);
    show(VERDICTS[report.exitCode], verdictLine(report), compose(report));
    await offer(report, container);
  } catch (error) {
    if (error instanceof Stopped) {
      at("status").textContent = "Stopped. Nothing was found out.";
    } else {
      // a file that cannot be read any more is a DOMException, memory that is not there a RangeError
      const words = error instanceof UsageError ? error.message : error instanceof DOMException ? "The file cannot be read." : FAILED;
      show("usage", fill(WORDS.verdict_usage.replace("{error}", ""), {}) + words, []);
      expect(error, UsageError, DOMException, RangeError);
    }
  } finally {
    setWorking(false);
  }
}

function setWorking(isWorking) {
  at("given").disabled = at("check").disabled = isWorking;
  at("working").hidden = at("stop").hidden = !isWorking;
  at("progress").value = 0;
  if (isWorking) {
    at("result").hidden = true;
    at("status").textContent = "Checking";
  } else if (at("status").textContent.startsWith("Checking")) {
    at("status").textContent = "";
  }
}

function show(verdict, line, sections) {
  const result = at("result");
  result.replaceChildren(element("p", line, { id: "verdict", className: `verdict ${verdict}` }));
  const order = ["tampering", "incomplete"];
  const rank = ({ level }) => (order.includes(level) ? order.indexOf(level) : order.length);
  for (const { heading, lines } of [...sections].sort((one, other) => rank(one) - rank(other))) {
    const list = element("ul");
    for (const each of lines) list.append(element("li", each.trim(), { className: each.startsWith("  ") ? "where" : "" }));
    result.append(element("h2", heading), list);
  }
  result.hidden = false;
  result.focus();
}

/** The report as a file, and the checkpoints to keep. */
async function offer(report, container) {
  const row = element("div", "", { className: "row" });
  const save = (name, content, type) => {
    const link = element("a", `Save ${name}`, { href: URL.createObjectURL(new Blob([content], { type })), download: name });
    row.append(link);
  };
  const json = JSON.stringify(asJson(report), null, 2);
  // printable ASCII alone, as the command prints it
  const ascii = json.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  save("report.json", `${ascii}\n`, "application/json");
  if (report.exitCode !== 1 && !report.counts["no-key"]) {
    for (const log of report.facts.logs.filter((each) => each.signed === "trusted").slice(0, 20)) {
      const data = await gather(container.chunks(`logs/${log.origin.split("/").pop()}/checkpoint`));
      save(`${log.origin.replace(/[^A-Za-z0-9.-]/g, "_")}-${log.tree_size}.checkpoint`, data, "text/plain");
    }
  }
  at("result").append(row);
}

function onDrop(event) {
  event.preventDefault();
  at("drop").classList.remove("over");
  const [file] = event.dataTransfer?.files ?? [];
  if (!file || at("given").disabled) return;
  dropped = file;
  at("chosen").textContent = `${shown(file.name)}, ${shown(file.size)} bytes`;
}

if (globalThis.document) {
  at("form").addEventListener("submit", onSubmit);
  at("stop").addEventListener("click", () => (isStopped = true));
  at("bundle").addEventListener("change", () => {
    dropped = null;
    const [file] = at("bundle").files;
    at("chosen").textContent = file ? `${shown(file.size)} bytes` : "";
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    at("drop").classList.add("over");
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget ?? at("drop").classList.remove("over"));
  document.addEventListener("drop", onDrop);
}
