// What the tests do in a browser. The answer is JSON on standard output.
//
//     node browser.mjs pages FILE.html …    what axe finds in each file
//     node browser.mjs lab URL TOKEN NAME   opens a notebook in the JupyterLab at URL, reads its
//                                           images, runs axe and saves the notebook
//     node browser.mjs visit BASE PAGE …    what loads on each page of the site at the address BASE,
//                                           its formulas, and its width on a telephone
//     node browser.mjs site BASE PAGE …     the same with what axe finds
//     node browser.mjs search BASE TERM     what the search of that site finds: [[title, address], …]
//     node browser.mjs slides F,C,W FILE.html …  what is wrong on each slide of each deck: letters of figures smaller than
//                                           F pixels, of code than C, of words than W, and more
//
// CHROMIUM names the browser's executable.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const quiet = ["quic", "gpu", "background-networking", "component-update", "sync"];
const settings = {
  executablePath: process.env.CHROMIUM,
  args: ["--headless", "--no-sandbox", "--no-first-run", ...quiet.map((name) => `--disable-${name}`)],
};

/** [{rule, impact, nodes: [html, …]}, …] of the page as it is now, by all rules or some. */
async function violations(page, ...rules) {
  await page.evaluate(axe);
  return page.evaluate(async (rules) => {
    const options = { preload: false, resultTypes: ["violations"], ...(rules.length && { runOnly: rules }) };
    const found = await axe.run({ exclude: ["mjx-container > *"] }, options);
    return found.violations.map((violation) => ({
      rule: violation.id,
      impact: violation.impact,
      nodes: violation.nodes.map((node) => node.html.slice(0, 200)),
    }));
  }, rules);
}

/** Pages with the formulas as MathJax would find them: nothing is loaded from outside. */
async function pages(browser, files) {
  const found = {};
  const context = await browser.newContext({ offline: true });
  for (const file of files) {
    const page = await context.newPage();
    await page.goto(pathToFileURL(file).href);
    found[file] = await violations(page);
    await page.close();
  }
  return found;
}

/** Waits until cells are shown and the number of such elements has stayed the same for 3 seconds. */
async function settled(page, selector) {
  await page.locator(".jp-Notebook .jp-Cell").first().waitFor();
  for (let last = -1, same = 0; same < 6; ) {
    await page.waitForTimeout(500);
    const count = await page.locator(selector).count();
    same = count === last ? same + 1 : 0;
    last = count;
  }
}

async function lab(browser, url, token, name) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.setDefaultTimeout(180_000);
  // A workspace of its own: else the notebooks opened before come back, too.
  const workspace = name.replace(/\W/g, "");
  await page.goto(`${url}/lab/workspaces/${workspace}/tree/${name}?token=${token}`);
  const kernel = page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]');
  await kernel.first().waitFor({ state: "attached" });
  await settled(page, ".jp-OutputArea-output img");
  const images = await page.$$eval(".jp-OutputArea-output img", (found) =>
    found.map((image) => ({ alt: image.getAttribute("alt"), shown: image.naturalWidth > 0 })),
  );
  const problems = await violations(page);
  const saved = page.waitForResponse(
    (response) => response.request().method() === "PUT" && response.url().includes("/api/contents/"),
  );
  await page.locator('.jp-NotebookPanel-toolbar [data-command="docmanager:save"]').first().click();
  await saved;
  return { images, violations: problems };
}

const desktop = { width: 1280, height: 800 };
const telephone = { width: 390, height: 844 };
// What can be right on a desk and wrong on a telephone, in the dark.
const rules = ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size"];

/** Waits until MathJax, where a page has it, has set all formulas. */
async function typeset(page) {
  await page.evaluate(() => window.MathJax?.startup?.promise);
}

/** What a reader of a page finds, on a desk and on a telephone. */
async function site(browser, base, files, check = violations) {
  const found = {};
  const context = await browser.newContext({ viewport: desktop });
  for (const file of files) {
    const page = await context.newPage();
    page.setDefaultTimeout(180_000);
    const outside = [], errors = [];
    page.on("request", (request) => {
      if (![base, "data:"].some((own) => request.url().startsWith(own))) outside.push(request.url());
    });
    page.on("requestfailed", (request) => errors.push(`not loaded: ${request.url()}`));
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    await page.goto(base + file);
    await typeset(page);
    const seen = await page.evaluate(() => ({
      formulas: document.querySelectorAll("span.math, div.math").length,
      rendered: document.querySelectorAll(".math mjx-container svg path").length,
      unset: [...document.querySelectorAll(".math")]
        .filter((math) => !math.querySelector("mjx-container svg") || math.querySelector("[data-mjx-error]"))
        .map((math) => math.textContent),
      hero: document.querySelector(".hero")?.getBoundingClientRect().bottom,
      images: [...document.querySelectorAll(".hero img")].map((image) => image.naturalWidth),
    }));
    found[file] = { ...seen, outside, errors, desktop: await check(page) };
    await page.setViewportSize(telephone);
    await page.emulateMedia({ colorScheme: "dark" });
    found[file].telephone = await check(page, ...rules);
    found[file].width = await page.evaluate(() => document.documentElement.scrollWidth);
    await page.close();
  }
  return found;
}

