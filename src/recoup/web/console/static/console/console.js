// What the pages do by themselves: the drawer, light and dark, filters that act at once, charts.
(() => {
  "use strict";
  const root = document.documentElement;

  document.addEventListener("click", (event) => {
    const menu = event.target.closest("[data-menu]");
    if (menu) {
      const open = document.getElementById("navigation").toggleAttribute("data-open");
      menu.setAttribute("aria-expanded", String(open));
    }
    if (event.target.closest("[data-theme-switch]")) switchTheme();
    for (const opened of document.querySelectorAll("details.person[open]"))
      if (!opened.contains(event.target)) opened.removeAttribute("open");
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const opened of document.querySelectorAll("details.person[open]")) {
      opened.removeAttribute("open");
      opened.querySelector("summary").focus();
    }
  });

  document.addEventListener("change", (event) => {
    const field = event.target.closest("[data-filters] select, [data-filters] input[type=checkbox], [data-filters] input[type=date], [data-filters] input[type=month]");
    if (field) field.form.requestSubmit();
  });

  function isDark() {
    const chosen = root.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  function switchTheme() {
    root.dataset.theme = isDark() ? "light" : "dark";
    document.cookie = `recoup_theme=${root.dataset.theme};path=/;max-age=31536000;samesite=lax`;
    drawAll(document, true);
  }

  // Charts: the script is fetched only by a page that has one.
  let bundle = null;
  function fetchBundle() {
    bundle ??= new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = document.body.dataset.vega;
      script.onload = done;
      script.onerror = failed;
      document.head.append(script);
    });
    return bundle;
  }

  function look() {
    const style = getComputedStyle(root);
    const colour = (name) => style.getPropertyValue(name).trim();
    const [ink, soft, line, accent] = ["--ink", "--soft", "--line", "--accent"].map(colour);
    const font = getComputedStyle(document.body).fontFamily;
    return {
      background: null, font, padding: { left: 4, right: 8, top: 6, bottom: 4 },
      view: { stroke: null },
      axis: { labelColor: soft, titleColor: soft, gridColor: line, domainColor: line, tickColor: line, labelFontSize: 11.5, titleFontSize: 12, titleFontWeight: 400, labelFont: font, titleFont: font, labelSeparation: 10 },
      legend: { labelColor: ink, titleColor: soft, labelFontSize: 12, orient: "top", title: null, labelFont: font, columns: innerWidth < 500 ? 2 : 0 },
      title: { color: ink, font }, text: { color: ink, font }, bar: { color: accent }, line: { color: accent, strokeWidth: 2.2 }, area: { color: accent }, point: { color: accent }, rule: { color: soft }, arc: { stroke: null },
      range: { category: isDark() ? ["#4cc2b0", "#8fb7e8", "#e3b75d", "#c99be0", "#e58d80", "#9fb3a8"] : ["#006b60", "#3f7fbf", "#c98a1b", "#8059a8", "#bf5647", "#6f8478"] },
    };
  }

  async function draw(figure) {
    const spec = JSON.parse(document.getElementById(figure.dataset.chart).textContent);
    await fetchBundle();
    spec.config = { ...look(), ...(spec.config || {}) };
    await window.vegaEmbed(figure.querySelector(".drawing"), spec, {
      actions: false, ast: true, renderer: "svg", defaultStyle: false, tooltip: { disableDefaultStyle: true },
    });
    figure.dataset.drawn = "";
  }

  function drawAll(within, again) {
    for (const figure of within.querySelectorAll("[data-chart]"))
      if (again || !("drawn" in figure.dataset)) draw(figure);
  }

  document.addEventListener("htmx:load", (event) => drawAll(event.detail.elt.parentElement || document, false));
  document.addEventListener("DOMContentLoaded", () => {
    drawAll(document, false);
    const tab = document.querySelector(".tabs [aria-current]");
    if (tab) tab.parentElement.scrollLeft = tab.offsetLeft - 40;
  });
})();
