/** The first page of a manifest, to the byte that section 9 of verify.py makes. */

import { byCodePoint, fill, grouped, shown } from "./basics.js";
import { MOST_ROWS, PAGE_PROOF, PARTS, STYLE, WORDS } from "./words.js";

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };
const escape = (text) => text.replace(/[&<>"']/g, (char) => ENTITIES[char]);
const html = (value) => escape(shown(value, 1000));
const words = (name, facts) => escape(fill(WORDS[name], facts));

/** What was asked, as a sentence. */
export function questionInWords(question) {
  if (question.kind !== "range") return fill(WORDS[`q_${question.kind}`], question);
  const { system, since, until } = question;
  const name = since && until ? "times_both" : since ? "times_since" : until ? "times_until" : "times_all";
  return fill(WORDS.q_range, { system, times: fill(WORDS[name], question) });
}

/** What the organisation calls what was asked for, as a sentence. */
export function calledInWords(manifest) {
  return fill(WORDS[`called_${manifest.question.kind}`], manifest);
}

/** README.html of a manifest. */
export function renderFirstPage(manifest) {
  const question = questionInWords(manifest.question);
  const made = { made_at: manifest.made_at, software: `Answerable ${manifest.software.version}` };
  const asked = [words("asked_by", manifest.asked)];
  if (manifest.asked.approval !== null) asked.push(words("approved_by", manifest.asked));
  const body = [
    '<p class="over">Evidence bundle</p>\n',
    `<h1>${html(question)}</h1>\n`,
    manifest.called === null ? "" : `<p>${html(calledInWords(manifest))}</p>\n`,
    `<p>${words("made", made)} ${asked.join(" ")}</p>\n`,
    `<p class="soft">Bundle <code>${html(manifest.id)}</code> of <code>${html(manifest.origin)}</code></p>\n`,
    leftOut(manifest),
    '<p class="warn">This page says what the bundle says of itself. Nothing on it is proven until a verifier that you got ' +
      'from elsewhere has said so: see <a href="#verify">how to verify</a>.</p>\n',
    answerHtml(manifest),
    contentsHtml(manifest),
    sourcesHtml(manifest),
    logsHtml(manifest),
    PAGE_PROOF,
  ];
  return (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n' +
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n" +
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n' +
    `<title>Evidence: ${html(question)}</title>\n<style>${STYLE}</style>\n</head>\n<body>\n<main>\n` +
    `${body.join("")}</main>\n</body>\n</html>\n`
  );
}

function leftOut(manifest) {
  if (manifest.whole) return "";
  const reasons = manifest.left_out.slice(0, MOST_ROWS).map((each) => `<li>${html(each)}</li>\n`);
  return `<div class="warn"><strong>This bundle is not whole.</strong>\n<ul>\n${reasons.join("")}</ul></div>\n`;
}

/** A table whose cells are shown; of a head that ends in # the column is of numbers. */
function table(caption, heads, rows, total) {
  const numeric = heads.map((head) => (head.endsWith("#") ? ' class="n"' : ""));
  const top = heads.map((head, at) => `<th scope="col"${numeric[at]}>${head.replace(/#+$/, "")}</th>`).join("");
  const lines = rows.map((row) => `<tr>${row.map((cell, at) => `<td${numeric[at]}>${html(cell)}</td>`).join("")}</tr>\n`);
  const more = total > rows.length ? `<p class="soft">And ${grouped(total - rows.length)} more: see manifest.json.</p>\n` : "";
  return (
    `<div class="scroll" tabindex="0"><table>\n<caption>${caption}</caption>\n<thead><tr>${top}</tr></thead>\n` +
    `<tbody>\n${lines.join("")}</tbody>\n</table></div>\n${more}`
  );
}

function share(count, whole) {
  const thousandths = whole ? (BigInt(count) * 1000n) / BigInt(whole) : 0n;
  return `${thousandths / 10n}.${thousandths % 10n} %`;
}

function answerHtml({ answer }) {
  const figures = [
    ["Decisions", answer.decisions], ["Adverse", answer.adverse], ["Flagged", answer.flagged], ["Failed", answer.failed],
    ["Overridden", answer.overridden], ["Entries", answer.entries], ["Entries withheld", answer.withheld_entries],
  ];
  const times = [["First received", answer.first_at], ["Last received", answer.last_at]];
  const cells = [
    ...figures.map(([name, value]) => `<div><dt>${name}</dt><dd>${html(value)}</dd></div>\n`),
    ...times.map(([name, value]) => `<div><dt>${name}</dt><dd class="text">${html(value)}</dd></div>\n`),
  ];
  let out = `<h2>The answer</h2>\n<dl class="figures">\n${cells.join("")}</dl>\n`;
  for (const [caption, name] of [["Outcomes", "outcomes"], ["Model versions", "by_model_version"]]) {
    const counts = Object.entries(answer[name]).sort((one, other) => other[1] - one[1] || byCodePoint(one[0], other[0]));
    const rows = counts.slice(0, MOST_ROWS).map(([key, count]) => [key, count, share(count, answer.decisions)]);
    if (rows.length) out += table(caption, [caption.slice(0, -1), "Decisions#", "Share#"], rows, counts.length);
  }
  return out;
}

function contentsHtml({ parts }) {
  const rows = PARTS.filter((name) => name in parts).map((name) => [name, parts[name].disclosed, parts[name].withheld, parts[name].erased]);
  if (!rows.length) return "";
  return "<h2>Contents</h2>\n" + table("What decisions held, by part", ["Part", "Disclosed#", "Withheld#", "Erased#"], rows, rows.length);
}

function sourcesHtml({ sources }) {
  if (sources === null) return "";
  const rows = sources.slice(0, MOST_ROWS).map((each) => {
    const gaps = each.missing.slice(0, 10).map(([from, to]) => (from !== to ? `${grouped(from)} to ${grouped(to)}` : grouped(from)));
    const which = gaps.join(", ") + (each.missing.length > 10 ? ", ..." : "");
    return [each.source, each.first_seq, each.last_seq, each.decisions, each.missing_count, which, each.twice.length];
  });
  const heads = ["Source", "First number#", "Last number#", "Decisions#", "Missing#", "Which", "Twice#"];
  const out = "<h2>Gaps</h2>\n<p>A source may number what it sends. A number that is missing between the first and the last has no decision among these.</p>\n";
  return out + (rows.length ? table("Numbers by source", heads, rows, sources.length) : "<p>No decision here bears a number.</p>\n");
}

function logsHtml({ logs }) {
  const rows = logs.slice(0, MOST_ROWS).map((each) => {
    const [from, end] = each.range ?? [0, 0];
    const span = each.range === null ? "" : from === end ? "empty" : `${grouped(from)} to ${grouped(end - 1)}`;
    const about = each.system === null ? "registry" : `AI system ${each.system}`;
    return [each.origin, about, each.tree_size, span, each.disclosed, each.timestamps, each.root_hash];
  });
  const heads = ["Log", "Of", "Entries#", "Range", "Disclosed#", "Time-stamps#", "Root hash"];
  return "<h2>The logs</h2>\n" + table("What is proven against", heads, rows, logs.length);
}
