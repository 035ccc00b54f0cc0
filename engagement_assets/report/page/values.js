"use strict";
/**
 * Values as text, and rows as a CSV file.
 *
 * Belongs here: what needs neither the page nor Vega. The types of all scripts are here, too.
 *
 * @typedef {string | number | boolean | null} Value
 * @typedef {Record<string, any>} Row
 * @typedef {{values: Value[], at?: number[]}} PackedColumn
 * @typedef {{field: string, label: string, format: "text" | "integer" | "number" | "percent" | "yes_no"}} Column
 * @typedef {{name: string, title: string, dataset: string, columns: Column[], kind: "chart" | "list" | "numbers",
 *   trend: string | null, clicks: [string, string][], spec: any}} Figure
 * @typedef {{signal: string, initial: string}} Filter
 * @typedef {{name: string, tables: Record<string, Record<string, PackedColumn>>, limits: Record<string, string>,
 *   signals: any[], data: any[], filters: Filter[], figures: Figure[]}} Section
 * @typedef {{section: Section, flow: any, charts: Map<Figure, {view: any, rows: Row[]}>, rows: Map<Figure, Row[]>,
 *   orders: Map<Figure, {field: string, descending: boolean}>}} Live
 */

const WHOLE = new Intl.NumberFormat("en");
const DECIMAL = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const PERCENT = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const DAY_MS = 864e5;
const A_DAY = /^\d{4}-\d\d-\d\d$/;

/** @param {Record<string, PackedColumn>} columns @returns {Row[]} */
function unpack(columns) {
  const names = Object.keys(columns);
  const length = names.length ? (columns[names[0]].at ?? columns[names[0]].values).length : 0;
  return Array.from({ length }, (_, i) => {
    /** @type {Row} */
    const row = {};
    for (const name of names) {
      const { values, at } = columns[name];
      row[name] = at ? (values[at[i]] ?? null) : values[i];
    }
    return row;
  });
}

/** A value as text for people. @param {Value | undefined} value @param {Column["format"]} format */
function written(value, format) {
  if (value === null || value === undefined || value === "") return "–";
  if (format === "yes_no") return value ? "yes" : "no";
  if (typeof value !== "number") return String(value);
  if (format === "percent") return PERCENT.format(value);
  return format === "number" ? DECIMAL.format(value) : format === "integer" ? WHOLE.format(value) : String(value);
}

/** A moment as its day in UTC. @param {number} at */
const dayOf = (at) => new Date(at).toISOString().slice(0, 10);

/**
 * A cell of a CSV file. A text that a spreadsheet would read as a formula gets a leading apostrophe.
 * @param {Value | undefined} value
 */
function csvCell(value) {
  if (value === null || value === undefined) return "";
  let text = String(value);
  if (typeof value === "string" && /^[\s\u00a0]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/.test(text)) text = `'${text}`;
  return /[",\r\n']/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @param {Column[]} columns @param {Row[]} rows */
function csv(columns, rows) {
  const lines = [columns.map((column) => csvCell(column.label)).join(",")];
  for (const row of rows) lines.push(columns.map((column) => csvCell(row[column.field])).join(","));
  return lines.join("\r\n") + "\r\n";
}

/** @param {string} tag @param {string} [text] @param {string} [kind] its class */
function element(tag, text, kind) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

/** Hands a file to whoever reads the page. @param {string} name @param {string} url */
function download(name, url) {
  const link = /** @type {HTMLAnchorElement} */ (element("a"));
  link.href = url;
  link.download = name;
  link.click();
}