async function search(browser, base, term) {
  const page = await browser.newPage();
  await page.goto(`${base}search.html?q=${encodeURIComponent(term)}`);
  await page.locator("#search-results li a").first().waitFor();
  await page.locator("#search-results .search-summary:not(:empty)").waitFor();
  return page.$$eval("#search-results li > a", (links) =>
    links.map((link) => [link.textContent, link.href]),
  );
}

/** What is wrong on the slide that is shown, in words. Sizes are pixels of a slide of 1280 × 720. */
function faults([figureText, codeText, wordText]) {
  const slide = Reveal.getCurrentSlide(), found = [];
  const size = (part) => parseFloat(getComputedStyle(part).fontSize);
  const inside = (part) => part.closest("mjx-assistive-mml, .notes, svg") === null;
  const parts = [...slide.querySelectorAll(".slide *")].filter(inside);
  for (const part of parts) {
    const { left, top, right, bottom, width } = part.getBoundingClientRect();
    const where = `${part.tagName} ${part.textContent.trim().slice(0, 40)}`;
    if (width && (left < 0 || top < 0 || right > 1280 || bottom > 720))
      found.push(`${where}: reaches ${Math.round(right)} × ${Math.round(bottom)}`);
    if (part.scrollWidth > part.clientWidth + 1 && part.clientWidth) found.push(`${where}: cut on the right`);
    if (part.tagName === "PRE" && size(part) < codeText) found.push(`${where}: letters of ${size(part)} pixels`);
    if (["P", "LI", "TD"].includes(part.tagName) && size(part) < wordText)
      found.push(`${where}: letters of ${size(part)} pixels`);
  }
  const boxes = [...slide.querySelectorAll(".slide > *, .words > *, .outputs > *")].map((part) => [part, part.getBoundingClientRect()]);
  for (const [one, a] of boxes)
    for (const [other, b] of boxes)
      if (one.parentNode === other.parentNode && one !== other && a.top <= b.top && a.left < b.right && b.left < a.right && a.bottom > b.top + 1)
        found.push(`${one.tagName} and ${other.tagName} overlap`);
  for (const image of slide.querySelectorAll("img")) {
    const { width, height } = image.getBoundingClientRect();
    const scale = Math.min(width / image.naturalWidth, height / image.naturalHeight);
    // The course draws letters of 11 points, 96 pixels an inch.
    const letters = (11 / 72) * 96 * (scale * image.naturalWidth) / image.getAttribute("width");
    if (!image.naturalWidth) found.push(`a figure is not shown: ${image.alt}`);
    if (!(letters >= figureText)) found.push(`letters of ${letters.toFixed(1)} pixels in a figure: ${image.alt}`);
  }
  const words = parts.filter((part) => !part.closest("pre, code")).flatMap((part) => [...part.childNodes]);
  for (const text of words.filter((node) => node.nodeType === Node.TEXT_NODE && node.data.includes("$")))
    found.push(`a formula is not set: ${text.data.slice(0, 60)}`);
  for (const error of slide.querySelectorAll("[data-mjx-error]")) found.push(error.dataset.mjxError);
  return { found, formulas: slide.querySelectorAll("mjx-container svg path").length, alts: [...slide.querySelectorAll("img")].map((image) => image.alt) };
}

/** Every slide of every deck, each shown once, without a network. */
async function slides(browser, limits, files) {
  const found = {};
  const context = await browser.newContext({ offline: true, viewport: { width: 1280, height: 720 } });
  for (const file of files) {
    const page = await context.newPage();
    const own = pathToFileURL(file.slice(0, file.lastIndexOf("/") + 1)).href, outside = [], errors = [];
    page.on("request", (request) => {
      if (![own, "data:"].some((start) => request.url().startsWith(start))) outside.push(request.url());
    });
    page.on("requestfailed", (request) => errors.push(`not loaded: ${request.url()}`));
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    await page.goto(pathToFileURL(file).href);
    await typeset(page);
    await page.waitForFunction(() => Reveal.isReady());
    const shown = [];
    for (let number = 0; number < (await page.evaluate(() => Reveal.getTotalSlides())); number++) {
      await page.evaluate((number) => {
        Reveal.slide(number);
        return Promise.all([...Reveal.getCurrentSlide().querySelectorAll("img")].map((image) => image.decode()));
      }, number);
      shown.push(await page.evaluate(faults, limits));
    }
    found[file] = { slides: shown, outside, errors };
    await page.close();
  }
  return found;
}

const doings = {
  lab,
  pages: (browser, ...files) => pages(browser, files),
  site: (browser, base, ...files) => site(browser, base, files),
  visit: (browser, base, ...files) => site(browser, base, files, () => []),
  search,
  slides: (browser, limits, ...files) => slides(browser, limits.split(",").map(Number), files),
};
const browser = await chromium.launch(settings);
try {
  const [what, ...rest] = process.argv.slice(2);
  console.log(JSON.stringify(await doings[what](browser, ...rest)));
} finally {
  await browser.close();
}
