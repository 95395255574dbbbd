// How charts look, whatever they show: colours, axes, and a moving average.

export const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f5f9f", "#5b6b7b"];

export const BUTTONS = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };

/** A moving average that forgets by `share` a point, without leaning on its first value. */
export function smoothed(values, share) {
  let sum = 0;
  let weight = 0;
  return values.map((value) => {
    sum = sum * share + value;
    weight = weight * share + 1;
    return sum / weight;
  });
}

/** A layout of plotly; `x` and `y` are changes to its axes. */
export function layout(title, colour, legend, x = {}, y = {}) {
  const axis = { gridcolor: "rgba(128,128,128,0.25)", zerolinecolor: "rgba(128,128,128,0.4)", automargin: true };
  return {
    title: { text: title, x: 0, xanchor: "left", font: { size: 14 }, pad: { l: 8 } },
    font: { color: colour, family: "system-ui, sans-serif", size: 12 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 48, r: 12, t: 32, b: 36 },
    hovermode: "x unified",
    hoverlabel: { font: { color: "#111" }, bgcolor: "#fff" },
    showlegend: legend,
    legend: { orientation: "h", x: 1, xanchor: "right", y: 1, yanchor: "bottom" },
    xaxis: { ...axis, title: { text: "step", standoff: 4 }, ...x },
    yaxis: { ...axis, ...y },
  };
}
