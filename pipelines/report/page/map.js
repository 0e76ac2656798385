// The map, and the table of clusters that a click filters. Texts of users become text nodes, never markup.
"use strict";

const PALETTE = ["--blue", "--orange", "--green", "--pink", "--sky", "--red"];
const RAMP = [[0, "#414487"], [0.5, "#22a884"], [1, "#c6c01f"]]; // dark to light on neither theme too faint
const NOT_SCORED = 255; // what stands for no recall
const SHOWN_ROWS = 10, SHOWN_SAMPLES = 24;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

function typed(packed) {
  const bytes = Uint8Array.from(atob(packed.bdata), (letter) => letter.charCodeAt(0));
  return new { f4: Float32Array, i4: Int32Array, u1: Uint8Array }[packed.dtype](bytes.buffer);
}

const count = (value) => value.toLocaleString("en");
const capitalised = (word) => word[0].toUpperCase() + word.slice(1);

class ClusterTable {
  constructor(clusters, noun, pictures, whenChosen) {
    this.clusters = clusters;
    this.noun = noun; // "cluster", or "neighborhood" of one sample each
    this.pictures = pictures;
    this.whenChosen = whenChosen;
    this.chosen = null;
    this.limit = SHOWN_ROWS;
    this.samples = () => [];
    const on = (id, event, then) => document.getElementById(id).addEventListener(event, then);
    on("cluster-order", "change", () => this.show());
    on("cluster-search", "input", () => this.show());
    on("cluster-more", "click", () => { this.limit += 5 * SHOWN_ROWS; this.show(); });
    on("cluster-all", "click", () => this.choose(null));
    this.show();
  }

  choose(place) {
    this.chosen = place;
    this.show();
    this.whenChosen(place);
  }

  // Places of the clusters to show, best first; null stands for those left out between the largest and the smallest.
  places() {
    if (this.chosen !== null) return [this.chosen];
    const wanted = document.getElementById("cluster-search").value.trim().toLowerCase();
    const order = document.getElementById("cluster-order").value;
    const says = (each) => [each.name, each.words, ...each.texts].join(" ").toLowerCase().includes(wanted);
    const places = this.clusters.map((_, place) => place).filter((place) => !wanted || says(this.clusters[place]));
    if (order === "recall") {
      const known = places.filter((place) => this.clusters[place].recall !== null);
      return known.sort((one, other) => this.clusters[one].recall - this.clusters[other].recall);
    }
    if (order === "smallest") places.reverse();
    if (order !== "both" || places.length <= 2 * this.limit) return places;
    return [...places.slice(0, this.limit), null, ...places.slice(-this.limit)];
  }

  show() {
    const places = this.places();
    const order = document.getElementById("cluster-order").value;
    const shown = order === "both" ? places : places.slice(0, this.limit);
    const rows = shown.map((place) => (place === null ? this.gap(places) : this.row(place)));
    document.getElementById("cluster-rows").replaceChildren(...rows);
    document.getElementById("cluster-more").hidden = this.chosen !== null || !(shown.includes(null) || shown.length < places.length);
    document.getElementById("cluster-all").hidden = this.chosen === null;
    const there = shown.filter((place) => place !== null).length;
    document.getElementById("cluster-status").textContent = this.chosen === null
      ? `${count(there)} of ${count(this.clusters.length)} ${this.noun}s shown`
      : `${capitalised(this.noun)} ${this.clusters[this.chosen].name} alone is shown`;
    this.showSamples();
  }

  gap(places) {
    const left = this.clusters.length - (places.length - 1);
    const width = document.querySelectorAll("#clusters thead th").length;
    return element("tr", { class: "gap" }, element("td", { colspan: width }, `${count(left)} ${this.noun}s between these`));
  }

