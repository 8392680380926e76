// How the slides are shown. The clock of the speaker view takes its minutes from each slide.
window.MathJax = {
  tex: { inlineMath: [["$", "$"], ["\\(", "\\)"]], displayMath: [["$$", "$$"], ["\\[", "\\]"]] },
  options: { enableMenu: false },
};
addEventListener("DOMContentLoaded", () => Reveal.initialize({
  width: 1280, height: 720, margin: 0, center: false, minScale: 0.1, maxScale: 4,
  hash: true, slideNumber: "c/t", controls: false, transition: "none", pdfSeparateFragments: false,
  plugins: [RevealNotes],
}));
