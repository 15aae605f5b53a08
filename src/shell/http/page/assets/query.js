// Completes the names of metrics, labels and functions in the query box, and runs the query by Ctrl and Enter.
"use strict";
(() => {
  const box = document.querySelector("textarea[data-complete]");
  if (!box) return;
  const MOST = 12;
  const FUNCTIONS = ["sum", "avg", "min", "max", "count", "topk", "bottomk", "quantile", "by", "without", "rate",
    "increase", "irate", "delta", "histogram_quantile", "avg_over_time", "max_over_time", "min_over_time",
    "sum_over_time", "count_over_time", "quantile_over_time", "last_over_time", "absent", "changes", "label_replace",
    "clamp", "round", "sort", "sort_desc", "time", "vector", "anchored", "smoothed", "offset", "bool", "unless"];
  let names = null;
  let shown = [];
  let chosen = -1;

  const list = document.createElement("ul");
  list.id = "completions";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Names");
  list.hidden = true;
  box.after(list);
  box.setAttribute("aria-autocomplete", "list");
  box.setAttribute("aria-controls", list.id);

  async function load() {
    if (names) return names;
    const get = async (path) => {
      try {
        const answer = await fetch(path);
        return answer.ok ? (await answer.json()).data || [] : [];
      } catch {
        return [];
      }
    };
    const [metrics, labels] = await Promise.all([
      get("api/v1/label/__name__/values?limit=5000"), get("api/v1/labels?limit=1000")]);
    names = { metrics: metrics.concat(FUNCTIONS), labels };
    return names;
  }

  // The word before the cursor, and whether a label's name stands there.
  function word() {
    const before = box.value.slice(0, box.selectionStart);
    const text = /[A-Za-z_:][A-Za-z0-9_:]*$/.exec(before);
    const start = text ? text.index : before.length;
    const ahead = before.slice(0, start);
    const inBraces = ahead.lastIndexOf("{") > ahead.lastIndexOf("}");
    const inGrouping = /\b(by|without|on|ignoring|group_left|group_right)\s*\([^()]*$/.test(ahead);
    const inQuotes = (ahead.match(/"/g) || []).length % 2 === 1;
    return { start, text: text ? text[0] : "", labels: inBraces || inGrouping, none: inQuotes };
  }

  async function suggest(always) {
    const at = word();
    if (at.none || (!always && at.text.length < 2)) return hide();
    const { metrics, labels } = await load();
    const from = at.labels ? labels : metrics;
    const wanted = at.text.toLowerCase();
    const begins = from.filter((name) => name.toLowerCase().startsWith(wanted));
    const holds = from.filter((name) => !name.toLowerCase().startsWith(wanted) && name.toLowerCase().includes(wanted));
    shown = begins.concat(holds).slice(0, MOST);
    if (shown.length === 0 || (shown.length === 1 && shown[0] === at.text)) return hide();
    chosen = always ? 0 : -1;
    draw();
  }

  function draw() {
    list.replaceChildren(...shown.map((name, place) => {
      const item = document.createElement("li");
      item.id = "completion-" + place;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", String(place === chosen));
      item.textContent = name;
      item.addEventListener("mousedown", (event) => { event.preventDefault(); put(place); });
      return item;
    }));
    list.hidden = false;
    if (chosen >= 0) box.setAttribute("aria-activedescendant", "completion-" + chosen);
    else box.removeAttribute("aria-activedescendant");
  }

  function hide() {
    list.hidden = true;
    shown = [];
      box.removeAttribute("aria-activedescendant");
  }

  function put(place) {
    const at = word();
    box.setRangeText(shown[place], at.start, box.selectionStart, "end");
    hide();
    box.focus();
  }

  box.addEventListener("input", () => suggest(false));
  box.addEventListener("blur", hide);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      box.form.requestSubmit();
    } else if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      suggest(true);
    } else if (!list.hidden && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : shown.length - 1;
      chosen = chosen < 0 ? (event.key === "ArrowDown" ? 0 : shown.length - 1) : (chosen + step) % shown.length;
      draw();
    } else if (!list.hidden && chosen >= 0 && (event.key === "Enter" || event.key === "Tab")) {
      event.preventDefault();
      put(chosen);
    } else if (!list.hidden && event.key === "Escape") {
      event.preventDefault();
      hide();
    }
  });
})();
