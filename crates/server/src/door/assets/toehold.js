// Keeps a page as it is now. Without it every page works as it was when it was opened.
"use strict";

(() => {
  const link = document.getElementById("link");
  const say = (word, look) => {
    if (link) { link.textContent = word; link.className = "link " + look; }
  };

  // What the reader opened stays open, and what has the focus keeps it.
  const replace = (place, html) => {
    const next = document.createElement("template");
    next.innerHTML = html;
    // What is as it was stays the very same: a click is not lost between press and release.
    if (next.innerHTML === place.innerHTML) return;
    const open = new Map();
    for (const it of place.querySelectorAll("details[data-key]")) open.set(it.dataset.key, it.open);
    const held = place.contains(document.activeElement) ? document.activeElement : null;
    const nth = held ? [...place.querySelectorAll("a,button,summary,input,[tabindex]")].indexOf(held) : -1;
    place.replaceChildren(next.content);
    mark();
    for (const it of place.querySelectorAll("details[data-key]")) {
      if (open.has(it.dataset.key)) it.open = open.get(it.dataset.key);
    }
    if (nth >= 0) place.querySelectorAll("a,button,summary,input,[tabindex]")[nth]?.focus({ preventScroll: true });
  };

  // Whose log is shown.
  const mark = () => {
    const of = document.getElementById("said")?.dataset.of;
    for (const it of document.querySelectorAll("[data-log-of]")) it.toggleAttribute("aria-current", it.dataset.logOf === of);
  };

  const selecting = (place) => {
    const now = document.getSelection();
    return now && !now.isCollapsed && place.contains(now.anchorNode);
  };

  // A part is sent again when it changed. One in which text is selected waits for the next time.
  const follow = (address) => {
    const parts = new EventSource(address);
    const again = async () => {
      parts.close();
      try {
        const here = await fetch(location.href, { method: "HEAD", redirect: "manual" });
        if (here.type === "opaqueredirect") { location.reload(); return; }
      } catch { /* nobody answers yet */ }
      setTimeout(follow, 2000, address);
    };
    parts.onopen = () => say("live", "on");
    parts.onerror = () => {
      say("not live: trying again", "off");
      if (parts.readyState === EventSource.CLOSED) again();
    };
    parts.addEventListener("part", (message) => {
      const { id, html } = JSON.parse(message.data);
      const place = document.getElementById(id);
      if (place && !selecting(place)) replace(place, html);
    });
    parts.addEventListener("end", () => { parts.close(); location.reload(); });
    addEventListener("pagehide", () => parts.close());
  };
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  // A log grows at its end, and is followed while its end is in sight.
  const MOST = 400000;
  const grow = (pane, text) => {
    const atEnd = pane.scrollHeight - pane.scrollTop - pane.clientHeight < 40;
    pane.append(text);
    if (pane.textContent.length > MOST) pane.textContent = pane.textContent.slice(-MOST / 2);
    if (atEnd) pane.scrollTop = pane.scrollHeight;
  };

  const read = async (pane) => {
    const from = pane.dataset.log;
    if (!from) return;
    let wait = 1500;
    if (!document.hidden) {
      try {
        const answer = await fetch(from + pane.dataset.next, { headers: { accept: "application/json" } });
        if (answer.ok && from === pane.dataset.log) {
          const piece = await answer.json();
          if (piece.text) grow(pane, piece.text);
          pane.dataset.next = piece.next ?? piece.end;
          if (piece.more) wait = 50;
          if (piece.ended) { location.reload(); return; }
        } else if (answer.status === 401) return;
      } catch { wait = 5000; }
    }
    setTimeout(read, wait, pane);
  };

  // Another instance's log is shown in the same place.
  const choose = (pane) => document.addEventListener("click", (event) => {
    const other = event.target.closest?.("[data-log-of]");
    if (!other || !pane || event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    const name = other.dataset.logOf;
    const was = pane.dataset.log;
    pane.dataset.log = was.replace(/instances\/[^/]+\//, `instances/${name}/`);
    pane.dataset.of = name;
    mark();
    pane.textContent = "";
    pane.setAttribute("aria-label", "log of " + name);
    fetch(pane.dataset.log.replace("?offset=", "?tail=16384"), { headers: { accept: "application/json" } })
      .then((answer) => (answer.ok ? answer.json() : { text: "", end: 0 }))
      .then((piece) => { pane.textContent = piece.text; pane.dataset.next = piece.end; pane.scrollTop = pane.scrollHeight; });
  });

  const pane = document.getElementById("said");
  mark();
  if (pane) {
    pane.scrollTop = pane.scrollHeight;
    if (pane.dataset.log) { choose(pane); read(pane); }
  }
  if (document.body.dataset.live) follow(document.body.dataset.live);
})();
