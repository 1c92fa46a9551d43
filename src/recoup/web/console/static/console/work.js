// The desk by keyboard: a result recorded moves on to the next action; Escape closes what is open.
(() => {
  "use strict";

  document.addEventListener("htmx:afterSettle", (event) => {
    const item = event.detail.elt?.closest?.(".work-item");
    if (!item) return;
    const refused = item.querySelector("[role=alert]");
    const next = refused ? item : item.nextElementSibling || item;
    (next.querySelector("summary") || next.querySelector("a"))?.focus();
  });

  document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  document.addEventListener("toggle", (event) => {
    const opened = event.target;
    if (!opened.matches?.(".tell[open]")) return;
    for (const other of document.querySelectorAll(".tell[open]")) if (other !== opened) other.removeAttribute("open");
  }, true);

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const opened = event.target.closest?.(".tell[open]");
    if (!opened) return;
    opened.removeAttribute("open");
    opened.querySelector("summary").focus();
  });
})();
