// Charts. A colour such as "--tail" in a figure stands for the variable of the style sheet, and
// "--tail@40" for the same, as transparent as the hexadecimal digits say.
"use strict";

async function unpacked(id) {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (letter) => letter.charCodeAt(0));
  return new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
}

function colour(name) {
  const [variable, opacity = ""] = name.split("@");
  const value = getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
  const reference = value.match(/^var\((.*)\)$/);
  return reference ? colour(reference[1] + (opacity && `@${opacity}`)) : value + opacity;
}

function themed(value) {
  if (typeof value === "string") return value.startsWith("--") ? colour(value) : value;
  if (Array.isArray(value)) return value.map(themed);
  if (value === null || typeof value !== "object" || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, themed(inner)]));
}

function axis(own) {
  return {
    gridcolor: "--grid", linecolor: "--line", zerolinecolor: "--line", automargin: true, fixedrange: true, tickmode: "auto",
    ...own,
  };
}

function layoutOf(layout) {
  const axes = Object.entries(layout).filter(([name]) => /^[xy]axis/.test(name)).map(([name, own]) => [name, axis(own)]);
  return themed({
    margin: { l: 8, r: 8, t: 12, b: 8 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: "--ink" },
    hoverlabel: { bgcolor: "--paper", bordercolor: "--faint", font: { color: "--ink" } },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, xanchor: "left" },
    ...layout, ...Object.fromEntries(axes),
  });
}

const QUERIES = 10; // of the worst, at once
const CONFIG = { displayModeBar: false, responsive: true, showTips: false };

// Draw with `draw` now and after each change of the theme.
function keepDrawn(draw) {
  document.addEventListener("theme", draw);
  return draw();
}

function drawFigures(figures) {
  for (const [id, figure] of Object.entries(figures)) {
    keepDrawn(() => Plotly.react(id, themed(figure.data), layoutOf(figure.layout), CONFIG));
  }
}

// Of the worst queries, show the first of the tail or of all, and more when asked; thirds need not be known.
function startWorst() {
  const of = document.getElementById("worst-of");
  for (const list of document.querySelectorAll(".queries")) {
    const more = list.nextElementSibling.querySelector("button");
    let limit = QUERIES;
    const show = () => {
      const wanted = [...list.children].filter((query) => of?.value !== "tail" || query.dataset.tail === "yes");
      for (const query of list.children) query.hidden = !wanted.slice(0, limit).includes(query);
      more.hidden = wanted.length <= limit;
      more.textContent = `Show more of these ${wanted.length}`;
    };
    more.addEventListener("click", () => { limit += QUERIES; show(); });
    of?.addEventListener("change", show);
    show();
  }
}

// Pictures that several places of the page show are stored once.
function showPictures(pictures) {
  for (const image of document.querySelectorAll("img[data-picture]")) image.src = pictures[image.dataset.picture];
}
