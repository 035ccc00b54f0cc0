/**
 * Charts: drawn by Vega from the rows of the dataflow, with tooltips, filters by a click, and images.
 *
 * Belongs here: what is done with a Vega view. Not here: how charts look (`theme.py`).
 */

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

/** @param {any} spec @param {Row[]} rows */
const withRows = (spec, rows) => ({
  ...spec,
  data: spec.data.map((/** @type {any} */ each) => (each.name === "rows" ? { name: "rows", values: rows } : each)),
});

/** @param {Live} live @param {Figure} figure @param {Row[]} rows */
async function showChart(live, figure, rows) {
  const box = /** @type {HTMLElement} */ (place(live.section, figure).querySelector(".chart"));
  box.hidden = rows.length === 0;
  // A scale without values would log an error to the console.
  if (rows.length === 0) return;
  const drawn = live.charts.get(figure);
  const copies = rows.map((row) => ({ ...row }));
  if (!drawn) {
    const { view } = await embed(box, withRows(figure.spec, copies), VIEW);
    live.charts.set(figure, { view, rows });
    view.addEventListener("click", (/** @type {any} */ _event, /** @type {any} */ item) => {
      if (item?.mark?.role === "mark" && item.datum) pick(live, figure, item.datum);
    });
    // One picture with a name. Vega would have screen readers read each mark; the table is there for that.
    box.setAttribute("role", "img");
    box.removeAttribute("aria-roledescription");
  } else if (!isSame(drawn.rows, rows)) {
    drawn.rows = rows;
    // The axes may need more or less room than before.
    await drawn.view.resize().data("rows", copies).runAsync();
  }
  box.classList.toggle("clickable", picksOf(live, figure, rows[0]).length > 0 || isPeriod(rows[0]));
}

/** Whether a chart of one shows the other as well. @param {Row[]} one @param {Row[]} other */
const isSame = (one, other) =>
  one.length === other.length &&
  one.every((row, i) => Object.entries(row).every(([name, value]) => value === other[i][name]));

/** @param {Row} row */
const isPeriod = (row) => Number.isFinite(row.at) && Number.isFinite(row.until);

/**
 * The filters that a click on a mark can set, with their values.
 * @param {Live} live @param {Figure} figure @param {Row} row @returns {[string, string][]}
 */
function picksOf(live, figure, row) {
  const named = figure.clicks.map(([field, signal]) => [
    field,
    signal.startsWith("*") ? live.flow.signal(signal.slice(1)) : signal,
  ]);
  const same = live.section.filters.map(({ signal }) => [signal, signal]);
  return /** @type {[string, string][]} */ (
    [...named, ...same]
      .filter(([field, signal]) => row[field] !== undefined && controlOf(live, signal))
      .map(([field, signal]) => [signal, String(row[field])])
  );
}

/** @param {Live} live @param {string} signal */
const controlOf = (live, signal) =>
  /** @type {HTMLSelectElement | null} */ (document.querySelector(`#${live.section.name} .filters [name="${signal}"]`));

/**
 * Filters by a mark: by its category, or else by its period. A second click undoes it.
 * @param {Live} live @param {Figure} figure @param {Row} row
 */
function pick(live, figure, row) {
  const picks = picksOf(live, figure, row).flatMap(([signal, value]) => {
    const control = controlOf(live, signal);
    return control && [...control.options].some((option) => option.value === value) ? [{ control, value }] : [];
  });
  const news = picks.filter(({ control, value }) => control.value !== value);
  if (news.length) {
    for (const { control, value } of news) control.value = value;
    news[0].control.dispatchEvent(new Event("change", { bubbles: true }));
  } else if (isPeriod(row)) setDates(dayOf(row.at), dayOf(row.until - DAY_MS));
  else {
    const undone = picks.find(({ control }) => control.options[0].value === "");
    if (!undone) return;
    undone.control.value = "";
    undone.control.dispatchEvent(new Event("change", { bubbles: true }));
  }
}

/** Saves the chart as it is now, in the colours of the page, with its title. @param {Live} live @param {Figure} figure */
async function saveImage(live, figure) {
  const shown = live.charts.get(figure)?.view;
  if (!shown) return;
  const style = getComputedStyle(document.documentElement);
  const spec = withRows(figure.spec, live.rows.get(figure) ?? []);
  const text = JSON.stringify({
    ...spec,
    // A view that is not on the page has no container to fill.
    width: shown.width(),
    signals: spec.signals.filter((/** @type {any} */ signal) => signal.name !== "width"),
    background: "var(--paper)",
    padding: 12,
    title: { text: figure.title, anchor: "start", color: "var(--ink)", offset: 12 },
  });
  const coloured = text.replace(/var\((--[a-z0-9-]+)\)/g, (_whole, name) => style.getPropertyValue(name).trim());
  const { view } = await embed(element("div"), JSON.parse(coloured), { ...VIEW, renderer: "none" });
  download(`${live.section.name}_${figure.name}.png`, await view.toImageURL("png", 2));
  view.finalize();
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
