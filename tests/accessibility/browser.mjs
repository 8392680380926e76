// What the accessibility tests do in a browser. The answer is JSON on standard output.
//
//     node browser.mjs pages FILE.html …    what axe finds in each file
//     node browser.mjs lab URL TOKEN NAME   opens a notebook in the JupyterLab at URL, reads its
//                                           images, runs axe and saves the notebook
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

/** [{rule, impact, nodes: [html, …]}, …] of the page as it is now. */
async function violations(page) {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const found = await axe.run(document, { resultTypes: ["violations"] });
    return found.violations.map((violation) => ({
      rule: violation.id,
      impact: violation.impact,
      nodes: violation.nodes.map((node) => node.html.slice(0, 200)),
    }));
  });
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

const browser = await chromium.launch(settings);
try {
  const [what, ...rest] = process.argv.slice(2);
  const found = what === "lab" ? await lab(browser, ...rest) : await pages(browser, rest);
  console.log(JSON.stringify(found));
} finally {
  await browser.close();
}
