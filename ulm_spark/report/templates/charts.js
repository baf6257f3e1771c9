(function () {
  "use strict";
  var settings = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: false };
  var charts = Array.prototype.slice.call(document.querySelectorAll(".chart"));
  var printWidth = 680;

  var letter = 7;

  function longest(texts) {
    return texts.reduce(function (most, text) {
      return text.split("<br>").reduce(function (n, line) { return Math.max(n, line.length); }, most);
    }, 0);
  }

  // Words behind bars get the room they need; numbers in small cells are set smaller, or left to the table.
  function fit(figure, width) {
    figure.data.forEach(function (trace) {
      if (!trace.y) { return; }
      var room = width - letter * longest(trace.y.map(String)) - 30;
      if (trace.type === "bar" && trace.orientation === "h") {
        var bars = Math.max(room - letter * longest(trace.text) - 10, 0.2 * room);
        figure.layout.xaxis.range = [0, Math.max.apply(null, trace.x.concat(1e-9)) * room / bars];
      }
      if (trace.type === "heatmap" && room / trace.x.length < 34) {
        trace.textfont = { size: 10 };
        figure.layout.xaxis.tickfont = { size: 10 };
        if (room / trace.x.length < letter * 0.85 * longest([].concat.apply([], trace.text))) {
          trace.texttemplate = "";
        }
      }
    });
    return figure;
  }

  charts.forEach(function (chart) {
    var figure = fit(JSON.parse(chart.dataset.figure), chart.clientWidth);
    Plotly.newPlot(chart, figure.data, figure.layout, settings);
  });

  window.addEventListener("beforeprint", function () {
    charts.forEach(function (chart) { Plotly.relayout(chart, { width: printWidth, autosize: false }); });
  });
  window.addEventListener("afterprint", function () {
    charts.forEach(function (chart) { Plotly.relayout(chart, { width: null, autosize: true }); });
  });
})();
