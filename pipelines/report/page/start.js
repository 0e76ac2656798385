// Starts the page: unpacks Plotly and the data, then draws.
"use strict";

(async () => {
  const script = document.createElement("script");
  script.textContent = await new Response(await unpacked("plotly")).text();
  document.head.append(script);
  const data = await new Response(await unpacked("data")).json();
  startTheme();
  showPictures(data.pictures);
  startWorst();
  drawFigures(data.figures);
  let map = null, table = null;
  if (data.clusters) table = new ClusterTable(data.clusters, data.noun, data.pictures, (place) => map?.choose(place));
  if (data.map) map = new SampleMap(data.map, data.clusters, data.noun, data.pictures, (place) => table?.choose(place));
  if (map && table) table.samples = (place) => map.samplesOf(place);
  document.getElementById("tail-sizes")?.on("plotly_click", ({ points }) => {
    table.choose(points[0].customdata);
    document.getElementById("clusters").scrollIntoView();
  });
  document.documentElement.dataset.ready = "true"; // for whoever waits until all is drawn
})();
