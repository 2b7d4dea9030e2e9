/* Gives a name to what Django's own scripts make without one, so that a screen reader can tell it: SelectFilter2.js
   labels icons that have no role, and select2 shows an empty box as a field that its label does not reach. */
"use strict";
function name() {
  for (const icon of document.querySelectorAll(".search-label-icon[aria-label]")) icon.setAttribute("role", "img");
  for (const box of document.querySelectorAll(".select2-selection[aria-labelledby]")) {
    const select = box.closest(".select2")?.previousElementSibling;
    const label = select && document.querySelector(`label[for="${CSS.escape(select.id)}"]`);
    if (!label) continue;
    label.id ||= `label-of-${select.id}`;
    const shown = box.querySelector(".select2-selection__rendered");
    box.setAttribute("aria-labelledby", `${label.id} ${shown ? shown.id : ""}`);
    shown?.setAttribute("aria-labelledby", label.id);
  }
}

// jQuery calls what waits for it in turn, and a moment after the page is read: select2's boxes may not be there at "load" yet
window.addEventListener("load", () => (window.django?.jQuery ?? setTimeout)(name));
