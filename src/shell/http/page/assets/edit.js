// Puts CodeMirror in the place of the form's text, has the server check and complete what is typed, and sends the form
// without leaving the page, so that nothing typed is lost. Without this script the form does the same with a plain text.
"use strict";
(() => {
  const area = document.getElementById("text");
  const form = document.getElementById("edit");
  const status = document.getElementById("status");
  const CM = window.CodeMirror;
  const { localise } = window.signalboxTimes;
  if (!area || !form || !CM) return;
  const field = (name) => form.elements.namedItem(name).value;
  const count = (number, thing) => number + " " + thing + (number === 1 ? "" : "s");
  let saved = area.value;

  const text = () => view.state.doc.toString();
  const say = (words) => { if (status.textContent !== words) status.textContent = words; };

  async function ask(what, more) {
    const body = new URLSearchParams({ file: field("file"), token: field("token"), text: text(), ...more });
    const answer = await fetch(form.action.replace(/[^/]*$/, what), { method: "POST", body });
    if (!answer.ok) throw new Error((await answer.text()).trim());
    return answer.json();
  }

  // What is wrong, as one types. An answer about an older text is dropped by CodeMirror.
  async function check() {
    let found;
    try {
      found = (await ask("check")).diagnostics;
    } catch (error) {
      say("Not checked: " + error.message);
      return [];
    }
    const errors = found.filter((one) => one.severity === "error").length;
    say(found.length === 0 ? "Nothing is wrong with it." : count(errors, "error") + ", " + count(found.length - errors, "warning"));
    const length = view.state.doc.length;
    return found.map((one) => ({
      from: Math.min(one.from, length), to: Math.min(one.to, length), severity: one.severity, source: one.source,
      message: one.message,
      actions: one.fixes.map((fix) => ({
        name: fix.name,
        apply: (editor) => editor.dispatch({ changes: { from: fix.from, to: fix.to, insert: fix.insert } }),
      })),
    }));
  }

  async function complete(context) {
    const word = context.matchBefore(/[\w:.]+$/);
    const before = context.state.sliceDoc(Math.max(0, context.pos - 1), context.pos);
    if (!context.explicit && !word && !"{([,\"$. ".includes(before || "\n")) return null;
    try {
      const found = await ask("complete", { at: context.pos });
      if (found.options.length === 0) return null;
      const option = (one) => ({ ...one, detail: one.detail || undefined, info: one.info || undefined });
      return { from: found.from, to: found.to, options: found.options.map(option), validFor: /^[\w:.]*$/ };
    } catch {
      return null;
    }
  }

  const { tags } = CM;
  const colours = CM.HighlightStyle.define([
    { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--link)" },
    { tag: [tags.string, tags.special(tags.string)], color: "var(--well)" },
    { tag: [tags.comment, tags.lineComment], color: "var(--quiet)", fontStyle: "italic" },
    { tag: [tags.keyword, tags.bool, tags.number, tags.null], color: "var(--warning)" },
    { tag: [tags.punctuation, tags.separator, tags.bracket, tags.squareBracket, tags.brace], color: "var(--quiet)" },
  ]);
  const box = {
    backgroundColor: "var(--card)", color: "var(--text)", border: "1px solid var(--control)", borderRadius: "8px",
  };
  const theme = CM.EditorView.theme({
    "&": { ...box, fontSize: "0.875rem" },
    "&.cm-focused": { outline: "3px solid var(--link)", outlineOffset: "2px" },
    ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5", maxHeight: "70vh", minHeight: "16rem" },
    ".cm-content": { caretColor: "var(--text)", padding: "0.6rem 0" },
    ".cm-cursor": { borderLeftColor: "var(--text)" },
    ".cm-gutters": { backgroundColor: "var(--card)", color: "var(--quiet)", borderRight: "1px solid var(--line)" },
    ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "transparent" },
    "&.cm-focused .cm-selectionBackground, .cm-selectionBackground, ::selection": {
      backgroundColor: "color-mix(in srgb, var(--link) 30%, transparent) !important",
    },
    ".cm-tooltip, .cm-panels": { ...box, borderRadius: "6px" },
    ".cm-tooltip": { maxWidth: "min(36rem, 92vw)" },
    ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "none", maxWidth: "92vw", overflow: "hidden" },
    ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "0.2rem 0.6rem" },
    ".cm-tooltip-autocomplete ul li[aria-selected]": { background: "var(--grey-ground)", color: "var(--text)" },
    ".cm-completionDetail": { color: "var(--quiet)" },
    ".cm-completionInfo": { fontFamily: "var(--sans)", padding: "0.4rem 0.6rem" },
    ".cm-diagnostic": { whiteSpace: "pre-wrap", borderLeftWidth: "4px" },
    ".cm-diagnostic-error": { borderLeftColor: "var(--critical)" },
    ".cm-diagnostic-warning": { borderLeftColor: "var(--warning)" },
    ".cm-diagnosticAction": { backgroundColor: "var(--link)", color: "var(--card)", padding: "0.15rem 0.5rem", borderRadius: "5px", marginLeft: "0", marginRight: "0.5rem" },
    ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--critical)", textUnderlineOffset: "0.2em" },
    ".cm-lintRange-warning": { backgroundImage: "none", textDecoration: "underline wavy var(--warning)", textUnderlineOffset: "0.2em" },
    // Drawn, as the page's policy lets no picture come from a style.
    ".cm-lint-marker": { content: "normal", boxSizing: "border-box", width: "0.7em", height: "0.7em", margin: "0.35em 0.15em" },
    ".cm-lint-marker-error": { content: "normal", background: "var(--critical)", borderRadius: "50%" },
    ".cm-lint-marker-warning": { content: "normal", background: "var(--warning)", transform: "rotate(45deg)" },
    ".cm-lintPoint-error::after": { borderBottomColor: "var(--critical)" },
    ".cm-lintPoint-warning::after": { borderBottomColor: "var(--warning)" },
    ".cm-panel input, .cm-panel button": { font: "inherit", backgroundImage: "none", backgroundColor: "var(--code)", color: "var(--text)", borderColor: "var(--control)" },
  });

  const view = new CM.EditorView({
    doc: area.value,
    extensions: [
      CM.EditorView.cspNonce.of(document.documentElement.dataset.style || ""),
      CM.EditorView.contentAttributes.of({ "aria-label": "Rules, in YAML", tabindex: "0", spellcheck: "false", autocapitalize: "off" }),
      CM.lineNumbers(), CM.highlightSpecialChars(), CM.history(), CM.drawSelection(), CM.bracketMatching(),
      CM.closeBrackets(), CM.indentOnInput(), CM.indentUnit.of("  "), CM.yaml(), CM.syntaxHighlighting(colours), theme,
      CM.search({ top: true }),
      CM.linter(check, { delay: 300 }), CM.lintGutter(),
      // So few that nothing has to be scrolled: the list moves with what is chosen.
      CM.autocompletion({ override: [complete], icons: false, maxRenderedOptions: 10 }),
      // Tab leaves the editor, as it leaves every field.
      CM.keymap.of([
        { key: "Mod-s", run: () => { press("save"); return true; } },
        { key: "Mod-Enter", run: () => { press("preview"); return true; } },
        ...CM.completionKeymap, ...CM.lintKeymap, ...CM.searchKeymap, ...CM.historyKeymap, ...CM.defaultKeymap,
      ]),
    ],
  });
  area.before(view.dom);
  area.hidden = true;
  const label = form.querySelector("label[for=text]");
  label.addEventListener("click", () => view.focus());

  const line = Number(form.dataset.line);
  if (line > 0 && line <= view.state.doc.lines) {
    const at = view.state.doc.line(line).from;
    view.dispatch({ selection: { anchor: at }, effects: CM.EditorView.scrollIntoView(at, { y: "start", yMargin: 40 }) });
  }

  function press(what) {
    const button = form.querySelector("button[formaction$='" + what + "']");
    if (button) form.requestSubmit(button);
  }

  // A page as the server wrote it: what it says and shows goes where that stands here.
  function put(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    for (const id of ["said", "results"]) {
      const [here, there] = [document.getElementById(id), fresh.getElementById(id)];
      if (here && there) here.replaceWith(document.adoptNode(there));
    }
    localise(document);
  }

  function fail(words) {
    const box = document.createElement("div");
    box.className = "trouble";
    box.setAttribute("role", "alert");
    box.append(Object.assign(document.createElement("p"), { textContent: words }));
    document.getElementById("said").replaceChildren(box);
  }

  let sending = false;
  form.addEventListener("submit", async (event) => {
    area.value = text();
    const button = event.submitter;
    if (button && "download" in button.dataset) return;
    event.preventDefault();
    if (sending) return;
    sending = true;
    say("…");
    const sent = text();
    try {
      const body = new URLSearchParams(new FormData(form));
      const answer = await fetch(button ? button.formAction : form.action, { method: "POST", body });
      const html = await answer.text();
      if (answer.redirected) {
        saved = sent;
        location.replace(answer.url);
        return;
      }
      if ((answer.headers.get("Content-Type") || "").startsWith("text/html")) put(html);
      else fail(html);
      say("");
      const first = document.querySelector("#said .trouble, #said .findings, #results section");
      if (first) first.scrollIntoView({ block: "nearest" });
    } catch (error) {
      fail("signalbox does not answer: " + error.message + ". What you typed is still here.");
      say("");
    } finally {
      sending = false;
    }
  });

  window.addEventListener("beforeunload", (event) => { if (text() !== saved) event.preventDefault(); });

  localise(document);
})();
