/**
 * How the page behaves: chapters, filters and the address. Filters set signals of the chapters' dataflows, whose
 * datasets feed charts, numbers and tables.
 *
 * Belongs here: what ties the parts together. Not here: computing numbers, which the dataflow does (Vega transforms).
 */

const DATES = ["first_day", "last_day"];
/** @type {Live[]} */
const lives = [];
/** Counts the changes of the dates, so that a newer one ends the work of an older one. */
let changes = 0;

/** @param {Section} section @param {Figure} figure */
const place = (section, figure) =>
  /** @type {HTMLElement} */ (document.getElementById(`${section.name}-${figure.name}`));
const dates = () => /** @type {HTMLFormElement} */ (document.getElementById("dates"));
const chapters = () => /** @type {HTMLElement[]} */ ([...document.querySelectorAll("main > section")]);
const chapter = () => chapters().find((each) => each.classList.contains("current")) ?? chapters()[0];
const pause = () => new Promise((resolve) => setTimeout(resolve));
/** @param {HTMLFormElement} form @param {string} name @returns {HTMLInputElement | HTMLSelectElement} */
const control = (form, name) => /** @type {any} */ (form.elements.namedItem(name));

/**
 * Shows a figure's rows: the chart or the numbers at once, the table once it is open. The only row of a chart that
 * compares its rows is shown as numbers.
 * @param {Live} live @param {Figure} figure
 */
