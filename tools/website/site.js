// What the pages do beyond the theme.

// As a file, a page may not read others: results of a search then come without an excerpt.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// What scrolls sideways can be reached with the keyboard.
function reachable() {
  for (const part of document.querySelectorAll("mjx-container, pre, .pst-scrollable-table-container"))
    if (part.scrollWidth > part.clientWidth && part.clientWidth) part.tabIndex = 0;
}

addEventListener("DOMContentLoaded", () => {
  // These names hide the visible ones from those who speak to their computer.
  for (const part of document.querySelectorAll("summary[aria-label], .search-button-field[aria-label]"))
    part.removeAttribute("aria-label");
});
addEventListener("load", () => {
  const typeset = window.MathJax?.startup?.promise ?? Promise.resolve();
  typeset.then(reachable);
  addEventListener("resize", reachable);
});
