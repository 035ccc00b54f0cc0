"use strict";
/**
 * How the page behaves: filters set signals of a section's dataflow, whose datasets feed charts and tables.
 *
 * Belongs here: what needs a browser. Not here: computing numbers, which the dataflow does (Vega transforms).
 *
 * @typedef {string | number | boolean | null} Value
 * @typedef {Record<string, Value>} Row
 * @typedef {{values: Value[], at?: number[]}} PackedColumn
 * @typedef {{field: string, label: string, format: "text" | "integer" | "number" | "percent" | "yes_no"}} Column
 * @typedef {{name: string, dataset: string, columns: Column[], kind: "chart" | "list" | "numbers", spec: any}} Figure
 * @typedef {{signal: string, initial: string}} Filter
 * @typedef {{name: string, tables: Record<string, Record<string, PackedColumn>>, signals: any[], data: any[],
 *   filters: Filter[], figures: Figure[]}} Section
 * @typedef {{section: Section, flow: any, charts: Map<Figure, any>, rows: Map<Figure, Row[]>}} Live
 */

const WHOLE = new Intl.NumberFormat("en");
const DECIMAL = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const PERCENT = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
/** Draws a Vega specification; comes with the bundle before this script. @type {(root: HTMLElement, spec: any, options: any) => Promise<{view: any}>} */
const embed = /** @type {any} */ (window).vegaEmbed;
/** Options of every view: no eval, no inline style, and only errors in the console. */
const VIEW = {
  mode: "vega",
  ast: true,
  actions: false,
  defaultStyle: false,
  logLevel: 1,
  renderer: "svg",
  tooltip: showTip,
};

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

/** @param {string} tag @param {string} [text] */
function element(tag, text) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** @param {HTMLTableElement} table @param {Figure} figure @param {Row[]} rows */
function fillTable(table, figure, rows) {
  const head = element("tr");
  for (const column of figure.columns) {
    const cell = element("th", column.label);
    cell.setAttribute("scope", "col");
    cell.className = column.format;
    head.append(cell);
  }
  const body = element("tbody");
  for (const row of rows) {
    const line = element("tr");
    for (const { field, format } of figure.columns) {
      const cell = element("td");
      cell.className = format;
      const value = row[field];
      if (typeof value === "number") {
        const data = /** @type {HTMLDataElement} */ (element("data", written(value, format)));
        data.value = String(value);
        cell.append(data);
      } else cell.append(element("bdi", written(value, format)));
      line.append(cell);
    }
    body.append(line);
  }
  const top = element("thead");
  top.append(head);
  table.replaceChildren(top, body);
}

/** @param {Section} section @param {Figure} figure */
const place = (section, figure) =>
  /** @type {HTMLElement} */ (document.getElementById(`${section.name}-${figure.name}`));

/** Shows a figure's rows: the chart or the numbers at once, the table once it is open. @param {Live} live @param {Figure} figure */
async function show(live, figure) {
  const rows = live.rows.get(figure) ?? [];
  const root = place(live.section, figure);
  const details = /** @type {HTMLDetailsElement} */ (root.querySelector("details"));
  /** @type {HTMLElement} */ (root.querySelector(".empty")).hidden = rows.length > 0;
  details.hidden = rows.length === 0;
  if (details.open) fillTable(/** @type {HTMLTableElement} */ (root.querySelector("table")), figure, rows);
  if (figure.kind === "numbers") {
    const tiles = figure.columns.map((column) => {
      const tile = element("div");
      tile.className = "tile";
      tile.append(element("dt", column.label), element("dd", written(rows[0]?.[column.field], column.format)));
      return tile;
    });
    /** @type {HTMLElement} */ (root.querySelector(".tiles")).replaceChildren(...(rows.length ? tiles : []));
  }
  if (figure.kind !== "chart") return;
  const box = /** @type {HTMLElement} */ (root.querySelector(".chart"));
  box.hidden = rows.length === 0;
  // A scale without values would log an error to the console.
  if (rows.length === 0) return;
  const view = live.charts.get(figure);
  const copies = rows.map((row) => ({ ...row }));
  // The axes may need more or less room than before.
  if (view) await view.resize().data("rows", copies).runAsync();
  else {
    const data = figure.spec.data.map((/** @type {any} */ each) =>
      each.name === "rows" ? { name: "rows", values: copies } : each,
    );
    live.charts.set(figure, (await embed(box, { ...figure.spec, data }, VIEW)).view);
    // One picture with a name. Vega would have screen readers read each mark; the table is there for that.
    box.setAttribute("role", "img");
    box.removeAttribute("aria-roledescription");
  }
}

/**
 * The tooltip, placed by properties, since the policy forbids style attributes.
 * @param {unknown} _handler @param {MouseEvent} event @param {unknown} _item @param {Row | null | undefined} value
 */
