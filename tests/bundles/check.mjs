// Runs the page's modules over many bundles, for the tests in Python: one JSON request a line in, one report a line out.
import { createInterface } from "node:readline";

const page = new URL("../../sdk/src/answerable_verify/page/", import.meta.url);
const load = (name) => import(new URL(`${name}.js`, page));
const [basics, hashes, notes] = await Promise.all(["basics", "hashes", "notes"].map(load));
const [{ checkBundle }, { openContainer }, { parsePem }] = await Promise.all(["check", "container", "der"].map(load));
const [{ asJson, compose, verdictLine }, { renderFirstPage }] = await Promise.all(["report", "firstpage"].map(load));
const [{ checkTimestamp }, { ed25519Verifies }, { InflateError, inflate }] = await Promise.all(["timestamps", "ed25519", "inflate"].map(load));

const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));
const source = (data) => ({ size: data.length, read: async (offset, length) => data.slice(offset, offset + length) });

function options(request) {
  const policy = request.policy ? notes.parsePolicy(bytes(request.policy)) : null;
  return {
    keys: [...request.vkeys.map(notes.parseVkey), ...(policy?.logs ?? [])],
    policy,
    heads: request.heads.map((data, number) => [`head-${number}`, notes.parseCheckpoint(bytes(data))]),
    certificates: request.certificates.flatMap((text) => parsePem(text)),
    now: request.now,
  };
}

const check = (request) => checkBytes(bytes(request.data), request);

async function checkBytes(data, request) {
  const report = new basics.Report();
  try {
    const container = await openContainer(source(data));
    return full(await checkBundle(container, options(request)));
  } catch (error) {
    if (error instanceof basics.UsageError) return { verdict: "usage", exit_code: 2, counts: {}, findings: [] };
    if (!(error instanceof basics.Damage)) throw error;
    report.note(error);
    return full(report);
  }
}

function full(report) {
  return { ...asJson(report), words: [...compose(report).map(({ heading, lines }) => [heading, lines]), verdictLine(report)] };
}

const asked = {
  check,
  /** Exit codes of the first n bytes of a bundle, for each n. */
  cuts: async (request) => {
    const whole = bytes(request.data);
    let codes = "";
    for (let length = 0; length <= whole.length; length++) {
      codes += (await checkBytes(whole.subarray(0, length), request)).exit_code;
    }
    return codes;
  },
  vkey: ({ text }) => verdict(() => notes.parseVkey(text)),
  policy: ({ text }) => verdict(() => notes.parsePolicy(bytes(text))),
  note: ({ text }) => verdict(() => notes.parseCheckpoint(bytes(text))),
  token: async ({ token, text }) => {
    try {
      return (await checkTimestamp(bytes(token), bytes(text))).at;
    } catch (error) {
      if (!(error instanceof basics.Malformed)) throw error;
      return error.message;
    }
  },
  ed25519: ({ key, message, signature }) => ed25519Verifies(bytes(key), bytes(message), bytes(signature)),
  inflate: ({ data, most }) => {
    try {
      const out = [];
      let made = 0;
      for (const piece of inflate(bytes(data))) {
        made += piece.length;
        if (made > most) return null;
        out.push(Buffer.from(piece));
      }
      return Buffer.concat(out).toString("base64");
    } catch (error) {
      if (!(error instanceof InflateError)) throw error;
      return null;
    }
  },
  hashes: ({ data }) => {
    const found = bytes(data);
    return [hashes.sha256(found), hashes.sha1(found), hashes.sha384(found), hashes.sha512(found)].map(basics.toHex).concat(hashes.crc32(found));
  },
  shown: ({ text }) => basics.shown(text),
  page: ({ manifest }) => renderFirstPage(basics.readJson(manifest)),
  json: ({ text }) => verdict(() => basics.readJson(text)) === "",
};

/** Empty where it is well-formed, else what is said of it. */
function verdict(parse) {
  try {
    parse();
    return "";
  } catch (error) {
    if (!(error instanceof basics.Malformed)) throw error;
    return error.message;
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(await asked[request.do ?? "check"](request))}\n`);
}
