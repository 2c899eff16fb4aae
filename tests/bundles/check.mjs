// Runs the page's modules over many bundles, for the tests in Python: one JSON request a line in, one report a line out.
import { createInterface } from "node:readline";

const page = new URL("../../sdk/src/answerable_verify/page/", import.meta.url);
const load = (name) => import(new URL(`${name}.js`, page));
const [basics, { checkBundle }, { openContainer }, { parsePem }, notes, { asJson, compose, verdictLine }, { renderFirstPage }] = await Promise.all(
  ["basics", "check", "container", "der", "notes", "report", "firstpage"].map(load),
);

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

async function check(request) {
  const report = new basics.Report();
  try {
    const container = await openContainer(source(bytes(request.data)));
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
  page: ({ manifest }) => renderFirstPage(basics.readJson(manifest)),
  json: ({ text }) => {
    try {
      basics.readJson(text);
      return true;
    } catch (error) {
      if (!(error instanceof basics.Malformed)) throw error;
      return false;
    }
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(await asked[request.do ?? "check"](request))}\n`);
}