  row(place) {
    const each = this.clusters[place];
    const button = element("button", { type: "button", "aria-label": `Show ${this.noun} ${each.name} alone` }, each.name);
    button.addEventListener("click", () => this.choose(place));
    const numbers = {
      size: count(each.size),
      shift: each.shift === null ? "" : each.shift.toPrecision(3),
      recall: each.recall === null ? "" : `${each.recall.toFixed(0)}%`,
      queries: count(each.queries),
    };
    const heads = [...document.querySelectorAll("#clusters thead th")];
    return element("tr", {}, ...heads.map(({ dataset: { column }, textContent }) => {
      if (column === "name") return element("th", { scope: "row" }, button);
      if (column === "words") return element("td", { class: "words", dir: "auto" }, each.words);
      if (column === "texts") return element("td", { class: "words" }, ...each.texts.map((text) => element("div", { dir: "auto" }, text)));
      return element("td", { class: "number", "data-label": textContent }, numbers[column]);
    }));
  }

  showSamples() {
    const box = document.getElementById("cluster-samples");
    if (!box) return;
    const samples = this.chosen === null ? [] : this.samples(this.chosen);
    box.hidden = !samples.length;
    if (!samples.length) return;
    const items = samples.slice(0, SHOWN_SAMPLES).map(({ text, picture }) =>
      element("li", {}, picture ? element("img", { src: picture, alt: "" }) : null, element("span", { dir: "auto" }, text)));
    const more = samples.length > items.length ? `, the first ${items.length} of ${count(samples.length)} on the map` : "";
    box.replaceChildren(element("h3", {}, `${this.noun === "cluster" ? "Samples" : "The sample at the center"} of ${this.noun} ${this.clusters[this.chosen].name}${more}`),
      element("ul", { class: "samples" }, ...items));
  }
}

class SampleMap {
  constructor(data, clusters, noun, pictures, choose) {
    Object.assign(this, data, { clusters, noun, pictures });
    for (const name of ["x", "y", "cluster", "recall", "picture"]) this[name] = data[name] && typed(data[name]);
    this.box = document.getElementById("map-chart");
    this.card = document.getElementById("map-card");
    this.by = document.getElementById("map-colour"); // null where all have one colour
    this.chosen = null;
    this.touch = matchMedia("(pointer: coarse)").matches;
    this.extent = { x: this.reach(this.x), y: this.reach(this.y) };
    this.by?.addEventListener("change", () => this.draw());
    for (const [id, factor] of [["map-in", 0.6], ["map-out", 1 / 0.6], ["map-reset", null]]) {
      document.getElementById(id).addEventListener("click", () => this.zoom(factor));
    }
    keepDrawn(() => this.draw()).then(() => {
      this.box.on("plotly_hover", ({ points, event }) => this.show(this.sample(points[0]), event));
      this.box.on("plotly_unhover", () => { this.card.hidden = true; });
      this.box.on("plotly_click", ({ points }) => this.cluster && choose(this.cluster[this.sample(points[0])]));
    });
  }

  sample(point) {
    return point.curveNumber === 0 ? point.pointNumber : this.members[point.pointNumber];
  }

  reach(values) {
    let [low, high] = [Infinity, -Infinity];
    for (const value of values) { low = Math.min(low, value); high = Math.max(high, value); }
    const margin = (high - low || 1) * 0.04;
    return [low - margin, high + margin];
  }

  // Colours of all points as numbers, with the scale that they are drawn in and what the legend says.
  coloured() {
    if (!this.by) { // neither clusters nor scores are known
      const scale = [[0, colour("--blue")], [1, colour("--blue")]];
      return { values: new Uint8Array(this.x.length), scale, range: [0, 1], legend: [] };
    }
    if (this.by.value === "size") {
      const sizes = this.clusters.map(({ size }) => Math.log10(Math.max(size, 1)));
      const most = Math.max(...sizes), least = Math.min(...sizes);
      const ramp = element("i", { class: "ramp", style: `background: linear-gradient(to right, ${RAMP.map(([, each]) => each)})` });
      const [low, high] = [least, most].map((each) => count(Math.round(10 ** each)));
      return {
        values: Array.from(this.cluster, (place) => sizes[place]), scale: RAMP, range: [least, most > least ? most : least + 1],
        legend: [element("span", {}, `training samples in the ${this.noun}: ${low}`, ramp, high)],
      };
    }
    const [names, values, legend] = this.by.value === "recall"
      ? [["--line", "--red", "--orange", "--blue"], Array.from(this.recall, (value) => (value === NOT_SCORED ? 0 : value === 0 ? 1 : value < 100 ? 2 : 3)),
        ["not scored", "not found", "found in one direction", "found"]]
      : [[...PALETTE, "--grey"], Array.from(this.cluster, (place) => (this.clusters[place].noise ? PALETTE.length : place % PALETTE.length)), []];
    const colours = names.map(colour);
    const scale = colours.flatMap((each, place) => [[place / colours.length, each], [(place + 1) / colours.length, each]]);
    const used = new Set(values);
    const dots = legend.flatMap((words, place) =>
      used.has(place) ? [element("span", {}, element("i", { style: `background: ${colours[place]}` }), words)] : []);
    const note = element("span", {}, "clusters of one colour share nothing but the colour");
    return { values, scale, range: [-0.5, colours.length - 0.5], legend: dots.length ? dots : [note] };
  }

