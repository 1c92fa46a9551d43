// A file is sent as soon as it is chosen or dropped; one that is too large never leaves the browser.
(() => {
  "use strict";
  for (const field of document.querySelectorAll("[data-drop]")) {
    const zone = field.closest(".drop");
    for (const name of ["dragenter", "dragover"]) zone.addEventListener(name, () => zone.classList.add("over"));
    for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("over"));
    field.addEventListener("change", () => {
      const file = field.files[0];
      if (!file) return;
      const told = zone.querySelector("[data-told]");
      if (file.size > Number(field.dataset.drop)) {
        told.textContent = zone.dataset.large;
        field.value = "";
        return;
      }
      told.textContent = file.name;
      zone.setAttribute("aria-busy", "true");
      field.form.requestSubmit();
    });
  }
})();