async function show(live, figure) {
  const rows = live.rows.get(figure) ?? [];
  const root = place(live.section, figure);
  const details = /** @type {HTMLDetailsElement} */ (root.querySelector("details"));
  /** @type {HTMLElement} */ (root.querySelector(".empty")).hidden = rows.length > 0;
  /** @type {HTMLElement} */ (root.querySelector(".foot")).hidden = details.hidden = rows.length === 0;
  if (details.open) fillTable(live, figure);
  const alone = /** @type {HTMLElement | null} */ (root.querySelector(".alone"));
  const isAlone = alone !== null && rows.length === 1;
  if (alone) {
    alone.hidden = !isAlone;
    root.classList.toggle("numbers-figure", isAlone);
    /** @type {HTMLElement} */ (root.querySelector(".image")).hidden = isAlone;
  }
  if (alone || figure.kind === "numbers") showNumbers(live, figure, alone && !isAlone ? [] : rows);
  if (figure.kind === "chart") await showChart(live, figure, isAlone ? [] : rows);
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

/** Sets a chapter's signals from its filters and the dates, and shows what follows. @param {Live} live */
async function apply(live) {
  const form = /** @type {HTMLFormElement | null} */ (document.querySelector(`#${live.section.name} .filters`));
  for (const { signal } of live.section.filters) if (form) live.flow.signal(signal, control(form, signal).value);
  for (const name of DATES) live.flow.signal(name, control(dates(), name).value);
  await live.flow.runAsync();
  await refresh(live);
}

/** Applies the dates to all chapters, the one on the screen first. */
async function applyAll() {
  const change = ++changes;
  const current = chapter().id;
  for (const live of [...lives].sort((a, b) => Number(b.section.name === current) - Number(a.section.name === current))) {
    await apply(live);
    await pause();
    if (change !== changes) return;
  }
  tell(dates().querySelector("[role=status]"), lives);
}

/** Says how much there is now. @param {Element | null} status @param {Live[]} changed */
function tell(status, changed) {
  const all = changed.flatMap((live) => [...live.rows.values()]);
  if (status) status.textContent = `${all.filter((rows) => rows.length).length} of ${all.length} figures have rows for this slice.`;
}

/** Sets the page's dates; the same dates again undo it. @param {string} first @param {string} last */
function setDates(first, last) {
  const [from, to] = DATES.map((name) => /** @type {HTMLInputElement} */ (control(dates(), name)));
  const isSame = from.value === first && to.value === last;
  from.value = isSame ? from.defaultValue : first;
  to.value = isSame ? to.defaultValue : last;
  from.dispatchEvent(new Event("change", { bubbles: true }));
}

/** Shows one chapter, all others stay drawn out of sight for printing. @param {string} name */
function open(name) {
  for (const each of chapters()) each.classList.toggle("current", each.id === name);
  for (const link of document.querySelectorAll("nav a[href^='#']"))
    if (link.getAttribute("href") === `#${name}`) {
      link.setAttribute("aria-current", "page");
      // A phone shows a few of the links at a time.
      const list = /** @type {HTMLElement} */ (link.closest("ul"));
      list.scrollLeft = /** @type {HTMLElement} */ (link).offsetLeft - list.offsetLeft - 48;
    } else link.removeAttribute("aria-current");
}

/** Keeps the chapter and what was changed in the URL's hash, so that a slice can be shared. */
function remember() {
  const state = new URLSearchParams();
  for (const name of DATES) {
    const input = /** @type {HTMLInputElement} */ (control(dates(), name));
    if (input.value !== input.defaultValue) state.set(name, input.value);
  }
  for (const { section, flow } of lives)
    for (const { signal, initial } of section.filters)
      if (flow.signal(signal) !== initial) state.set(`${section.name}.${signal}`, flow.signal(signal));
  const hash = state.size ? `#chapter=${chapter().id}&${state}` : `#${chapter().id}`;
  if (hash !== location.hash) history.replaceState(null, "", hash);
}

/** Sets chapter, dates and filters from the URL's hash; what no control offers is ignored. */
function recall() {
  const hash = location.hash.slice(1);
  const target = hash.includes("=") ? null : document.getElementById(hash);
  const state = new URLSearchParams(target ? "" : hash);
  const wanted = target?.closest("main > section")?.id ?? state.get("chapter") ?? "";
  open(chapters().some((each) => each.id === wanted) ? wanted : chapter().id);
  if (target?.matches("figure")) target.scrollIntoView();
  else if (!target || target.matches("main > section")) window.scrollTo(0, 0);
  if (!hash.includes("=")) return;
  for (const name of DATES) {
    const input = /** @type {HTMLInputElement} */ (control(dates(), name));
    const value = state.get(name) ?? input.defaultValue;
    input.value = value === "" || A_DAY.test(value) ? value : input.defaultValue;
  }
  for (const form of /** @type {HTMLFormElement[]} */ ([...document.querySelectorAll(".filters")])) {
    form.reset();
    for (const each of /** @type {HTMLSelectElement[]} */ ([...form.querySelectorAll("select")])) {
      const value = state.get(`${form.dataset.section}.${each.name}`);
      if (value !== null && [...each.options].some((option) => option.value === value)) each.value = value;
    }
  }
}

/** @param {Live} live */
function listen(live) {
  const { section } = live;
  const root = /** @type {HTMLElement} */ (document.getElementById(section.name));
  const form = root.querySelector("form");
  const change = async () => {
    await apply(live);
    remember();
    tell(root.querySelector("[role=status]"), [live]);
  };
  form?.addEventListener("submit", (event) => event.preventDefault());
  form?.addEventListener("change", change);
  // The controls have their initial values only after the event.
  form?.querySelector("[type=reset]")?.addEventListener("click", () => setTimeout(change));
  for (const figure of section.figures) {
    const box = place(section, figure);
    box.querySelector("details")?.addEventListener("toggle", () => show(live, figure));
    box.querySelector(".csv")?.addEventListener("click", () => saveTable(live, figure));
    box.querySelector(".image")?.addEventListener("click", () => saveImage(live, figure));
  }
}

/** The dates of the whole page. */
function listenToDates() {
  const form = dates();
  const change = async () => {
    remember();
    await applyAll();
  };
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", change);
  form.querySelector("[type=reset]")?.addEventListener("click", () => setTimeout(change));
  form.querySelector(".all")?.addEventListener("click", () => {
    for (const name of DATES) control(form, name).value = "";
    change();
  });
}

/** The dataflow of a section, with its tables limited to the dates. @param {Section} section */
async function begin(section) {
  const tables = Object.entries(section.tables).map(([name, columns]) => ({
    name,
    values: unpack(columns),
    transform: section.limits[name] ? [{ type: "filter", expr: section.limits[name] }] : [],
  }));
  const spec = {
    $schema: "https://vega.github.io/schema/vega/v6.json",
    signals: section.signals,
    data: [...tables, ...section.data],
  };
  const { view } = await embed(element("div"), spec, { ...VIEW, renderer: "none" });
  return { section, flow: view, charts: new Map(), rows: new Map(), orders: new Map() };
}

/** Says if the page is old: it cannot know what was loaded after it was written. */
function tellAge() {
  const note = /** @type {HTMLElement} */ (document.getElementById("age"));
  const days = Math.floor((Date.now() - Date.parse(note.dataset.written ?? "")) / DAY_MS);
  note.hidden = !(days >= 1);
  note.textContent = `This page is ${days} day${days === 1 ? "" : "s"} old. Write it again to see what is loaded now: make report.`;
}

async function start() {
  document.documentElement.classList.add("scripted");
  /** @type {Section[]} */
  const sections = JSON.parse(/** @type {HTMLElement} */ (document.getElementById("payload")).textContent ?? "[]");
  tellAge();
  recall();
  const current = chapter().id;
  // The chapter on the screen comes first; the others are drawn while it is being read, and for printing.
  for (const section of [...sections].sort((a, b) => Number(b.name === current) - Number(a.name === current))) {
    const live = await begin(section);
    lives.push(live);
    listen(live);
    await apply(live);
    if (section.name === current) performance.mark("first");
    await pause();
  }
  listenToDates();
  window.addEventListener("hashchange", async () => {
    const isSlice = location.hash.includes("=");
    recall();
    if (isSlice) await applyAll();
    remember();
  });
  performance.mark("ready");
  document.documentElement.dataset.ready = "true";
}

/** For tests. */ /** @type {any} */ (window).report = { csv, csvCell, unpack, written };
start();
