// Draws each chart from the table beside it, so that both say the same. Without this the table is all there is.

const root = document.documentElement;
const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
// What a chart stands on.
const surface = (canvas) => getComputedStyle(canvas.closest(".card")).backgroundColor;
// The day before the month, as the page says it in words.
const ofDates = root.lang === "en" ? "en-GB" : root.lang;
const day = new Intl.DateTimeFormat(ofDates, { timeZone: "UTC", day: "numeric", month: "short" });
const hour = new Intl.DateTimeFormat(ofDates, {
  timeZone: "UTC", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
});
const number = new Intl.NumberFormat(root.lang, { notation: "compact" });
const dollars = new Intl.NumberFormat(root.lang, {
  style: "currency", currency: "USD", currencyDisplay: "narrowSymbol", maximumFractionDigits: 4, minimumFractionDigits: 0,
});
// Heights of bars and lines may be rounded; the words of a tooltip are those of the table.
const inDollars = (nanousd) => nanousd / 1e9;
const inCredits = (nanousd) => nanousd / 1e6;

// What both kinds share. `words(point)` is what a tooltip says.
const common = (table, words, onClick) => ({
  maintainAspectRatio: false,
  animation: matchMedia("(prefers-reduced-motion: reduce)").matches ? false : { duration: 250 },
  interaction: { mode: "index", intersect: false },
  onClick,
  onHover: (event, points, chart) => {
    const at = onClick ? chart.getElementsAtEventForMode(event, "nearest", { intersect: true }, false) : [];
    const href = at.length && chart.data.datasets[at[0].datasetIndex].href;
    chart.canvas.style.cursor = href ? "pointer" : "default";
  },
  plugins: {
    legend: { display: false },
    tooltip: {
      itemSort: (one, other) => other.raw - one.raw,
      filter: (point) => words(point) !== "",
      callbacks: { label: (point) => ` ${point.dataset.label}: ${words(point)}` },
    },
  },
});

// Bars: a column of the table is a colour, a row an hour or a day; those that the table leaves out are empty.
function stacks(canvas, table) {
  const [start, end, step] = ["start", "end", "step"].map((name) => Number(table.dataset[name]));
  const places = new Map();
  const labels = [];
  const label = step < 86_400_000 ? hour : day;
  for (let at = start; at < end; at += step) {
    places.set(at, labels.length);
    labels.push(label.format(at));
  }
  const heads = [...table.tHead.rows[0].querySelectorAll("[data-series]")];
  const anyChosen = heads.some((head) => "chosen" in head.dataset);
  const datasets = heads.map((head) => ({
    label: head.textContent,
    series: head.dataset.series,
    href: head.dataset.href,
    faded: anyChosen && !("chosen" in head.dataset),
    data: labels.map(() => 0),
    words: labels.map(() => ""),
    maxBarThickness: 48,
  }));
  for (const row of table.tBodies[0].rows) {
    const place = places.get(Number(row.dataset.at));
    datasets.forEach((dataset, index) => {
      const cell = row.cells[index + 1];
      if (place === undefined || !cell.dataset.nanousd) return;
      dataset.data[place] = inDollars(cell.dataset.nanousd);
      dataset.words[place] = cell.textContent;
    });
  }
  const onClick = (event, points, chart) => {
    const [point] = chart.getElementsAtEventForMode(event, "nearest", { intersect: true }, false);
    const href = point && datasets[point.datasetIndex].href;
    if (href) location.assign(href);
  };
  const options = common(table, (point) => point.dataset.words[point.dataIndex], onClick);
  options.scales = {
    x: { stacked: true, grid: { display: false }, ticks: { maxRotation: 0, autoSkipPadding: 12 } },
    y: { stacked: true, beginAtZero: true, ticks: { callback: (value) => dollars.format(value), maxTicksLimit: 6 } },
  };
  const paint = () => {
    for (const dataset of datasets) {
      dataset.backgroundColor = colour(`--chart-${dataset.series}`) + (dataset.faded ? "40" : "");
      dataset.borderColor = surface(canvas);
      dataset.borderWidth = { top: 1 };
    }
  };
  return { type: "bar", data: { labels, datasets }, options, paint };
}

// A line of what was left, and on from today of what will be: a row of the table is a day.
function runway(canvas, table) {
  const rows = [...table.tBodies[0].rows];
  const labels = rows.map((row) => day.format(row.dataset.at * 1000));
  const words = rows.map(({ cells: [, left, lost] }) => (lost.textContent ? `${left.textContent} (−${lost.textContent})` : left.textContent));
  const values = rows.map((row) => inCredits(row.dataset.nanousd));
  const now = rows.findLastIndex((row) => !("ahead" in row.dataset));
  const expires = rows.map((row) => (row.cells[2].textContent ? 5 : 0));
  const of = (name, from, to) => ({
    label: name,
    data: values.map((value, index) => (index >= from && index <= to ? value : null)),
    words,
    pointRadius: expires,
    pointHitRadius: 6,
    stepped: false,
    fill: "origin",
    tension: 0,
  });
  const datasets = [
    of(table.dataset.past, 0, now),
    { ...of(table.dataset.ahead, now, values.length), borderDash: [5, 4] },
  ];
  const options = common(table, (point) => (point.datasetIndex && point.dataIndex === now ? "" : words[point.dataIndex]));
  options.scales = {
    x: { grid: { display: false }, ticks: { maxRotation: 0, autoSkipPadding: 12 } },
    y: { beginAtZero: true, ticks: { callback: (value) => number.format(value), maxTicksLimit: 6 } },
  };
  const paint = () => {
    datasets.forEach((dataset, index) => {
      dataset.borderColor = colour(index ? "--chart-0" : "--chart-1");
      dataset.backgroundColor = `${dataset.borderColor}22`;
      dataset.pointBackgroundColor = colour("--chart-2");
      dataset.pointBorderColor = surface(canvas);
    });
  };
  return { type: "line", data: { labels, datasets }, options, paint };
}

const kinds = { stacks, runway };
// Each chart with what gives its options the colours of the theme, by its canvas.
const drawn = new Map();
function draw(place) {
  const canvas = place.querySelector("canvas");
  if (drawn.has(canvas)) return;
  place.hidden = false;
  const { paint, ...config } = kinds[place.dataset.chart](canvas, document.querySelector(place.dataset.table));
  const dress = (options) => {
    paint();
    for (const axis of Object.values(options.scales)) {
      axis.ticks.color = colour("--console-muted");
      axis.grid = { ...axis.grid, color: colour("--chart-line"), tickColor: colour("--chart-line") };
      axis.border = { display: false };
    }
  };
  dress(config.options);
  drawn.set(canvas, { chart: new Chart(canvas, config), dress });
}
function drawAll() {
  for (const [canvas, { chart }] of drawn) {
    if (canvas.isConnected) continue;
    chart.destroy();
    drawn.delete(canvas);
  }
  for (const place of document.querySelectorAll("[data-chart]")) draw(place);
}
Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
drawAll();
// What is filtered by comes with a table of its own.
document.addEventListener("htmx:afterSwap", drawAll);
// Another theme, other colours.
new MutationObserver(() => {
  for (const { chart, dress } of drawn.values()) {
    dress(chart.options);
    chart.update("none");
  }
}).observe(root, { attributes: true, attributeFilter: ["data-bs-theme"] });
