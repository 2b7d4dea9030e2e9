/* The upload page: a request for each file, two at a time. What broke off on its way is sent again under the same
   Idempotency-Key, so that nothing is taken in twice. Without this file the form does the work, all files in one go. */
"use strict";

(() => {
  const AT_ONCE = 2;
  const MOST_MILLISECONDS = 150_000; // the server closes a request that has not arrived after 120 s
  const form = document.getElementById("upload");
  const list = document.getElementById("chosen");
  const summary = document.getElementById("summary");
  const button = form.querySelector("input[type=submit]");
  const uploads = [];

  const isIn = (...states) => (upload) => states.includes(upload.state);
  const busy = isIn("ready", "sending");

  class Upload {
    constructor(file) {
      this.file = file;
      this.key = randomKey();
      this.row = document.getElementById("file").content.firstElementChild.cloneNode(true);
      this.part("name").textContent = file.name;
      this.part("size").textContent = size(file.size);
      this.part("again").addEventListener("click", () => this.begin());
      this.part("again").setAttribute("aria-label", `Try ${file.name} again`);
      this.part("leave").addEventListener("click", () => this.leave());
      this.part("leave").setAttribute("aria-label", `Leave ${file.name} out`);
      this.bar = this.row.querySelector("progress");
      this.bar.setAttribute("aria-label", `Upload of ${file.name}`);
      list.append(this.row);
      this.turn("waiting", "");
      if (file.size > Number(form.dataset.mostBytes)) {
        this.turn("refused", `Refused: The file is larger than ${form.dataset.mostMegabytes} MB.`);
      }
    }

    part(name) {
      return this.row.querySelector(`.${name}`);
    }

    turn(state, sentence, link) {
      this.state = state;
      const said = this.part("said");
      said.className = `said ${state}`;
      said.textContent = sentence;
      if (link) {
        const name = document.createElement(link.address ? "a" : "span"); // not all who upload may see jobs
        if (link.address) name.href = link.address;
        name.textContent = link.name;
        said.append(" ", name);
      }
      this.bar.hidden = state !== "sending";
      this.part("again").hidden = !this.goesAgain;
      this.part("leave").hidden = !(state === "waiting" || state === "refused");
      tell();
    }

    /* What broke off, and what somebody may have mended meanwhile, such as the database, goes by the one button. */
    get goesAgain() {
      return this.state === "broken" || this.mayBeMended;
    }

    leave() {
      uploads.splice(uploads.indexOf(this), 1);
      const next = this.row.nextElementSibling || this.row.previousElementSibling;
      this.row.remove();
      (next?.querySelector("button:not([hidden])") || document.getElementById("files")).focus();
      tell();
    }

    begin() {
      // what broke off may have arrived, and is the same request only if it asks for the same
      if (this.state !== "broken") {
        this.asked = { notion_database_id: database(), allow_duplicate: form.elements.allow_duplicate.checked };
      }
      this.brokeOff = this.brokeOff || this.state === "broken";
      this.mayBeMended = this.renewed = false;
      this.turn("ready", "Waits for its turn");
      pump();
    }

    send() {
      this.turn("sending", "0 %");
      this.bar.value = 0;
      const request = new XMLHttpRequest();
      request.open("POST", form.dataset.address);
      request.timeout = MOST_MILLISECONDS;
      request.setRequestHeader("X-CSRFToken", form.elements.csrfmiddlewaretoken.value);
      request.setRequestHeader("Idempotency-Key", this.key);
      request.upload.addEventListener("progress", (event) => this.progress(event.loaded / event.total));
      request.upload.addEventListener("load", () => this.say("Sent; the server looks at it"));
      request.addEventListener("load", () => this.answered(request).then(pump));
      request.addEventListener("error", () => this.turn("broken", "The connection broke off."));
      request.addEventListener("timeout", () => this.turn("broken", "It took too long."));
      request.addEventListener("loadend", pump);
      request.send(this.body());
    }

    body() {
      const body = new FormData();
      Object.entries(this.asked).forEach(([name, value]) => body.append(name, value));
      body.append("file", this.file);
      return body;
    }

    progress(share) {
      this.bar.value = share;
      this.say(`${Math.floor(100 * share)} %`);
    }

    say(sentence) {
      this.part("said").textContent = sentence;
    }

    async answered(request) {
      if (request.status === 403 && !this.renewed) {
        this.renewed = true;
        if (await renew()) return this.send();
      }
      const answer = parsed(request.responseText);
      const detail = answer.errors ? Object.values(answer.errors).flat().join(" ") : answer.detail;
      if (request.status === 202 || (request.status === 200 && this.brokeOff)) {
        this.turn("done", "Taken in:", answer);
      } else if (request.status === 200) {
        this.turn("there", "Already there:", answer);
      } else if (request.status === 429 || request.status >= 500) {
        this.turn("broken", detail || `The server answered ${request.status}.`);
      } else {
        this.mayBeMended = answer.code === "invalid" || request.status === 403;
        this.turn("refused", `Refused: ${detail || `The server answered ${request.status}; load this page again.`}`);
      }
    }
  }

  /* The form's proof that it is ours holds for one log-in; whoever has logged in once more, elsewhere, has another. */
  async function renew() {
    const answer = await fetch(location.pathname, { cache: "no-store", redirect: "manual" }).catch(() => null);
    if (!answer || !answer.ok) return false;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("upload");
    if (!fresh) return false;
    form.elements.csrfmiddlewaretoken.value = fresh.elements.csrfmiddlewaretoken.value;
    return true;
  }

  function pump() {
    while (uploads.filter(isIn("sending")).length < AT_ONCE && uploads.some(isIn("ready"))) {
      uploads.find(isIn("ready")).send();
    }
  }

  function tell() {
    const count = (...states) => uploads.filter(isIn(...states)).length;
    const [waiting, again] = [count("waiting"), uploads.filter((upload) => upload.goesAgain).length];
    const number = waiting + again;
    button.value = (waiting || !again ? "Upload" : "Try again") + (number > 1 ? `: ${number} files` : "");
    button.setAttribute("aria-disabled", number === 0); // not disabled, or it would lose the focus as it is pressed
    const ended = [["done", "taken in"], ["there", "already there"], ["refused", "refused"], ["broken", "broke off"]];
    const parts = ended.filter(([state]) => count(state)).map(([state, words]) => `${count(state)} ${words}`);
    const running = uploads.filter(busy).length;
    const sentence = [running ? `${running} under way` : "", ...parts].filter(Boolean).join(", ");
    if (summary.textContent !== sentence) {
      summary.textContent = sentence;
    }
  }

  function add(files) {
    Array.from(files).forEach((file) => uploads.push(new Upload(file)));
    tell();
  }

  function database() {
    return form.elements.other_database.value.trim() || form.elements.notion_database_id?.value || "";
  }

  function randomKey() {
    // not randomUUID, which there is over https only
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function size(bytes) {
    return bytes < 1_000_000 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
  }

  function parsed(text) {
    try {
      return JSON.parse(text);
    } catch {
      return {};
    }
  }

  form.classList.add("scripted");
  form.querySelectorAll("input[type=file]").forEach((input) => {
    input.addEventListener("change", () => {
      add(input.files);
      input.value = ""; // so that the same file can be chosen again
    });
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    uploads.filter((upload) => upload.state === "waiting" || upload.goesAgain).forEach((upload) => upload.begin());
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    form.classList.add("dragged");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) form.classList.remove("dragged");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault(); // or the browser would leave the page for the file
    form.classList.remove("dragged");
    add(event.dataTransfer.files);
  });
  window.addEventListener("beforeunload", (event) => {
    if (uploads.some(busy)) event.preventDefault();
  });
  tell();
})();