  draw() {
    const { values, scale, range, legend } = this.coloured();
    document.getElementById("map-legend").replaceChildren(...legend);
    const gl = document.createElement("canvas").getContext("webgl") ? "scattergl" : "scatter";
    const size = this.x.length > 20000 ? 3 : this.x.length > 3000 ? 4 : 6;
    const common = { type: gl, mode: "markers", hoverinfo: "none", showlegend: false };
    this.members = [];
    if (this.chosen !== null) this.cluster.forEach((place, row) => place === this.chosen && this.members.push(row));
    const all = {
      ...common, x: this.x, y: this.y,
      marker: { size, color: values, colorscale: scale, cmin: range[0], cmax: range[1], opacity: this.chosen === null ? 0.75 : 0.15 },
    };
    const members = {
      ...common, x: this.members.map((row) => this.x[row]), y: this.members.map((row) => this.y[row]),
      marker: { size: size + 4, color: colour("--red"), line: { width: 1, color: colour("--paper") } },
    };
    const bare = (extent) => ({ visible: false, fixedrange: this.touch, range: extent });
    const layout = layoutOf({
      margin: { l: 0, r: 0, t: 0, b: 0 }, hovermode: "closest", dragmode: this.touch ? false : "pan", uirevision: "map",
      xaxis: bare(this.extent.x), yaxis: bare(this.extent.y),
    });
    return Plotly.react(this.box, [all, members], layout, CONFIG);
  }

  zoom(factor) {
    const range = (name) => {
      if (factor === null) return this.extent[name[0]];
      const [low, high] = this.box.layout[name].range;
      const middle = (low + high) / 2, half = ((high - low) / 2) * factor;
      return [middle - half, middle + half];
    };
    return Plotly.relayout(this.box, { "xaxis.range": range("xaxis"), "yaxis.range": range("yaxis") });
  }

  picture_of(row) {
    return this.picture && this.picture[row] >= 0 ? this.pictures[this.picture[row]] : null;
  }

  samplesOf(place) {
    const rows = [];
    this.cluster.forEach((each, row) => each === place && rows.push(row));
    return rows.map((row) => ({ text: this.texts[row], picture: this.picture_of(row) }));
  }

  show(row, event) {
    const cluster = this.cluster && this.clusters[this.cluster[row]];
    const picture = this.picture_of(row);
    const scored = this.recall !== null && this.recall[row] !== NOT_SCORED;
    const found = !scored ? null : { 0: "not found within 10", 100: "found within 10" }[this.recall[row]] ?? "found within 10 in one direction";
    const kind = cluster && `${this.noun} ${cluster.name} (${count(cluster.size)})${cluster.words ? `: ${cluster.words}` : ""}`;
    const lines = [this.ids[row], kind, found];
    this.card.replaceChildren(...(picture ? [element("img", { src: picture, alt: "" })] : []),
      element("p", { dir: "auto" }, this.texts[row]),
      ...lines.filter(Boolean).map((line) => element("p", { class: "faint" }, line)));
    this.card.hidden = false;
    const box = this.box.getBoundingClientRect();
    const place = (at, inside, own) => Math.max(8, at + 16 + own > inside ? at - 16 - own : at + 16);
    this.card.style.left = `${place(event.clientX - box.left, box.width, this.card.offsetWidth)}px`;
    this.card.style.top = `${place(event.clientY - box.top, box.height, this.card.offsetHeight)}px`;
  }

  choose(place) {
    this.chosen = place;
    return this.draw();
  }
}
