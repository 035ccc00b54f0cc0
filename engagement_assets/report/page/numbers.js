/**
 * Numbers in large print, with the newest complete period, its change, the range, and a small line of all periods.
 *
 * Belongs here: tiles. Not here: which period is the newest complete one, or what changed (the dataflow's trends).
 */

/** What a period is called, by its length. @param {Row} period */
function unitOf(period) {
  const days = Math.round((period.until - period.at) / DAY_MS);
  return days === 1 ? "day" : days === 7 ? "week" : days < 32 ? "month" : "year";
}

/** A line of the values, drawn by attributes, since the policy forbids styles. @param {Row} trend @param {string} [colour] */
function sparkline(trend, colour) {
  const make = (/** @type {string} */ tag, /** @type {Record<string, string | number>} */ attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
    return made;
  };
  const values = trend.history.map((/** @type {Row} */ period) => period.value);
  const [width, height, edge] = [120, 28, 3];
  const span = trend.high - trend.low || 1;
  const points = values.map((/** @type {number} */ value, /** @type {number} */ i) => [
    edge + (values.length > 1 ? i / (values.length - 1) : 1) * (width - 2 * edge),
    height - edge - (trend.high > trend.low ? (value - trend.low) / span : 0.5) * (height - 2 * edge),
  ]);
  const line = make("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "xMinYMid", class: "spark", "aria-hidden": "true" });
  const stroke = colour ?? "var(--p2)";
  const path = points.map((/** @type {number[]} */ point) => point.map((each) => each.toFixed(1)).join(",")).join(" ");
  line.append(make("polyline", { points: path, fill: "none", stroke, "stroke-width": 2 }));
  const [x, y] = points[points.length - 1];
  line.append(make("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: 2.8, fill: stroke }));
  return line;
}

/** How much changed; a rate changes by points, since a percentage of a percentage misleads. @param {Row} trend @param {Column["format"]} format */
const amount = (trend, format) =>
  format === "percent"
    ? `${(100 * Math.abs(trend.difference)).toFixed(1)} points`
    : PERCENT.format(Math.abs(trend.change));

/** @param {string} label @param {Value | undefined} value @param {Column["format"]} format @param {Row} [trend] */
function tile(label, value, format, trend) {
  const made = element("div", undefined, "tile");
  const large = element("dd");
  large.append(withWholeDates(written(value, format)));
  made.append(element("dt", label), large);
  if (!trend) return made;
  const unit = unitOf(trend);
  const change =
    trend.change === null
      ? `no ${unit} right before to compare`
      : `${trend.change > 0 ? "▲ +" : trend.change < 0 ? "▼ −" : "= "}${amount(trend, format)}`;
  const newest = trend.value === value ? "" : `${written(trend.value, format)} in the `;
  const day = element("span", dayOf(trend.at), "date");
  const when = element("dd", `${newest}${unit} of `, "note");
  when.append(day, trend.is_complete ? "" : " (incomplete)");
  const changed = element("dd", change, trend.change === null ? "change note" : "change");
  if (trend.change !== null) changed.append(element("span", ` on the ${unit} before`, "note"));
  const range = `${written(trend.low, format)} to ${written(trend.high, format)} in ${trend.periods} ${unit}${trend.periods === 1 ? "" : "s"}`;
  const drawn = element("dd", undefined, "drawn");
  drawn.append(sparkline(trend, trend.colour));
  made.append(when, changed, drawn, element("dd", range, "note"));
  return made;
}

/** @param {Live} live @param {Figure} figure @param {Row[]} rows */
function showNumbers(live, figure, rows) {
  const trends = figure.trend ? live.flow.data(figure.trend) : [];
  const isOfTrends = figure.trend === figure.dataset;
  const tiles = isOfTrends
    ? rows.map((row) => tile(row[figure.columns[0].field], row.value, formatOfValue(figure), row))
    : figure.columns.map((column) => {
        const trend = trends.find((/** @type {Row} */ each) => each.part === column.field);
        return tile(column.label, rows[0]?.[column.field], column.format, trend);
      });
  const list = /** @type {HTMLElement} */ (place(live.section, figure).querySelector(".tiles"));
  list.replaceChildren(...(rows.length ? tiles : []));
}

/** @param {Figure} figure */
const formatOfValue = (figure) => figure.columns.find((column) => column.field === "value")?.format ?? "number";
