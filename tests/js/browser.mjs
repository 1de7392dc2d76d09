// Drives headless Chromium for the tests: commands come in, answers go out, one JSON object a line.
// It uses the Chromium that the machine has; its path is the first argument.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const LIMIT = 50_000;
const FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];
const QUIET = ["--disable-component-update", "--disable-sync", "--no-sandbox"];

const tell = (object) => process.stdout.write(JSON.stringify(object) + "\n");
const browser = await chromium.launch({ executablePath: process.argv[2], args: [...FLAGS, ...QUIET] });
const pages = new Map();

const commands = {
  // A window of its own, with nothing kept from others; what goes wrong in it is told as `complaint`.
  async open({ page: name, url, width, height, scheme, mobile }) {
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme: scheme,
      deviceScaleFactor: mobile ? 2 : 1,
      isMobile: mobile,
      hasTouch: mobile,
    });
    context.setDefaultTimeout(LIMIT);
    const page = await context.newPage();
    page.on("pageerror", (error) => tell({ page: name, complaint: String(error) }));
    page.on("console", (message) => message.type() === "error" && tell({ page: name, complaint: message.text() }));
    page.on("dialog", (dialog) => (tell({ page: name, complaint: `dialog: ${dialog.message()}` }), dialog.dismiss()));
    pages.set(name, page);
    await page.goto(url);
  },
  close: ({ page }) => pages.get(page).context().close(),
  click: ({ page, selector }) => pages.get(page).locator(selector).first().click(),
  fill: ({ page, selector, text }) => pages.get(page).locator(selector).first().fill(text),
  press: ({ page, selector, key }) => pages.get(page).locator(selector).first().press(key),
  select: ({ page, selector, value }) => pages.get(page).locator(selector).first().selectOption(value),
  waits: ({ page, selector, text }) => pages.get(page).locator(selector).filter({ hasText: text }).first().waitFor(),
  hidden: ({ page, selector }) => pages.get(page).locator(selector).first().waitFor({ state: "hidden" }),
  texts: ({ page, selector }) => pages.get(page).locator(selector).allInnerTexts(),
  evaluate: ({ page, expression }) => pages.get(page).evaluate(expression),
  screenshot: ({ page, path, whole }) =>
    pages
      .get(page)
      .screenshot({ path, fullPage: whole, animations: "disabled" })
      .then(() => null),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, do: name, ...argument } = JSON.parse(line);
  commands[name](argument).then(
    (answer) => tell({ id, answer: answer ?? null }),
    (error) => tell({ id, error: String(error) }),
  );
}
await browser.close();
