/**
 * The tables behind the charts: sorted by a click on a column, and saved as a file in the order that is shown.
 *
 * Belongs here: tables. Not here: which rows there are (the dataflow).
 */

/** The rows of a figure in the order of its table; nothing comes last. @param {Live} live @param {Figure} figure */
function sorted(live, figure) {
  const rows = live.rows.get(figure) ?? [];
  const order = live.orders.get(figure);
  if (!order) return rows;
  const missing = (/** @type {Value | undefined} */ value) => value === null || value === undefined || value === "";
  return [...rows].sort((one, other) => {
    const [a, b] = [one[order.field], other[order.field]];
    if (missing(a) || missing(b)) return Number(missing(a)) - Number(missing(b));
    const found = typeof a === "string" ? a.localeCompare(String(b), "en", { numeric: true }) : Number(a) - Number(b);
    return order.descending ? -found : found;
  });
}

/** @param {Live} live @param {Figure} figure @param {Column} column */
function headOf(live, figure, column) {
  const order = live.orders.get(figure);
  const isSorted = order?.field === column.field;
  const head = element("th", undefined, column.format);
  head.setAttribute("scope", "col");
  if (isSorted) head.setAttribute("aria-sort", order?.descending ? "descending" : "ascending");
  const button = element("button", column.label);
  button.setAttribute("type", "button");
  button.dataset.field = column.field;
  const arrow = element("span", isSorted ? (order?.descending ? "\u00a0▼" : "\u00a0▲") : "\u00a0↕");
  arrow.setAttribute("aria-hidden", "true");
  button.append(arrow);
  button.addEventListener("click", () => {
    // Numbers are looked at from the largest one, texts from their beginning.
    const first = column.format === "text" || column.format === "yes_no";
    live.orders.set(figure, { field: column.field, descending: isSorted ? !order?.descending : !first });
    fillTable(live, figure);
    const table = place(live.section, figure).querySelector("table");
    /** @type {HTMLElement | null} */ (table?.querySelector(`[data-field="${column.field}"]`) ?? null)?.focus();
  });
  head.append(button);
  return head;
}

/** A text whose dates are not broken at their hyphens. @param {string} text */
function withWholeDates(text) {
  const made = element("bdi");
  for (const part of text.split(/(\d{4}-\d\d-\d\d(?: \d\d:\d\d)?)/))
    made.append(/^\d{4}-/.test(part) ? element("span", part, "date") : part);
  return made;
}

/** @param {Live} live @param {Figure} figure */
function fillTable(live, figure) {
  const table = /** @type {HTMLTableElement} */ (place(live.section, figure).querySelector("table"));
  const head = element("tr");
  for (const column of figure.columns) head.append(headOf(live, figure, column));
  const body = element("tbody");
  for (const row of sorted(live, figure)) {
    const line = element("tr");
    for (const { field, format } of figure.columns) {
      const cell = element("td", undefined, format);
      const value = row[field];
      if (typeof value === "number") {
        const data = /** @type {HTMLDataElement} */ (element("data", written(value, format)));
        data.value = String(value);
        cell.append(data);
      } else cell.append(withWholeDates(written(value, format)));
      line.append(cell);
    }
    body.append(line);
  }
  const top = element("thead");
  top.append(head);
  table.replaceChildren(top, body);
}

/** @param {Live} live @param {Figure} figure */
function saveTable(live, figure) {
  // The byte order mark makes spreadsheets read UTF-8.
  const url = URL.createObjectURL(new Blob(["\ufeff", csv(figure.columns, sorted(live, figure))], { type: "text/csv" }));
  download(`${live.section.name}_${figure.name}.csv`, url);
  setTimeout(() => URL.revokeObjectURL(url));
}