function showTip(_handler, event, _item, value) {
  const tip = /** @type {HTMLElement} */ (document.getElementById("tip"));
  tip.hidden = !value;
  if (!value) return;
  const list = element("dl");
  for (const [name, text] of Object.entries(value)) list.append(element("dt", name), element("dd", String(text)));
  tip.replaceChildren(list);
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${Math.max(4, Math.min(event.clientY + 14, window.innerHeight - tip.offsetHeight - 8))}px`;
}

/** Copies the dataflow's rows, without the symbols with which Vega marks them, and shows them. @param {Live} live */
async function refresh(live) {
  for (const figure of live.section.figures) {
    live.rows.set(
      figure,
      live.flow.data(figure.dataset).map((/** @type {Row} */ row) => Object.fromEntries(Object.entries(row))),
    );
    await show(live, figure);
  }
}

/** Keeps the filters that were changed in the URL's hash, so that a slice can be shared. @param {Live[]} lives */
function remember(lives) {
  const state = new URLSearchParams();
  for (const { section, flow } of lives)
    for (const { signal, initial } of section.filters)
      if (flow.signal(signal) !== initial) state.set(`${section.name}.${signal}`, flow.signal(signal));
  const isSection = document.getElementById(location.hash.slice(1)) !== null;
  // After following a link to a section, the address must still name the slice.
  if (state.size || !isSection)
    history.replaceState(null, "", state.size ? `#${state}` : location.pathname + location.search);
}

/** Sets the filters from the URL's hash; values that a control does not offer are ignored. @param {Live[]} lives */
async function recall(lives) {
  const state = new URLSearchParams(location.hash.slice(1));
  for (const live of lives) {
    for (const { signal, initial } of live.section.filters) {
      const control = /** @type {HTMLSelectElement} */ (
        document.querySelector(`#${live.section.name} [name="${signal}"]`)
      );
      const wanted = state.get(`${live.section.name}.${signal}`) ?? initial;
      const isOption = control.options
        ? [...control.options].some((each) => each.value === wanted)
        : /^\d{4}-\d\d-\d\d$/.test(wanted);
      control.value = isOption ? wanted : initial;
      live.flow.signal(signal, control.value);
    }
    await live.flow.runAsync();
  }
}

/** @param {Live} live @param {Live[]} lives */
function listen(live, lives) {
  const { section, flow } = live;
  const root = /** @type {HTMLElement} */ (document.getElementById(section.name));
  const form = root.querySelector("form");
  const apply = async () => {
    for (const { signal } of section.filters)
      flow.signal(signal, String(new FormData(form ?? undefined).get(signal) ?? ""));
    await flow.runAsync();
    await refresh(live);
    remember(lives);
    const shown = [...live.rows.values()].filter((rows) => rows.length).length;
    /** @type {HTMLElement} */ (root.querySelector("[role=status]")).textContent =
      `${shown} of ${live.rows.size} figures have rows for this slice.`;
  };
  form?.addEventListener("submit", (event) => event.preventDefault());
  form?.addEventListener("change", apply);
  // The controls have their initial values only after the event.
  form?.addEventListener("reset", () => setTimeout(apply));
  for (const figure of section.figures) {
    const box = place(section, figure);
    box.querySelector("details")?.addEventListener("toggle", () => show(live, figure));
    box.querySelector(".csv")?.addEventListener("click", () => {
      const link = /** @type {HTMLAnchorElement} */ (element("a"));
      // The byte order mark makes spreadsheets read UTF-8.
      link.href = URL.createObjectURL(
        new Blob(["\ufeff", csv(figure.columns, live.rows.get(figure) ?? [])], { type: "text/csv" }),
      );
      link.download = `${section.name}_${figure.name}.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href));
    });
  }
}

async function start() {
  /** @type {Section[]} */
  const sections = JSON.parse(/** @type {HTMLElement} */ (document.getElementById("payload")).textContent ?? "[]");
  /** @type {Live[]} */
  const lives = [];
  for (const section of sections) {
    const tables = Object.entries(section.tables).map(([name, columns]) => ({ name, values: unpack(columns) }));
    const spec = {
      $schema: "https://vega.github.io/schema/vega/v6.json",
      signals: section.signals,
      data: [...tables, ...section.data],
    };
    const { view } = await embed(element("div"), spec, { ...VIEW, renderer: "none" });
    lives.push({ section, flow: view, charts: new Map(), rows: new Map() });
  }
  if (location.hash.includes("=")) await recall(lives);
  for (const live of lives) {
    listen(live, lives);
    await refresh(live);
    // Let the browser paint what is there.
    await new Promise((resolve) => setTimeout(resolve));
  }
  window.addEventListener("hashchange", async () => {
    if (!location.hash.includes("=")) return remember(lives);
    await recall(lives);
    for (const live of lives) await refresh(live);
  });
  performance.mark("ready");
  document.documentElement.dataset.ready = "true";
}

/** For tests. */ /** @type {any} */ (window).report = { csv, csvCell, unpack, written };
start();
