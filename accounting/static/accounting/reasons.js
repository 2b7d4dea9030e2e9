/* Sends a form with a reason once, however often it is pressed while hundreds of jobs are seen to.
   Keeps the reason of one that was sent in vain since its session had ended: who logs in again, in the same tab and as
   the same user, finds it in the form. The log-in's page tells that it was in vain. As soon as somebody else is logged
   in, the tab forgets it. */
"use strict";
(() => {
  const [SENT, IN_VAIN] = ["reason-sent", "reason-in-vain"]; // what a tab remembers, until it is closed
  const who = () => document.querySelector("[data-user]")?.dataset.user;

  document.addEventListener("submit", (event) => {
    const { action, elements } = event.target;
    const reason = elements.reason?.value;
    if (!reason) return;
    if (elements.sent.value) return event.preventDefault();
    elements.sent.value = "Under way…";
    setTimeout(() => { elements.sent.value = ""; }, 120_000); // unless a page comes, it was stopped, or is in another tab
    sessionStorage.removeItem(IN_VAIN);
    sessionStorage.setItem(SENT, JSON.stringify([who(), action, reason]));
  });
  window.addEventListener("pageshow", () => { // a browser may go back to the page as it was left
    for (const sent of document.querySelectorAll("output[name=sent]")) sent.value = "";
  });

  const sent = sessionStorage.getItem(SENT);
  sessionStorage.removeItem(SENT);
  if (document.querySelector("#login-form")) {
    if (sent) sessionStorage.setItem(IN_VAIN, sent);
    return;
  }
  const [name, action, reason] = JSON.parse(sessionStorage.getItem(IN_VAIN)) ?? [];
  if (who() && who() !== name) sessionStorage.removeItem(IN_VAIN);
  const form = name === who() && [...document.forms].find((each) => each.action === action && each.elements.reason);
  if (!form) return; // that of many jobs is not where one is led back to
  sessionStorage.removeItem(IN_VAIN);
  form.closest("details")?.setAttribute("open", "");
  form.elements.reason.value = reason;
  form.elements.reason.focus();
})();
