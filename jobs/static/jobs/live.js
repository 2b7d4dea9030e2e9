/* Keeps an open list, job or test of N8N up to date while somebody looks at it.

A part of the page marked `data-live` says which version of it is shown and after how many seconds to ask again; none
means that nothing is expected. The server answers 304, or with the parts anew. What has changed is changed in place:
elements that stay keep their focus, their ticks, what is open and where they are scrolled to. */
"use strict";
(() => {
  const PATIENCE = 60; // seconds between questions at the most, after errors
  const WRITING = "Not refreshed while a reason is being written.";
  const main = document.querySelector("[data-live-seconds]");
  const note = document.querySelector("[data-live-note]");
  if (!main || !main.dataset.liveSeconds) return;
  let failures = 0;
  let timer = 0;

  const say = (words) => {
    if (note && note.textContent !== words) note.textContent = words;
  };

  const seconds = () => Number(main.dataset.liveSeconds);

  const plan = () => {
    clearTimeout(timer);
    if (!seconds() || document.hidden) return;
    timer = setTimeout(ask, 1000 * Math.min(seconds() * 2 ** failures, PATIENCE));
  };

  const isReasonBegun = () =>
    [...document.querySelectorAll("[data-live] input[name=reason]")].some((field) => field.value);

  /* Whoever writes, or chooses, is not disturbed. */
  const isBusy = () => {
    const active = document.activeElement;
    if (active && active.matches("select, textarea, input:not([type=checkbox]):not([type=submit])")) return true;
    return isReasonBegun();
  };

  const ask = async () => {
    if (isBusy()) {
      if (isReasonBegun()) say(WRITING);
      return plan();
    }
    try {
      const answer = await fetch(location.href, {
        headers: { "X-Live": "1", "If-None-Match": `"${main.dataset.liveVersion}"` },
        cache: "no-store",
        redirect: "manual",
      });
      if (answer.type === "opaqueredirect" || answer.status === 403 || answer.status === 404) {
        return say("This page no longer refreshes itself: load it again to go on.");
      }
      if (answer.status !== 200 && answer.status !== 304) throw new Error(answer.status);
      if (failures || note?.textContent === WRITING) say("");
      failures = 0;
      if (answer.status === 200) show(await answer.text());
    } catch {
      failures += 1;
      say("The server cannot be reached; what is shown may be old.");
    }
    plan();
  };

  const show = (html) => {
    if (isBusy()) return;
    const fresh = new DOMParser().parseFromString(html, "text/html");
    const before = words();
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
      if (other) change(part, other);
    }
    if (fresh.title) document.title = fresh.title;
    const changed = [...words()].filter(([one, said]) => before.get(one) !== said);
    if (changed.length) say(changed.length === 1 ? `${changed[0][1]}.` : `${changed.length} jobs have changed.`);
    count();
  };

  /* What is worth being told: each row's, or the heading's, name and status. */
  const words = () =>
    new Map(
      [...document.querySelectorAll("[data-live] tr[data-key], [data-live=heading] h1")].map((element) => {
        const name = element.querySelector(".cell-job a");
        const badge = element.querySelector(".badge");
        return [key(element), `${name ? name.textContent : "This job"} is now at “${badge ? badge.textContent : ""}”`];
      }),
    );

  const key = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.dataset.key || node.id : "");

  const isSame = (one, other) => one.nodeName === other.nodeName && key(one) === key(other);

  const KEPT = { DETAILS: ["open"], INPUT: ["value", "checked"], TR: ["class"] };

  const change = (old, fresh) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    const kept = KEPT[old.nodeName] || [];
    for (const { name } of [...old.attributes]) {
      if (!kept.includes(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (!kept.includes(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    changeChildren(old, fresh);
  };

  const isTicked = (node) => node.nodeType === Node.ELEMENT_NODE && node.querySelector("input:checked") !== null;

  const changeChildren = (old, fresh) => {
    let here = old.firstChild;
    for (const wanted of [...fresh.childNodes]) {
      let found = here;
      if (wanted.nodeType === Node.ELEMENT_NODE) while (found && !isSame(found, wanted)) found = found.nextSibling;
      if (found && isSame(found, wanted)) {
        if (found !== here) old.insertBefore(found, here);
        else here = here.nextSibling;
        change(found, wanted);
      } else {
        old.insertBefore(document.importNode(wanted, true), here);
      }
    }
    while (here) {
      const next = here.nextSibling;
      if (!isTicked(here)) here.remove(); // somebody has chosen it, and is to find it where it was
      here = next;
    }
  };

  /* Django's actions.js knows the rows that there were at first; those that came later are counted here. */
  const boxes = () => [...document.querySelectorAll("#result_list .action-select")];

  const count = () => {
    const counter = document.querySelector(".action-counter");
    const ticked = boxes().filter((box) => box.checked);
    if (counter) counter.textContent = `${ticked.length} of ${boxes().length} selected`;
  };

  document.addEventListener("change", (event) => {
    if (event.target.id === "action-toggle") for (const box of boxes()) box.checked = event.target.checked;
    if (event.target.closest("#result_list")) count();
  });

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else ask();
  });
  plan();
})();
