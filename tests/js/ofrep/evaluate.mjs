// Evaluate flags with a stock provider: node evaluate.mjs server|web URL KEY [OPTIONS as JSON]. Flags, as lines of JSON, on standard input:
// {"type": "boolean", "flag": "credit.enabled", "default": true, "context": {}}; details on standard output likewise.
// OPTIONS are the provider's; `store` beside them is a file that stands for the browser's storage, and `streams` gives it
// an EventSource. The line {"asked": true} is answered with the status of every evaluation and every stream so far.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

const [kind, url, key, given = "{}"] = process.argv.slice(2);
const { store, streams, ...options } = JSON.parse(given);
const memory = new Map(store && existsSync(store) ? JSON.parse(readFileSync(store, "utf8")) : []);
globalThis.localStorage ??= {
  getItem: (name) => memory.get(name) ?? null,
  setItem: (name, value) => void memory.set(name, String(value)),
  removeItem: (name) => void memory.delete(name),
};

const asked = { evaluations: [], streams: [] };
const plainFetch = globalThis.fetch;
globalThis.fetch = async (...request) => {
  const answer = await plainFetch(...request);
  asked.evaluations.push(answer.status);
  return answer;
};

// as the standard has it for what this needs: an answer that is no stream ends it for good
class Streams extends EventTarget {
  readyState = 0;
  constructor(url) {
    super();
    plainFetch(url).then((answer) => this.#read(answer), () => this.#end());
  }
  async #read(answer) {
    asked.streams.push(answer.status);
    if (answer.status !== 200) return this.#end();
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
    const told = /^data: (.*)$/gm;
    for await (const text of answer.body.pipeThrough(new TextDecoderStream())) {
      if (this.readyState === 2) return;
      for (const [, data] of text.matchAll(told)) this.dispatchEvent(new MessageEvent("message", { data }));
    }
  }
  #end() {
    this.close();
    this.dispatchEvent(new Event("error"));
  }
  close() {
    this.readyState = 2;
  }
}
if (streams) globalThis.EventSource = Streams;

async function clientOf() {
  const headers = [["Authorization", `Bearer ${key}`]];
  if (kind === "server") {
    const { OpenFeature } = await import("@openfeature/server-sdk");
    const { OFREPProvider } = await import("@openfeature/ofrep-provider");
    // the provider has no time limit of its own: docs/integrating/ofrep.md shows this one
    const limited = (request) => fetch(request, { signal: AbortSignal.timeout(options.timeoutMs ?? 2000) });
    await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: url, headers, fetchImplementation: limited }));
    return { client: OpenFeature.getClient(), close: () => OpenFeature.close() };
  }
  const { OpenFeature } = await import("@openfeature/web-sdk");
  const { OFREPWebProvider } = await import("@openfeature/ofrep-web-provider");
  // what docs/integrating/ofrep.md recommends
  const recommended = { pollInterval: 5000, cacheMode: "network-first" };
  const provider = new OFREPWebProvider({ baseUrl: url, headers, ...recommended, ...options });
  await OpenFeature.setProviderAndWait(provider).catch((error) => console.error(String(error)));
  return { client: OpenFeature.getClient(), close: () => OpenFeature.close() };
}

const { client, close } = await clientOf();
const ask = {
  boolean: (...asked) => client.getBooleanDetails(...asked),
  string: (...asked) => client.getStringDetails(...asked),
  number: (...asked) => client.getNumberDetails(...asked),
  object: (...asked) => client.getObjectDetails(...asked),
};
for await (const line of createInterface({ input: process.stdin })) {
  const { asked: isAboutRequests, type, flag, default: fallback, context = {} } = JSON.parse(line);
  if (isAboutRequests) {
    console.log(JSON.stringify(asked));
    continue;
  }
  const details = await (kind === "server" ? ask[type](flag, fallback, context) : ask[type](flag, fallback));
  const { value, variant, reason, errorCode, flagMetadata } = details;
  console.log(JSON.stringify({ value, variant, reason, errorCode, flagMetadata }));
}
await close();
if (store) writeFileSync(store, JSON.stringify([...memory]));
process.exit(0);
