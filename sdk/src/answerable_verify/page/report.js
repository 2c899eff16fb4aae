/** The report in words, and for programs. Twin of "what is printed" of verify.py. */

import { VERDICTS, byCodePoint, fill, grouped, shown } from "./basics.js";
import { calledInWords, questionInWords } from "./firstpage.js";
import { FINDINGS, REPORT_FORMAT, WORDS } from "./words.js";

/** Headings, each with its lines: [{ heading, lines, level }]. */
export function compose(report) {
  const sections = [];
  const { bundle = null, answer = null, keys = [] } = report.facts;
  const push = (heading, lines, level = "") => sections.push({ heading, lines, level });
  if (bundle !== null) push(WORDS.head_question, askedLines(bundle));
  const isTampered = report.count("tampering") > 0;
  if (answer !== null && bundle !== null && !isTampered) {
    const outcomes = Object.entries(answer.outcomes).sort(([one], [other]) => byCodePoint(one, other)).slice(0, 20);
    const counted = outcomes.map(([name, count]) => `${shown(name)}: ${grouped(count)}`);
    push(WORDS.head_answer, [fill(WORDS.figures, answer), fill(WORDS.figures_more, answer), ...counted]);
  }
  // an announced key, to which one that was given leads, is as good as that one
  const named = report.counts["no-key"] ? keys : [];
  const fits = report.counts["no-key"] ? "head_fits" : "head_proven";
  for (const [heading, said] of [[fits, report.proven], ["head_not_proven", report.notProven]]) {
    if (said.length) push(WORDS[heading], said.map(([name, facts]) => fill(WORDS[name], facts)), heading);
  }
  for (const [level, heading] of [["note", "head_notes"], ["incomplete", "head_open"], ["tampering", "head_findings"]]) {
    const lines = findingLines(report, level);
    if (lines.length && (level === "tampering" || !isTampered)) push(WORDS[heading], lines, level);
  }
  if (named.length) push(WORDS.head_keys, named.map((key) => `${key.fingerprint}  (${key.vkey})`), "keys");
  return sections;
}

function askedLines(bundle) {
  const made = { made_at: bundle.made_at, software: `Answerable ${bundle.software.version}` };
  const called = bundle.called === null ? [] : [calledInWords(bundle)];
  const lines = [questionInWords(bundle.question), ...called, fill(WORDS.title, bundle), `${fill(WORDS.made, made)} ${fill(WORDS.asked_by, bundle.asked)}`];
  if (bundle.asked.approval !== null) lines.push(fill(WORDS.approved_by, bundle.asked));
  return lines;
}

function findingLines(report, level) {
  const lines = [];
  for (const [code, [itsLevel, words]] of Object.entries(FINDINGS)) {
    if (itsLevel !== level || !Object.hasOwn(report.counts, code)) continue;
    lines.push(`${words} [${code}]`);
    const listed = report.findings.filter((each) => each.code === code);
    for (const each of listed) if (each.place || each.detail) lines.push("  " + [each.place, each.detail].filter(Boolean).join(": "));
    if (report.counts[code] > listed.length) lines.push("  " + fill(WORDS.and_more, { count: report.counts[code] - listed.length }));
  }
  return lines;
}

/** The last line. */
export function verdictLine(report) {
  return fill(WORDS[`verdict_${VERDICTS[report.exitCode]}`], { count: report.count("tampering") });
}

/** The report for programs, member by member that of verify.py. */
export function asJson(report) {
  const said = (list) => list.map(([code, facts]) => ({ code, text: fill(WORDS[code], facts) }));
  return {
    format: REPORT_FORMAT,
    verdict: VERDICTS[report.exitCode],
    exit_code: report.exitCode,
    error: null,
    bundle: report.facts.bundle ?? null,
    answer: report.facts.answer ?? null,
    keys: report.facts.keys ?? [],
    logs: report.facts.logs ?? [],
    counts: report.counts,
    findings: report.findings.map((each) => {
      const [level, text] = FINDINGS[each.code];
      return { code: each.code, level, place: each.place, detail: each.detail, text };
    }),
    proven: said(report.proven),
    not_proven: said(report.notProven),
  };
}
