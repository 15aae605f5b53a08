// Times in the time zone of whoever looks. Pages and the editor load it before what shows times.
"use strict";
window.signalboxTimes = (() => {
  const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
  const minute = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

  // Those of another day with their date; those along a chart as short as the server says.
  function localise(root) {
    const today = new Date().toDateString();
    for (const time of root.querySelectorAll("[data-time]")) {
      const at = new Date(time.dateTime || time.dataset.at);
      if (isNaN(at)) continue;
      if (time.dataset.time) {
        time.textContent = (time.dataset.time === "minute" ? minute : clock).format(at);
        continue;
      }
      time.textContent = (at.toDateString() === today ? clock : full).format(at);
      time.title = full.format(at);
    }
  }

  return { clock, localise };
})();
