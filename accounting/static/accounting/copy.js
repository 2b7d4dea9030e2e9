/* Copies in one click what a button stands beside. Without script, or where the browser has no clipboard for us (over
   plain http), the button is not there: admin.css shows it once this file has said that there is one. */
"use strict";
(() => {
  const SECONDS = 2; // for which a button says what came of it
  if (!navigator.clipboard) return;
  document.documentElement.dataset.copies = "";
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    const words = button.firstElementChild;
    words.textContent = await navigator.clipboard.writeText(button.dataset.copy).then(
      () => "Copied",
      () => "Not copied",
    );
    setTimeout(() => (words.textContent = "Copy"), 1000 * SECONDS);
  });
})();
