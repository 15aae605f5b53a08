// Keeps a page true without replacing what somebody has open: the server sends the live part again and again, and it is
// morphed into what is there. Where nothing comes any more, the banner says since when.
"use strict";
(() => {
  const SILENCE_MAX_MS = 7000;
  const RETRY_MS = 3000;
  const HIDDEN_EVERY_MS = 15000;
  // Browsers let a hidden page wake once a minute.
  const HIDDEN_SILENCE_MAX_MS = 100000;
  const live = document.getElementById("live");
  if (!live) return;
  let heard = Date.now();
  let source = null;
  let retry = null;

  const { clock, localise } = window.signalboxTimes;

  // What belongs to whoever looks: what they opened, typed and chose.
  const OWN = { DETAILS: ["open"], INPUT: ["value"], OPTION: ["selected"] };

  function isSelected(node) {
    const selection = document.getSelection();
    return selection && !selection.isCollapsed && selection.containsNode(node, true);
  }

  const keep = {
    morphStyle: "outerHTML",
    ignoreActiveValue: true,
    callbacks: {
      // What somebody has marked stays as it is until they let go.
      beforeNodeMorphed: (old, fresh) => !(old.childElementCount === 0 || old.nodeType === 3) || !isSelected(old) || old.isEqualNode(fresh),
      beforeNodeRemoved: (node) => !(node.nodeType === 3 && isSelected(node)),
      beforeAttributeUpdated: (name, node) => name !== "data-silent" && !(OWN[node.tagName] || []).includes(name),
    },
  };

  function show(html) {
    heard = Date.now();
    const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("live");
    if (!fresh) return;
    localise(fresh);
    Idiomorph.morph(live, fresh, keep);
    if (live.dataset.title) document.title = live.dataset.title;
    age();
    document.dispatchEvent(new Event("signalbox:shown"));
  }

  // How old what is shown is; grey where nothing comes any more.
  function age() {
    const since = Date.now() - heard;
    const silent = since > (document.hidden ? HIDDEN_SILENCE_MAX_MS : SILENCE_MAX_MS);
    const banner = document.getElementById("banner");
    const freshness = document.getElementById("freshness");
    if (!banner || !freshness) return;
    if (silent) {
      live.dataset.silent = banner.dataset.silent = "";
      freshness.setAttribute("role", "alert");
      const gone = "no answer since " + clock.format(new Date(heard)) + ": what is shown is from then";
      // Written again it would be read aloud again.
      if (freshness.textContent !== gone) freshness.textContent = gone;
      if (!document.title.startsWith("no answer")) document.title = "no answer · " + document.title;
    } else {
      delete live.dataset.silent;
      delete banner.dataset.silent;
      freshness.removeAttribute("role");
      freshness.textContent = since < 1500 ? "updated just now" : "updated " + Math.round(since / 1000) + " s ago";
    }
  }

  function close() {
    if (source) source.close();
    source = null;
    clearTimeout(retry);
  }

  function open() {
    close();
    source = new EventSource(location.href);
    source.onmessage = (event) => show(event.data);
    source.addEventListener("same", () => {
      heard = Date.now();
      if (live.dataset.title) document.title = live.dataset.title;
    });
    source.onerror = () => {
      // A browser tries again by itself only where the connection broke, not where the answer was an error.
      if (source && source.readyState === EventSource.CLOSED) {
        close();
        retry = setTimeout(open, RETRY_MS);
        look();
      }
    };
  }

  async function look() {
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (answer.ok) show(await answer.text());
    } catch {
      // The banner tells.
    }
  }

  // A browser has few connections to one server: a page that nobody sees looks now and then instead of holding one.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      close();
    } else {
      open();
      look();
    }
  });
  setInterval(() => { if (document.hidden) look(); }, HIDDEN_EVERY_MS);
  setInterval(age, 1000);
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", (event) => { if (event.persisted) open(); });

  localise(document);
  age();
  open();
})();
