// plotly.js as it comes with the Python package, whatever else of that name is on the page.

let loading = null;

/** The library, loaded once from the address that Python gave. */
export function plotly(address) {
  loading ??= new Promise((resolve, reject) => {
    if (window.PlotlyPy) {
      resolve(window.PlotlyPy);
      return;
    }
    const before = window.Plotly;
    const script = document.createElement("script");
    script.src = address;
    script.onload = () => {
      window.PlotlyPy = window.Plotly;
      if (before) window.Plotly = before; // a page may have an older one of its own
      resolve(window.PlotlyPy);
    };
    script.onerror = () => {
      loading = null;
      reject(new Error("The library for the curves did not load; reload the page."));
    };
    document.head.append(script);
  });
  return loading;
}
